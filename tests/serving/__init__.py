"""A pushed model and the server that watches it: versions, rolling back, and what a client sends and gets."""
