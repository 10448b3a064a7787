"""What a run tells, to people and to machines."""
