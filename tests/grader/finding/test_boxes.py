"""Boxes are found in every way they are written, each once, the last one last."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_kit.grader.finding.boxes import LONGEST_UNCLOSED, find_boxes


@pytest.mark.parametrize(
    ("text", "boxes"),
    [
        ("", []),
        ("no box here", []),
        ("5 boxes {of 3} ox", []),
        (r"3 oxen } in {boxes} make \framebox{7} then \boxed{8}", ["7", "8"]),
        (r"\boxed{42}", ["42"]),
        (r"\boxed {42}", ["42"]),
        (r"\\boxed{42}", ["42"]),
        (r"\fbox{42} or maybe \framebox{43}", ["42", "43"]),
        (r"\boxed{\frac{1}{2}}", [r"\frac{1}{2}"]),
        (r"\boxed{\{1,2\}}", [r"\{1,2\}"]),
        (r"\boxed{\boxed{42}}", [r"\boxed{42}"]),
        (r"\boxed 42", ["42"]),
        (r"\boxed{}", []),
        (r"\boxed{ }", []),
        (r"\boxed{1} then \boxed{2} then \boxed{1}", ["2", "1"]),
        (r"}} \boxed{42}", ["42"]),
        (r"{ \boxed{42}", ["42"]),
    ],
)
def test_the_outermost_boxes_in_order(text: str, boxes: list[str]) -> None:
    assert find_boxes(text) == boxes


@pytest.mark.parametrize(
    ("text", "box"),
    [
        (r"\boxed{42", "42"),
        (r"\boxed{42$ and so on", "42"),
        ("\\boxed{42\nand so on", "42"),
        (r"\boxed{\frac{1}{2}", r"\frac{1}{2}"),
        (r"\boxed{1} and \boxed{2", "2"),
    ],
)
def test_a_box_that_is_never_closed_reaches_to_the_end_of_its_line(text: str, box: str) -> None:
    assert find_boxes(text)[-1] == box or find_boxes(text)[-1].endswith(f", {box}")


def test_a_box_that_is_never_closed_has_a_longest_content() -> None:
    assert len(find_boxes("\\boxed{" + "x" * 10_000)[0]) == LONGEST_UNCLOSED


@pytest.mark.parametrize(
    "between", [",", " and ", ", and ", "$ and $", r"$, \text{ and } $", "、", " 和 ", r",\quad ", " "]
)
def test_boxes_side_by_side_are_one_list_beside_the_single_ones(between: str) -> None:
    assert find_boxes(rf"\boxed{{1}}{between}\boxed{{2}}") == ["1", "2", "1, 2"]


@pytest.mark.parametrize("between", [" then ", "; or maybe ", " = ", "x", " " * 100])
def test_boxes_with_words_between_them_are_no_list(between: str) -> None:
    assert find_boxes(rf"\boxed{{1}}{between}\boxed{{2}}") == ["1", "2"]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.from_regex(r"[a-z0-9+]{1,5}", fullmatch=True), min_size=1, max_size=5))
def test_what_is_put_into_boxes_is_found_in_them(contents: list[str]) -> None:
    found = find_boxes(" so ".join(rf"$\boxed{{{content}}}$" for content in contents))
    assert set(found) == set(contents)
    assert found[-1] == contents[-1]
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    "piece", [r"\boxed{", "{", "}", r"\boxed", r"\boxed{a}", r"\boxed{a} and ", "box ", r"\{", "\\"]
)
def test_the_time_grows_with_the_length_of_the_text_only(piece: str) -> None:
    started = time.process_time()
    find_boxes("box " + piece * (50_000 // len(piece)))
    assert time.process_time() - started < 0.5
