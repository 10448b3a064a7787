"""Benchmarks: speed, memory and accuracy of the job and of other programs. README.md has the results."""
