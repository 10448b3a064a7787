"""Trackers record a run in TensorBoard or MLflow: off by default, and imported only when on."""
