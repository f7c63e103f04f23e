"""A reference and other checkpoints or masks in, the topology that they share out: numbers, layer by layer."""
