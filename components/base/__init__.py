"""What every component is built from: the base class, errors, progress, termination, timing, hashing, memory."""
