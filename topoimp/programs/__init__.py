"""A command of the user in, its exit status or its numbers out; no process of it remains."""
