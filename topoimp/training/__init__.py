"""Training small networks to study: their recipes, the networks in torch, and the loop that trains them.

``recipes`` is read without torch, and so is this package; the other modules import it.
"""
