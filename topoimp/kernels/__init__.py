"""The compiled passes over stored weights, and the threads that they are split over.

Numbers in, numbers out: a kernel knows no file, no layer name and no method.
"""

BLOCK = 64
"""Weights looked at together: a block in which nothing counts is passed over."""
