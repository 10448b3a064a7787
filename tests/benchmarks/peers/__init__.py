"""Peer scripts: what people would use instead of the job. They import nothing of this project."""
