"""A run folder in, checked rounds of iterative pruning out: train, prune, rewind, repeat."""
