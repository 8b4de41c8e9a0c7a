"""Retries: how long to wait before the next try, and when there is none."""

import random

from inference_kit.models.http.retries import LONGEST_WAIT_SECONDS, TIMEOUT_WEIGHT, Failure, Retries
from inference_kit.models.http.session import ServerSettings


def waits(failure: Failure, settings: ServerSettings) -> list[float]:
    """What is waited until the request is given up, at most 50 times."""
    retries, found = Retries(settings, random.Random(0)), list[float]()
    while len(found) < 50 and (wait := retries.next_wait(failure)) is not None:
        found.append(wait)
    return found


def test_waits_double_up_to_a_limit_with_jitter() -> None:
    found = waits(Failure("it broke"), ServerSettings(max_retries=8, retry_seconds=0.25))
    assert len(found) == 8
    for number, wait in enumerate(found):
        whole = min(LONGEST_WAIT_SECONDS, 0.25 * 2**number)
        assert whole / 2 <= wait <= whole


def test_a_timeout_counts_as_several_failures() -> None:
    assert len(waits(Failure("no answer", weight=TIMEOUT_WEIGHT), ServerSettings(max_retries=10))) == 2


def test_a_throttled_request_waits_as_long_as_it_is_told_and_fails_by_time_alone() -> None:
    found = waits(Failure("busy", throttled=True, wait_seconds=30.0), ServerSettings(max_retries=0))
    assert all(30.0 <= wait <= 37.5 for wait in found)
    assert 8 <= len(found) <= 10


def test_how_often_it_was_tried_is_told() -> None:
    retries = Retries(ServerSettings(), random.Random(0))
    retries.next_wait(Failure("it broke"))
    assert str(retries) == "tried once"
    retries.next_wait(Failure("it broke"))
    assert str(retries).startswith("tried 2 times in 0.")
