"""Wording: what servers mean by what they say: why an answer ended, what room is left, what they do not take."""
