"""Imports of a training, for a process whose forks train; they do not initialize TensorFlow."""

from importlib import import_module

from components.runtime.tensorflow import import_tensorflow

import_tensorflow()
for name in ("export.export", "strategy", "train_network"):
    import_module(f"components.trainer.{name}")
