"""Indices: which of them name the same problem."""

import pytest

from inference_kit.records.indices import canonical_index


@pytest.mark.parametrize(("index", "canonical"), [(7, 7), ("7", 7), ("7.0", 7), ("-3", -3), ("0", 0), (10**30, 10**30)])
def test_a_number_is_one_index_however_it_is_written(index: int | str, canonical: int) -> None:
    assert canonical_index(index) == canonical


@pytest.mark.parametrize("index", ["007", "7.5", "x7", "-0", "1e3", "", "٣", "9" * 5000])
def test_what_is_no_plain_number_is_a_name(index: str) -> None:
    assert canonical_index(index) == index
