"""A recipe and images in, trained weights out: recipes, networks in torch, and the loop that trains them.

Importing this package or ``recipes`` does not import torch; the other modules do.
"""
