"""The rule for words: a text equals what can be read as the same words.

Why: `no` may have been read as a product of two letters, `twelve` and `12` name one number, `20:34` and `8:34 p.m.` one
time of day.
Promises: symmetric; a text never equals what has no words.
"""

from inference_kit.grader.comparing.rules import Rules
from inference_kit.grader.values import Apply, Num, Ratio, Sym, Text, Value
from inference_kit.grader.verdicts import Verdict, decide
from inference_kit.grader.vocabulary import NUMBER_WORDS


def compare_words(rules: Rules, a: Value, b: Value) -> Verdict | None:
    """Compare where at least one side is a text."""
    if not (isinstance(a, Text) or isinstance(b, Text)):
        return None
    words = _read_words(a)
    return decide(words is not None and words == _read_words(b))


def _read_words(value: Value) -> str | None:
    """Return a value as words without space: a text, letters side by side (`no`, `DNE`), a number, a time of day."""
    match value:
        case Text(words):
            return words.replace(" ", "")
        case Sym(name):
            return name.lower()
        case Apply("mul", args):
            letters = [argument.name for argument in args if isinstance(argument, Sym)]
            return "".join(letters).lower() if len(letters) == len(args) else None
        case Ratio(parts):
            numbers = [str(part.value) for part in parts if isinstance(part, Num)]
            # A time of day has two digits in all parts but the first: 8:05.
            time = ":".join(numbers[:1] + [part.zfill(2) for part in numbers[1:]])
            return time if len(numbers) == len(parts) else None
        case Num(amount):
            return next((word for word, count in NUMBER_WORDS.items() if count == amount), None)
    return None
