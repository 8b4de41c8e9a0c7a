"""JSON as the store writes it."""

import datetime
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_kit.store.atomic import ESCAPE
from inference_kit.store.encoding import decode, encode

texts = st.text(st.characters(exclude_categories=()))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=20)


def stored(value: Any) -> bytes:
    return encode(value).encode("utf-8", ESCAPE)


def healed(value: Any) -> Any:
    """What is read back: a high and a low surrogate side by side are the character they stand for."""
    return json.loads(json.dumps(value))


@given(values)
def test_every_value_makes_the_round_trip(value: Any) -> None:
    line = stored(value)
    assert b"\n" not in line
    assert decode(line) == healed(value)


@pytest.mark.parametrize("digits", [40, 4300, 4301, 5000, 20_000])
@pytest.mark.parametrize("sign", [1, -1])
def test_integers_of_any_length_make_the_round_trip(digits: int, sign: int) -> None:
    value = {"big": [sign * (10 ** (digits - 1) + 7)], "text": "é", "small": 3, "half": 0.5, "none": None, "yes": True}
    assert decode(stored(value)) == value


def test_text_is_not_escaped() -> None:
    assert encode({"a": "é\u2028数"}) == '{"a": "é\u2028数"}'


def test_what_is_no_number_becomes_null() -> None:
    value = {"a": [math.nan, math.inf, (-math.inf,)], "b": 1.5, "c": "NaN"}
    assert decode(stored(value)) == {"a": [None, None, [None]], "b": 1.5, "c": "NaN"}


def test_arrays_become_lists_and_dates_text() -> None:
    value = {"scores": np.array([0.5, 1.0]), "count": np.int64(3), "day": datetime.date(2024, 2, 29)}
    expected = {"scores": [0.5, 1.0], "count": 3, "day": "2024-02-29"}
    assert decode(stored(value)) == expected
    assert decode(stored(value | {"gap": np.array([math.nan])})) == expected | {"gap": [None]}


@pytest.mark.parametrize("line", [b"", b"{", b'{"a": "\xc3', b"[" * 100_000, b"\xff", b"{} {}", b"1" * 5000 + b"x"])
def test_what_cannot_be_read_is_a_value_error(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(line)
