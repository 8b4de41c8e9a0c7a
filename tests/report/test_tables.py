"""Tables and numbers, as people read them."""

from inference_kit.report.tables import (
    ACCURACY_HEADERS,
    build_accuracy_row,
    format_accuracies,
    format_interval,
    format_percent,
    format_table,
)


def test_the_first_columns_are_aligned_left_and_the_others_right() -> None:
    assert format_table(("name", "n"), [["a", "10"], ["bcdef", "2"]]).splitlines() == [
        "name    n",
        "-----  --",
        "a      10",
        "bcdef   2",
    ]
    assert format_table(("a", "b"), [["1", "2"]], left=2).splitlines()[-1] == "1  2"


def test_what_is_unknown_is_a_dash() -> None:
    assert (format_percent(0.5), format_percent(None)) == ("50.0 %", "-")
    assert (format_interval((0.25, 0.5)), format_interval(None)) == ("[25.0, 50.0]", "-")


def test_a_row_has_what_the_headers_name_and_counts_cached_tokens() -> None:
    metrics = {"accuracy": 0.5, "ci95": [0.1, 0.9], "correct": 1, "total": 2, "failed": 0}
    row = build_accuracy_row("best_of_n", metrics | {"generated_tokens": 1000, "cached_tokens": 1001})
    assert row == ["best_of_n", "50.0 %", "[10.0, 90.0]", "1/2", "0", "1,000"]
    assert len(row) == len(ACCURACY_HEADERS)


def test_a_data_set_s_own_metrics_are_columns_of_their_own() -> None:
    """Issue 12."""
    house = {"accuracy": 0.5, "ci95": None, "correct": 1, "total": 4, "graded": 2, "failed": 0}
    house |= {"generated_tokens": 8, "cached_tokens": 0}
    own = house | {
        "shouted": 3,
        "loudness": 0.123456,
        "accuracy": 0.25,
        "own_metrics": ["shouted", "loudness", "accuracy"],
    }
    header, _, first, second, third = format_accuracies([("a", own), ("b", house)], [["c", *5 * [""]]]).splitlines()
    assert header.split()[-2:] == ["shouted", "loudness"]
    assert first.split() == ["a", "25.0", "%", "-", "1/2", "0", "2", "3", "0.1235"]
    assert second.split()[-2:] == ["-", "-"]
    assert third.split() == ["c"]
