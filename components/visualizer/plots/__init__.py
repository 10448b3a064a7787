"""What the Visualizer draws, one file a picture."""
