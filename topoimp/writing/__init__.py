"""A checkpoint and masks in, files on disk out: the pruned copy and the mask file, read back and verified."""
