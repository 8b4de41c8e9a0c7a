"""Signs of Unicode become LaTeX, so that the parser knows one form only."""

import pytest

from inference_kit.grader.reading.normalize import to_latex


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("x²", "x^{2}"),
        ("x⁻¹", "x^{-1}"),
        ("a₁₂", "a_{12}"),
        ("½", r"\frac{1}{2}"),
        ("√2", r"\sqrt{2}"),
        ("∛8", r"\sqrt[3]{8}"),
        ("√(x)", r"\sqrt(x)"),
        ("−７", "-7"),
        ("2×3", r"2\times 3"),
        ("（1，2）", "(1,2)"),
        ("x ≤ 2", r"x \le  2"),
        ("90°", r"90^\circ "),
        ("α", r"\alpha "),
        ("1\u200b2", "12"),
        ("٤٢", "42"),
        ("plain", "plain"),
    ],
)
def test_a_sign_has_one_form(text: str, latex: str) -> None:
    assert to_latex(text) == latex
