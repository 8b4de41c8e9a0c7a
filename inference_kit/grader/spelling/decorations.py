r"""What stands around an answer and is no part of it: labels, marks, adverbs, environments.

Why: `→ 81`, `the point (2, 5)`, `81 \checkmark` and `\begin{align*}81\end{align*}` are answers with something around.
Promises: linear; each call takes off one layer.
"""

import re

LABEL = re.compile(
    r"^(?:\\text\s*\{\s*)?(?:the\s+)?(?:points?|vectors?|(?:open |closed |half-open )?intervals?|sets?|pairs?"
    r"|ordered (?:pairs?|triples?))\s*\}?\s*(?=\(|\[|\\\{|\\left|\\langle|[A-Z](?:_\d)?\s*\()",
    re.IGNORECASE,
)
"""What an answer is called, before one that is nothing else."""

STARTING = re.compile(
    r"^(?:[=:✅✔✓]|\\ |#+\s*(?=\d)"
    r"|\\(?:approx|therefore|to|q?quad|(?:[Rr]ight|[Ll]ongright)arrow|implies)(?![A-Za-z]))\s*"
)
"""Signs that lead to an answer and are no part of it."""

ADVERB = re.compile(r"(?<=[\d}])\s*(?:\\text\s*\{\s*)?\(?(?:exactly|only|in total|in all|altogether)\)?\s*\}?$")
ENVIRONMENT = re.compile(
    r"\\begin\{(?P<name>(?:align|aligned|gather|equation|split|displaymath)\*?)\}(?P<inside>.*)\\end\{(?P=name)\}",
    re.DOTALL,
)
NEXT_STEP = re.compile(r"\\\\\s*&?\s*=")
"""Where a calculation goes on in the next line."""

ENDING = re.compile(
    r"(?:\\(?:blacksquare|square|Box|qed|checkmark)|[✓✔☑✅∎■□]"
    r"|\\(?:tag\*?|label)\s*\{[^{}]{0,40}\}|\\text\s*\{[\s.,;!]{1,5}\})\s*$"
)
"""Signs that a proof is at its end, marks and numbers of formulas, punctuation as text."""

ABOUT = re.compile(
    r"(?:\\text\s*\{\s*)?\b(?:about|approximately|approx\.?|roughly|around|exactly|only|just)\s*(?:\}|(?=\s))\s*",
    re.IGNORECASE,
)


def drop_marks(text: str) -> str:
    """Take off what leads to an answer and what follows it."""
    if text[:1].isdigit() and text[-1:].isdigit():  # nothing of either kind
        return text
    text = ABOUT.sub("", text, count=1) if ABOUT.match(text) else text
    text = ENDING.sub("", LABEL.sub("", text, count=1))
    return STARTING.sub("", ADVERB.sub("", text))


def unwrap_environment(text: str) -> str | None:
    """Return the one line, or the steps of a calculation, that an environment around all holds; None for another."""
    environment = ENVIRONMENT.fullmatch(text)
    if environment is None:
        return None
    line = NEXT_STEP.sub(" =", environment["inside"]).replace("&", "")
    return None if r"\\" in line else line
