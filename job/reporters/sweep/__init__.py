"""The page of a sweep: a table of its trials, and a parallel-coordinates chart."""
