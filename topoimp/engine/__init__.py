"""Tasks and layers given to other processes, on this machine or on others, and their results brought back.

A result is right or an error, never half: processes are watched, ended with the one that wants their results, and
started again when the system ends them.
"""
