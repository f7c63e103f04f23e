"""Two checkpoints side by side, layer by layer."""
