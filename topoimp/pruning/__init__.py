"""Forests and targets in, masks out: schedules, the k-th strongest weight of a checkpoint, rules, bounds."""
