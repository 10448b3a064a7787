"""The scripts that the job is measured against; each runs alone, and imports nothing of this project."""
