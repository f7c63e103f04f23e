"""Chance: how much of a layer's topology would be kept if its weights had no structure.

``nulls`` has the closed forms; ``drawing`` random graphs; ``shuffling`` shuffled layers; ``simulation`` the forest
edges that they keep. On these stand ``forest_by_chance``, the one rule that every command asks, and ``betti``.
"""
