"""The sections of the report, one file each: what it says in Python, how it looks in the template beside it."""
