"""What chance alone keeps of a layer's topology: closed forms, simulations, and what is observed beside them.

``nulls`` counts without a weight; ``drawing`` draws random graphs, and ``shuffling`` says which graphs a shuffled layer
is; ``simulation`` counts the forest edges that they keep. On these stand ``betti`` (curves), ``excess`` (another
checkpoint beside chance) and ``kept_edges`` (a layer's own strongest weights beside chance).
"""
