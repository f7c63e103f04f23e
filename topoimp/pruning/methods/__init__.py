"""The methods of pruning, one a file: the order in which each keeps the weights, and the weights that it protects."""
