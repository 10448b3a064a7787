"""Load a trained model and predict. Importing this package loads neither NumPy nor TensorFlow."""

from components.inference.linear import write_linear_model
from components.inference.predictor import Predictor, RawPredictor, load_network, load_predictor, load_raw_predictor

__all__ = ["Predictor", "RawPredictor", "load_network", "load_predictor", "load_raw_predictor", "write_linear_model"]
