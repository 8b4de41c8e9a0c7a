"""From the text of an answer to a value: one spelling, tokens, words and units, the parser."""
