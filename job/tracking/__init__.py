"""Following a run in other tools, TensorBoard and MLflow: off by default, and imported only when on."""
