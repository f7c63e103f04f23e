"""Comparison: a reference checkpoint and other checkpoints or masks side by side, layer by layer."""
