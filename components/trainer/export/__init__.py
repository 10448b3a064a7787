"""Export of a trained network to the formats for deployment; every export takes raw images."""
