"""Whether two answers are equal: as texts, then by what they are."""
