"""Reward models without weights: the gold answer, and a Python function of the user's."""
