"""The commands as Python functions, one file each: a path in, a report out. Its rows lie in ``COMMAND_rows``."""
