"""Reward models that a server runs, or vLLM in a process of its own; an item that cannot be scored fails alone."""
