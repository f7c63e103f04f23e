"""Networks that are in memory, for people with a training loop of their own: prune a module, hold a mask, rewind."""
