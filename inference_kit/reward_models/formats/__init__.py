"""Reward models with weights on this machine, one file for each published format."""
