"""Refusals: what a server says is wrong, and how long it wants to be left alone."""

import json
from email.utils import formatdate
from typing import Any

import pytest

from inference_kit.models.http.refusals import read_refusal

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("content", "message", "code"),
    [
        ({"error": {"message": "too long", "code": "context"}}, "too long", "context"),
        ({"message": "no such model", "code": 404}, "no such model", "404"),
        ({"detail": "bad n"}, "bad n", ""),
        ({"other": 1}, '{"other": 1}', ""),
        ("plain\nwords", "plain words", ""),
        ("", "", ""),
    ],
)
def test_the_message_is_found_where_servers_put_it(content: Any, message: str, code: str) -> None:
    refusal = read_refusal(400, {}, content if isinstance(content, str) else json.dumps(content))
    assert (refusal.message, refusal.code) == (message, code)
    assert str(refusal) == (f"HTTP 400: {message}" if message else "HTTP 400")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0.0),
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after-ms": "250", "Retry-After": "7"}, 0.25),
        ({"Retry-After": formatdate(NOW + 60, usegmt=True)}, 60.0),
        ({"Retry-After": "soon"}, 0.0),
        ({"Retry-After": "-5"}, 0.0),
    ],
)
def test_how_long_to_wait_is_read_in_seconds_or_a_date(
    headers: dict[str, str], seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference_kit.models.http.refusals.time.time", lambda: NOW)
    assert read_refusal(503, headers, "").wait_seconds == seconds


def test_what_must_not_be_shown_is_hidden_before_the_message_is_cut() -> None:
    refusal = read_refusal(401, {}, "x" * 298 + "secret", hide=lambda text: text.replace("secret", "***"))
    assert refusal.message == "x" * 298 + "***"[:2] + "..."
