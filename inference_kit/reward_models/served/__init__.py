"""Reward models behind a server, or in vLLM's process."""
