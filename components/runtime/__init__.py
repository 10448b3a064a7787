"""The machine below: processors, libraries, TensorFlow and its device."""
