"""The commands as Python functions, one file a command: a path in, a report out."""
