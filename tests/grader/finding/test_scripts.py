"""Digits of every script are written in ASCII, place by place."""

import pytest

from inference_kit.grader.finding.scripts import write_plainly


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("42", "42"), ("４２", "42"), ("（４）", "(4)"), ("٤٢", "42"), ("۴۲", "42"), ("४२", "42"), ("৪২", "42"),
        ("๔๒", "42"), ("௪௨", "42"), ("３．５", "3.5"), ("５８．", "58．"), ("٣٫٥", "3.5"), ("Ｂ", "B"),
        ("是４，", "是4，"),
    ],
)  # fmt: skip
def test_digits_and_signs(text: str, plain: str) -> None:
    assert write_plainly(text) == plain
    assert len(plain) == len(text)
