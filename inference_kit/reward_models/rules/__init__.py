"""Reward models without weights."""
