"""Chance: how much of a layer's topology its strongest weights would keep at random: the iid null, and shuffles.

``closed_forms`` counts without weights; ``drawing`` draws random graphs, ``shuffling`` describes a shuffled layer as
one, and ``simulation`` counts the forest edges that they keep. ``forest_by_chance`` is the one rule that every command
asks; ``betti`` has the Betti curves.
"""
