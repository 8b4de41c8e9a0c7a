"""An explanation shows what was found, how it was read, and the grade that a run would have given."""

import pytest

from inference_kit.grader import GraderPool
from inference_kit.grader.explain import explain, show
from inference_kit.grader.reading.parse import parse


def _explain(gold: str, response: str) -> dict[str, str]:
    with GraderPool(workers=1) as pool:
        return {line.split()[0]: line.split(maxsplit=1)[1] for line in explain(pool, gold, response)}


def test_every_stage_is_shown_and_the_strict_candidate_is_marked() -> None:
    shown = _explain("5", r"First \boxed{5}, then \boxed{6}.")
    assert shown["boxes"] == "2"
    assert shown["candidate"] == "2 of 2: 6  (strict)"
    assert shown["gold"] == "5  read as 5"
    assert shown["lenient"].startswith("correct")
    assert shown["strict"] == "not correct"


def test_the_similarity_is_the_one_that_a_run_stores() -> None:
    assert _explain("(x+1)^2", r"\boxed{x^2+2x+1}")["similarity"] == "1.000"
    assert 0 < float(_explain("x^2+1", r"\boxed{x^2+2}")["similarity"]) < 1
    assert "similarity" not in _explain("5", "")


def test_a_long_text_is_cut_off_and_stays_on_its_line() -> None:
    shown = _explain("5", "\\boxed{" + "1+\n" * 300 + "1}")
    assert len(shown["answer"]) < 600 and "characters" in shown["answer"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1.50", "3/2 (a decimal of 3 digits)"),
        ("x+1", "add(x, 1)"),
        ("[1,2)", "[1, 2)"),
        (r"\{1,2\}", "set {1, 2}"),
        ("1 or 2", "list joined by 'or': 1; 2"),
        (r"\{x\mid x>2\}", "all x with x > 2"),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", "matrix 1, 2; 3, 4"),
        (r"5\text{ cm}", "5 in 'cm'"),
        ("101_2", "101 in base 2"),
        ("3:2", "ratio 3 : 2"),
        ("right angle", "text 'right angle'"),
        (r"\unknown{3}", r"not parsed '\\unknown{3}'"),
    ],
)
def test_what_an_answer_was_read_as_is_shown_with_its_type(text: str, shown: str) -> None:
    assert show(parse(text)) == shown
