"""Validation of examples, as TFX's ExampleValidator does it: anomalies of images and labels, and drift."""
