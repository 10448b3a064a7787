"""What runs the components: configuration, store, runner and command line."""
