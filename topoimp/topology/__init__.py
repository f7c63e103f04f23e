"""A layer in, its zeroth-order topology out: forest, barcode, Betti curves, summaries, distances."""
