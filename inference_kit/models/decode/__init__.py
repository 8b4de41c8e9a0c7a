"""Engines that decode here, by transformers: a loop over sequences, one step after another.

Promises: a completion depends on its prompt, settings and seed alone, whatever else is in the batch.
"""
