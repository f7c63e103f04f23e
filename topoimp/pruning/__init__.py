"""Forests and targets in, masks out: schedules, the k-th strongest weight, pruning rules, masks and bounds."""
