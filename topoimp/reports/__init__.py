"""Numbers in, named columns out: the meaning of every column, reports as CSV, JSON and tables, and gates on them."""
