"""Load a trained model and predict."""
