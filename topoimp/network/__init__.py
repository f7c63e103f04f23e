"""A network as one layered graph: its layers with the vertices that they share joined."""
