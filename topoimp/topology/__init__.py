"""A layer in, its zeroth-order topology out: forest, barcode, summaries, distances. Nothing is pruned or written."""
