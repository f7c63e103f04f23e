"""A pruned copy on disk, whole or not at all, read back and verified."""
