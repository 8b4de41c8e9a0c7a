"""One spelling for notations that come in many, as text, before the parser sees it."""
