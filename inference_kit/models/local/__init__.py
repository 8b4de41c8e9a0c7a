"""Weights on this machine: what a folder or hub id holds, and how it becomes a model that runs."""
