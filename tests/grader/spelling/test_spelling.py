"""What the notations of packages, schools and countries are written as; what is none of them stays as it is."""

import pytest

from inference_kit.grader.spelling.compound import write_compound
from inference_kit.grader.spelling.counting import write_counts
from inference_kit.grader.spelling.currencies import name_currencies
from inference_kit.grader.spelling.moduli import write_moduli
from inference_kit.grader.spelling.qualifiers import write_qualifiers
from inference_kit.grader.spelling.siunitx import write_quantities


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("8C4", r"\binom{8}{4}"),
        (r"3 \cdot {}^5C_2", r"3 \cdot \binom{5}{2}"),
        (r"\mathrm{C}_8^4", r"\binom{8}{4}"),
        ("C_n^2", r"\binom{n}{2}"),
        ("A_5^3", r"\frac{(5)!}{(5-3)!}"),
        ("C_1^2 + C_2", "C_1^2 + C_2"),
        ("x^2C_4", "x^2C_4"),
        ("BC_2^3", "BC_2^3"),
        ("4C8", "4C8"),
    ],
)
def test_combinations_are_binomials(text: str, written: str) -> None:
    assert write_counts(text) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (r"\$1,250.50", r"1,250.50 \text{ dollar }"),
        ("$5 per hour", r"5 \text{ dollar } per hour"),
        ("€5, €7", r"5 \text{ euro }, 7 \text{ euro }"),
        ("12 €", r"12 \text{ euro }"),
        (r"\$7.57M", r"7.57 million \text{ dollar }"),
        ("¥5", r"5 \text{ yuanoryen }"),
        ("$x+1$", "x+1"),
        ("$5x+3", "5x+3"),
    ],
)
def test_a_price_has_its_currency_as_a_unit(text: str, written: str) -> None:
    assert name_currencies(text) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (r"5 (mod 12)", r"5 \pmod{12}"),
        (r"5\ (\text{mod } 12)", r"5\ \pmod{12}"),
        (r"5 \text{ (mod 12)}", r"5 \pmod{12}"),
        (r"17 \bmod 5", r"17 \bmod 5"),
        (r"\text{model}", r"\text{model}"),
    ],
)
def test_a_modulus_has_one_spelling(text: str, written: str) -> None:
    assert write_moduli(text) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (r"\SI{7.2}{\kilo\metre\per\hour}", r"7.2 \text{ kilometre per hour }"),
        (r"\qty[mode=text]{3}{m.s^{-1}}", r"3 \text{ m s^{-1} }"),
        (r"\ang{30}", r"30^\circ "),
        (r"\num{7}", "7"),
        (r"\degree C", r"\degree C"),
        (r"\size{7}{8}", r"\size{7}{8}"),
    ],
)
def test_quantities_of_siunitx_are_numbers_with_text(text: str, written: str) -> None:
    assert write_quantities(text) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (r"n^2+1 \quad (n \ge 1)", r"n^2+1, n \ge 1"),
        (r"3x \text{ for all } x", "3x"),
        (r"k\pi \text{ where } k \text{ is an integer}", r"k\pi, k \in \mathbb{Z}"),
        (r"5 \text{ for any integer } k", "5"),
        (r"P(X > 3)", "P(X > 3)"),
        ("5 for the second part", "5 for the second part"),
        ("for all x", "for all x"),
    ],
)
def test_a_qualifier_stands_behind_a_comma(text: str, written: str) -> None:
    assert write_qualifiers(text) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2 hours 30 minutes", r"\frac{150}{60}\text{ hour }"),
        (r"5\text{ ft } 3\text{ in}", r"\frac{63}{12}\text{ foot }"),
        ("2 hours 75 minutes", "2 hours 75 minutes"),
        ("2 hours 30 seconds", "2 hours 30 seconds"),
    ],
)
def test_a_quantity_in_two_units_is_one_in_the_larger(text: str, written: str) -> None:
    assert write_compound(text) == written


@pytest.mark.parametrize(
    "write", [write_counts, name_currencies, write_moduli, write_quantities, write_qualifiers, write_compound]
)
def test_hostile_texts_are_written_in_linear_time(write: object) -> None:
    assert callable(write)
    for piece in ("C_{", "(mod ", "$1,", r"\SI{", "^{8", "8C", r"\text{ mod", "{}^", r"\qty[", "($", "(x<", "for all "):
        assert isinstance(write(piece * 2000), str)
