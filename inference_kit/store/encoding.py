"""JSON as the store writes and reads it: one value, one line.

Why: data sets and model text hold what plain `json` stumbles over, and finished work must not be lost to it.
Promises: text is not escaped, integers of any length survive, NaN and infinities become null, arrays become lists,
what JSON has no word for (a date, say) becomes its text, and whatever cannot be read is a `ValueError`.
"""

import json
import math
from typing import Any

_DIGITS_AT_ONCE = 4000
"""Python refuses to convert integers of more than 4,300 digits in one go."""


def _stand_in(value: Any) -> Any:
    """Numbers for a scalar, array or tensor of numpy or torch, text for anything else."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_stand_in)


def encode(value: Any) -> str:
    """Write `value` as JSON without a line break."""
    try:
        return _ENCODER.encode(value)
    except ValueError:  # NaN, an infinity or a very long integer is somewhere inside
        return _encode_by_part(value)


def decode(line: bytes) -> Any:
    """Read what `encode` wrote, or any other JSON in UTF-8.

    Raises:
        ValueError: `json.JSONDecodeError` or `UnicodeDecodeError`, as far as they have a place to tell.
    """
    text = line.decode("utf-8-sig")
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # a very long integer
        return json.loads(text, parse_int=_integer)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _encode_by_part(value: Any) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{encode(str(key))}: {_encode_by_part(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_encode_by_part, value)) + "]"
        case float() if not math.isfinite(value):
            return "null"
        case int() if abs(value) >= 10**_DIGITS_AT_ONCE:
            return _digits(value)
        case str() | int() | float() | None:
            return _ENCODER.encode(value)
    return _encode_by_part(_stand_in(value))


def _digits(value: int) -> str:
    sign, rest, pieces = "-" if value < 0 else "", abs(value), list[str]()
    while rest:
        rest, piece = divmod(rest, 10**_DIGITS_AT_ONCE)
        pieces.append(f"{piece:0{_DIGITS_AT_ONCE}}")
    return sign + "".join(reversed(pieces)).lstrip("0")


def _integer(digits: str) -> int:
    value, unsigned = 0, digits.removeprefix("-")
    for start in range(0, len(unsigned), _DIGITS_AT_ONCE):
        piece = unsigned[start : start + _DIGITS_AT_ONCE]
        value = value * 10 ** len(piece) + int(piece)
    return -value if digits.startswith("-") else value
