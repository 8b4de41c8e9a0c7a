r"""Combinations and permutations, as binomials and quotients of factorials: `{}^8C_4`, `C_8^4`, `8C4`, `8P4`.

Why: each school writes them differently, and most of the ways look like a product with an index.
Promises: linear; of two numbers the larger is what is chosen from; letters only where one of them is an n.
"""

import re


def _argument(name: str) -> str:
    """Return a pattern for a number or letter, in braces or alone."""
    return rf"\s*(?:\{{\s*(?P<{name}>[\w+\- ]{{1,12}})\s*\}}|(?P<{name}_alone>\w))"


LETTER = r"(?:\\(?:text|mathrm|operatorname|mathbf|rm)\s*\{\s*(?P<letter>[CPA])\s*\}|(?P<letter_alone>[CPA]))\s*"
START = r"(?<![A-Za-z0-9)}\]\\])"
AROUND = re.compile(rf"(?:\{{\s*\}}|{START})\s*[\^_]{_argument('a')}\s*{LETTER}_{_argument('b')}")
BEHIND = re.compile(
    rf"{START}{LETTER}(?:_{_argument('a')}\s*\^{_argument('b')}|\^{_argument('c')}\s*_{_argument('d')})(?!\w)"
)
BETWEEN = re.compile(
    r"(?<![\w.])(?P<a>\d{1,4})(?:(?:\s|\\,)?(?P<letter>[CP])(?:\s|\\,)?|\s*\\(?:text|mathrm)\s*\{\s*(?P<upright>[CP])\s*\}\s*)"
    r"(?P<b>\d{1,4})(?![\w.])"
)
OF_N = re.compile(r"(?<![\w.\\{^])n\s?C\s?([kr]|\d{1,3})(?![\w(])")
CHOOSE = re.compile(r"(?<![\w.])(\d{1,4}|[a-z])\s+(?:\\text\{\s*)?choose(?:\s*\})?\s+(\d{1,4}|[a-z])(?!\w)")
CALLED = re.compile(r"(?:\\(?:text|mathrm|operatorname)\{n([CP])r\}|\bn([CP])r)\s*\(\s*(\d{1,4})\s*,\s*(\d{1,4})\s*\)")


def write_counts(text: str) -> str:
    """Write combinations as binomials, permutations as quotients of factorials."""
    text = CHOOSE.sub(r"\\binom{\1}{\2}", text)
    text = CALLED.sub(lambda found: _write(found.group(1) or found.group(2), found.group(3), found.group(4)), text)
    text = AROUND.sub(lambda found: _choose(found, "a", "b"), text)
    text = BEHIND.sub(lambda found: _choose(found, *(("a", "b") if _read(found, "a") else ("c", "d"))), text)
    return BETWEEN.sub(_write_between, OF_N.sub(r"\\binom{n}{\1}", text))


def _read(found: re.Match[str], name: str) -> str:
    return (found[name] or found[f"{name}_alone"] or "").strip()


def _write_between(found: re.Match[str]) -> str:
    top, bottom = found["a"], found["b"]
    return _write(found["letter"] or found["upright"], top, bottom) if int(top) >= int(bottom) else found.group()


def _choose(found: re.Match[str], first: str, second: str) -> str:
    """Write what is counted, where it is clear which number is chosen from which."""
    letter, (a, b) = _read(found, "letter"), (_read(found, first), _read(found, second))
    if a.isdigit() and b.isdigit():
        if int(a) < int(b) and first == "a":  # C_1^2 may be the square of a constant
            return found.group()
        return _write(letter, *((a, b) if int(a) >= int(b) else (b, a)))
    if letter == "C" and ("n" in a or "n" in b):
        return _write(letter, *((a, b) if "n" in a else (b, a)))
    return found.group()


def _write(letter: str, total: str, chosen: str) -> str:
    if letter == "C":
        return f"\\binom{{{total}}}{{{chosen}}}"
    return f"\\frac{{({total})!}}{{({total}-{chosen})!}}"
