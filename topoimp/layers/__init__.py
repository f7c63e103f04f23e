"""Which tensors of a checkpoint are layers, and the layers themselves, read one at a time."""
