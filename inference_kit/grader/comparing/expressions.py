"""Rules for what is left: expressions, and mathematics that our parser does not know.

Why: most expressions are decided in microseconds; the rest is for whoever can prove it.
Promises: symmetric; nothing is handed to a foreign parser that is too long or no mathematics at all.
"""

from inference_kit.grader.comparing.rules import Rules
from inference_kit.grader.proving.equality import prove_equal
from inference_kit.grader.reading.parse import COMMAND
from inference_kit.grader.reading.tokens import MOST_CHARACTERS
from inference_kit.grader.values import Unparsed, Value, contains, is_expression
from inference_kit.grader.verdicts import NO, UNKNOWN, Verdict

SET_OPERATIONS = ("union", "intersection", "difference")


def compare_expressions(rules: Rules, a: Value, b: Value) -> Verdict | None:
    """Compare numbers, symbols and operations by their values."""
    if not (is_expression(a) and is_expression(b)):
        return None
    if contains(a, *SET_OPERATIONS) or contains(b, *SET_OPERATIONS):
        return NO
    verdict = prove_equal(a, b)
    return rules.prove(a, b, "equal") if verdict is UNKNOWN else verdict


def compare_unparsed(rules: Rules, a: Value, b: Value) -> Verdict | None:
    """Compare where our parser does not know a side: only another one can tell."""
    texts = [value.text for value in (a, b) if isinstance(value, Unparsed)]
    if not texts:
        return None
    may_be_known = all(len(text) <= MOST_CHARACTERS and _is_mathematics(text) for text in texts)
    return rules.prove(a, b, "equal") if may_be_known else NO


def _is_mathematics(text: str) -> bool:
    """Say whether a text has commands, and something that they are about."""
    return COMMAND.search(text) is not None and any(sign.isalnum() for sign in COMMAND.sub("", text))
