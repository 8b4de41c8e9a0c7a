"""A value is simplified to the same answer in the form that rules know."""

import pytest

from inference_kit.grader.comparing.simplifying import simplify
from inference_kit.grader.reading.latex import parse_latex
from inference_kit.grader.values import Apply, Measure, to_num


@pytest.mark.parametrize(
    ("text", "simpler"),
    [
        ("(5)", "5"),
        ("2+3=5", "5"),
        (r"\sqrt7\approx 2.65", r"\sqrt7"),
        ("2+2=4, 4+4=8", "8"),  # steps of a calculation: the last has the answer
        ("(1),(2)", "1,2"),
        (r"-\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}-1\\-2\end{pmatrix}"),
    ],
)
def test_a_value_is_simplified(text: str, simpler: str) -> None:
    assert simplify(parse_latex(text)) == parse_latex(simpler)


@pytest.mark.parametrize("text", ["5", "x=5", "2x=4", "x=1, y=2", "(1,2)", "x>2", r"\{5\}", "3+4"])
def test_what_means_more_than_its_value_stays_as_it_is(text: str) -> None:
    value = parse_latex(text)
    assert simplify(value) == value


def test_a_unit_of_percent_or_degrees_is_a_sign() -> None:
    assert simplify(Measure(to_num(50), "percent")) == Apply("percent", (to_num(50),))
    assert simplify(Measure(to_num(90), "degree")) == Apply("degree", (to_num(90),))
    assert simplify(Measure(to_num(5), "cm")) == Measure(to_num(5), "cm")
