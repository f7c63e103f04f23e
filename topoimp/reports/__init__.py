"""Numbers in, named columns out: reports as CSV, JSON and pandas tables, and the gates that test them."""
