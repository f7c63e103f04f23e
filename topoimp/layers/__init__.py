"""A checkpoint in, its layers out: which tensors are layers, which are selected, and reading them one at a time."""
