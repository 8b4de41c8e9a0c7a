"""Engines that decode here, by transformers: a loop over sequences, one step after another."""
