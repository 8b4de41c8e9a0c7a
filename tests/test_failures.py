"""What may fail in a run before it stops."""

import pytest

from inference_kit.errors import EngineError, NoRoom, PromptRefused, RunStopped, UserError
from inference_kit.failures import MOST_UNANSWERED, Failures, MaxFailures, generalize


@pytest.mark.parametrize(
    ("text", "most"), [("0", 0), ("20", 20), ("0.1", 30), ("10%", 30), ("1.0", 300), ("2.5%", 7), (".5", 150)]
)
def test_a_count_or_a_share_of_the_problems_may_fail(text: str, most: int) -> None:
    assert MaxFailures.read(text).count_of(300) == most


@pytest.mark.parametrize("text", ["", "-1", "1.5", "101%", "many", "1e3", "10 %%", "nan"])
def test_what_is_neither_a_count_nor_a_share_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="--max-failures: expected a count or a share of the problems"):
        MaxFailures.read(text)


def test_more_than_may_fail_is_one_too_many() -> None:
    failures = Failures(most=2)
    assert [bool(failures.count("HTTP 500")) for _ in range(3)] == [False, False, True]


def fail(failures: Failures, error: Exception, who: str = "engine") -> None:
    with failures.watch(who, object()):
        raise error


def test_dozens_that_fail_for_one_reason_stop_a_run_where_nothing_was_answered() -> None:
    """Times and numbers in a reason make no other of it, and a few other reasons may be among them."""
    failures = Failures(watches=True)
    for number in range(MOST_UNANSWERED - 1):
        with pytest.raises(EngineError):
            fail(failures, EngineError(f"HTTP 500: request {number}-af3; tried 11 times in {number}.5 s"))
    with pytest.raises(EngineError):
        fail(failures, EngineError("the connection broke"))
    with pytest.raises(RunStopped, match=f"{MOST_UNANSWERED} problems failed and nothing was answered .HTTP 500"):
        fail(failures, EngineError("HTTP 500: request 24-b; tried 11 times in 9.0 s"))


def test_who_has_answered_once_may_fail_as_often_as_it_may_be() -> None:
    failures = Failures(watches=True)
    with failures.watch("engine", object()):
        failures.note_answer("engine")
    for _ in range(2 * MOST_UNANSWERED):
        with pytest.raises(EngineError):
            fail(failures, EngineError("HTTP 500"))
    for _ in range(MOST_UNANSWERED - 1):
        with pytest.raises(EngineError):
            fail(failures, EngineError("HTTP 500"), "judge")
    with pytest.raises(RunStopped):  # somebody else, who has not
        fail(failures, EngineError("HTTP 500"), "judge")


def test_prompts_that_are_refused_at_once_stop_nothing_while_others_are_waited_for() -> None:
    failures = Failures(watches=True)
    with failures.watch("engine", object()):
        for _ in range(10 * MOST_UNANSWERED):
            with pytest.raises(EngineError):
                fail(failures, EngineError("HTTP 400: flagged"))


@pytest.mark.parametrize("error", [NoRoom("the prompt is too long"), UserError("no such model")])
def test_what_is_about_one_prompt_or_ends_the_run_anyway_is_not_counted(error: Exception) -> None:
    failures = Failures(watches=True)
    for _ in range(2 * MOST_UNANSWERED):
        with pytest.raises(type(error)):
            fail(failures, error)


def test_one_problem_counts_once() -> None:
    failures, asker = Failures(watches=True), object()
    for _ in range(2 * MOST_UNANSWERED):
        with pytest.raises(EngineError), failures.watch("judge", asker):
            raise EngineError("HTTP 500")


def test_a_reason_is_its_words_without_numbers() -> None:
    assert generalize("http://127.0.0.1:80: HTTP 500: req-7; tried 11 times in 4.2 s") == "HTTP tried times in s"


@pytest.mark.parametrize("error", [NoRoom("too long"), PromptRefused("HTTP 400: filtered")])
def test_what_is_wrong_with_prompts_alone_stops_nothing(error: EngineError) -> None:
    failures = Failures(watches=True)
    for _ in range(2 * MOST_UNANSWERED):
        with pytest.raises(type(error)):
            fail(failures, error)
