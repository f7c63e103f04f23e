"""A path in, a report out: one file for each command, and ``COMMAND_rows`` for the rows and columns of its report."""
