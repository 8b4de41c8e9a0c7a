r"""The commands of siunitx, as numbers and text: `\SI{7.2}{\metre\per\second}` is `7.2\text{ metre per second}`.

Why: a unit that is written by a package is a unit like any other.
Promises: linear; braces inside an argument one level deep; what is no command of siunitx stays as it is.
"""

import re

ARGUMENT = r"\{((?:[^{}]|\{[^{}]*\}){0,120})\}"
OPTIONS = r"(?:\[[^\]]{0,80}\])?"
QUANTITY = re.compile(rf"\\(?:SI|qty){OPTIONS}\s*{ARGUMENT}\s*{ARGUMENT}")
UNIT = re.compile(rf"\\(?:si|unit){OPTIONS}\s*{ARGUMENT}")
NUMBER = re.compile(rf"\\num{OPTIONS}\s*{ARGUMENT}")
ANGLE = re.compile(rf"\\ang{OPTIONS}\s*\{{\s*(-?[\d.]{{1,20}})\s*\}}")
DEGREE = re.compile(r"\\(?:degree|textdegree|deg)(?![A-Za-z])(?!\s*[\\({A-Za-z\d])")
CELSIUS = re.compile(r"\\(?:degreeCelsius|celsius|textcelsius)(?![A-Za-z])")
PREFIXES = "nano micro milli centi deci hecto kilo mega giga"
PREFIX = re.compile(rf"\\({'|'.join(PREFIXES.split())})\s*\\")


def write_quantities(text: str) -> str:
    """Write quantities, units, numbers and angles of siunitx as numbers with text behind them."""
    text = QUANTITY.sub(lambda found: f"{found.group(1)} \\text{{ {_name(found.group(2))} }}", text)
    text = UNIT.sub(lambda found: f"\\text{{ {_name(found.group(1))} }}", text)
    text = NUMBER.sub(r"\1", text)
    text = ANGLE.sub(r"\1^\\circ ", text)
    return DEGREE.sub(r"^\\circ ", CELSIUS.sub(r"^\\circ C", text))


def _name(unit: str) -> str:
    """Return a unit in words or symbols: `\\kilo\\metre\\per\\second\\squared` is `kilometre per second squared`."""
    if (celsius := CELSIUS.search(unit)) is not None:
        return unit[: celsius.start()] + "celsius"
    plain = PREFIX.sub(r" \1", unit).replace(r"\percent", " percent").replace(".", " ").replace("~", " ")
    return " ".join(plain.replace("\\", " ").split())
