"""A run folder in, checked rounds of iterative pruning out: prune, rewind, train, check that no weight revived."""
