"""One name for each unit, however it is written; what is no unit is not taken for one."""

import pytest

from inference_kit.grader.reading.latex import parse_latex
from inference_kit.grader.reading.units import is_known_unit, is_unit, name_unit
from inference_kit.grader.values import Apply, Measure, Sym, to_num


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("centimeters", "cm"),
        ("square centimeters", "cm^2"),
        ("sq. cm", "cm^2"),
        ("cubic feet", "ft^3"),
        ("meters per second", "m/s"),
        ("m / s", "m/s"),
        ("km/hr", "km/h"),
        ("Hours", "h"),
        ("red apples", "red apples"),
    ],
)
def test_a_unit_has_one_spelling(written: str, name: str) -> None:
    assert name_unit(written) == name


def test_words_of_mathematics_are_no_units() -> None:
    assert is_unit("miles")
    assert is_unit("apples")
    assert not any(map(is_unit, ("x", "sin", "frac", "mod", "and", "theta", "xy")))
    assert is_known_unit("cm")
    assert not is_known_unit("apples")


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("5 cm", "cm"),
        (r"5\text{ cm}^2", "cm^2"),
        (r"5\text{ m}/\text{s}^{-2}", "m/s^-2"),
        (r"5\text{ N}\cdot\text{m}", "N \\cdot m"),
        (r"5\text{ red apples}", "red apples"),
    ],
)
def test_a_unit_ends_where_mathematics_goes_on(text: str, unit: str) -> None:
    assert parse_latex(text) == Measure(to_num(5), name_unit(unit))
    assert parse_latex(f"{text} + 1") == Apply("add", (Measure(to_num(5), name_unit(unit)), to_num(1)))


def test_a_letter_is_a_factor_and_no_unit() -> None:
    assert parse_latex("5m") == Apply("mul", (to_num(5), Sym("m")))
