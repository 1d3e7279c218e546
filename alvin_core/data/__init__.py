"""A data set: reading it, checking it, splitting it, making one."""
