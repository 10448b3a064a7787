"""The job from Python and notebooks: run it, and read the results of its runs. `job` exports these names."""
