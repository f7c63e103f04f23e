"""Torch modules in memory, for a training loop of your own: prune a module, hold its mask, rewind it."""
