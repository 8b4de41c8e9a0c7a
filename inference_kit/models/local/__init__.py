"""Weights on this machine: what a folder or hub id holds, and how it becomes a model that runs.

Promises: whatever is missing, damaged or does not fit is named in one line before the model runs.
"""
