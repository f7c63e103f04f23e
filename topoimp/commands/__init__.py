"""The commands as functions: a path in, a report out; ``cli/`` has a file of the same name for each."""
