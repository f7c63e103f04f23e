"""The compiled passes over a layer's weights, and nothing else."""

BLOCK = 64
"""Weights looked at together: a block in which nothing counts is passed over."""
