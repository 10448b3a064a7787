"""What the Evaluator is made of: the metrics and the blessing."""
