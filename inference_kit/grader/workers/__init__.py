"""Grading of many items, with processes that are killed at a limit."""
