"""What components are built from: the base class, errors, progress, termination, timing, hashing, memory budget."""
