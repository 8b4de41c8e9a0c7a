"""Indices: when two of them name the same problem.

Why: a CSV file has only texts, pandas writes whole numbers as floats, and people type numbers; 0, "0" and "0.0" are one
index to all of them, so to `--index`, a resumed run and a comparison.
"""

import re

from inference_kit.records.problem import Index

_WHOLE = re.compile(r"(0|-?[1-9][0-9]{0,99})(?:\.0+)?")
"""A whole number without leading zeros, which would make it a name; perhaps written as a float."""


def canonical_index(index: Index) -> Index:
    """Return the integer that a text spells, and any other index as it is; indices of one problem become equal."""
    whole = _WHOLE.fullmatch(index) if isinstance(index, str) else None
    return int(whole[1]) if whole else index
