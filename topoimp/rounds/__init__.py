"""Iterative pruning with training between the rounds: train, prune, rewind, repeat, every round checked.

``loop`` runs the rounds, ``checks`` holds each against what it was meant to be, ``facts`` says what became of the
topology, ``table`` sums up the rounds of all seeds.
"""
