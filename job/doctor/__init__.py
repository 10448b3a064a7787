"""What the command `doctor` looks at: devices, limits, and the places that are written to."""
