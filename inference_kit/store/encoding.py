"""JSON as the store writes and reads it: one value, one line.

Why: data sets and model text hold what plain `json` fails on, and finished work must not be lost to it.
Promises: text is not escaped. Integers of any length survive. NaN and infinities become null, arrays become lists, and
what has no JSON type (a date, say) becomes its text. Whatever cannot be read is a `ValueError`.
"""

import json
import math
from typing import Any

_DIGITS_AT_ONCE = 4000
"""Python refuses to convert integers of more than 4,300 digits in one go."""


def _convert(value: Any) -> Any:
    """Convert what JSON has no type for: arrays and tensors to numbers, anything else to text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_convert)


def encode(value: Any) -> str:
    """Write `value` as JSON without a line break."""
    try:
        return _ENCODER.encode(value)
    except ValueError:  # NaN, an infinity or a very long integer is somewhere inside
        return _encode_by_part(value)


def decode(line: bytes) -> Any:
    """Read what `encode` wrote, or any other JSON in UTF-8.

    Raises:
        ValueError: where it is no JSON; a `json.JSONDecodeError` or `UnicodeDecodeError` where a position is known.
    """
    text = line.decode("utf-8-sig")
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # a very long integer
        return json.loads(text, parse_int=_parse_integer)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _encode_by_part(value: Any) -> str:
    """Encode each part by itself, which is slower, so that only the parts that need it are converted."""
    match value:
        case dict():
            return "{" + ", ".join(f"{encode(str(key))}: {_encode_by_part(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_encode_by_part, value)) + "]"
        case float() if not math.isfinite(value):
            return "null"
        case int() if abs(value) >= 10**_DIGITS_AT_ONCE:
            return _format_integer(value)
        case str() | int() | float() | None:
            return _ENCODER.encode(value)
    return _encode_by_part(_convert(value))


def _format_integer(value: int) -> str:
    """Format an integer of any length, piece by piece from its last digits on."""
    sign, rest, pieces = "-" if value < 0 else "", abs(value), list[str]()
    while rest:
        rest, piece = divmod(rest, 10**_DIGITS_AT_ONCE)
        pieces.append(f"{piece:0{_DIGITS_AT_ONCE}}")
    return sign + "".join(reversed(pieces)).lstrip("0")


def _parse_integer(digits: str) -> int:
    """Parse an integer of any length, piece by piece: value = value * 10**len(piece) + piece."""
    value, unsigned = 0, digits.removeprefix("-")
    for start in range(0, len(unsigned), _DIGITS_AT_ONCE):
        piece = unsigned[start : start + _DIGITS_AT_ONCE]
        value = value * 10 ** len(piece) + int(piece)
    return -value if digits.startswith("-") else value
