"""Instructions and templates become prompts, and none of them runs away."""

from pathlib import Path
from typing import Any

import pytest

from inference_kit.errors import UserError
from inference_kit.records import Message
from inference_kit.transform.prompt import PromptTemplate, read_instruction

RECORD: dict[str, Any] = {"code": "x = 1", "price": 1.5, "tags": ["a", "b"], "two words": 2}


def fill(text: str, **about: Any) -> str:
    return PromptTemplate(text, **{"target": "code", **about}).fill(RECORD, RECORD["code"])[-1].content


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("Refactor.", "Refactor.\n\nx = 1"),
        ("Refactor:\n{{ code }}", "Refactor:\nx = 1"),
        ("{{ content }}!", "x = 1!"),
        ("{{ record.tags | join(',') }} {{ record['two words'] }}", "a,b 2"),
        ("{{ goal | default('tidy') }} {{ lang }}", "tidy python\n\nx = 1"),
        ("{% for tag in record.tags %}{{ loop.index }}{{ tag }}{% endfor %}", "1a2b"),
        ("{{ record.tags | tojson }}", '["a", "b"]'),
        ("a { b } % }", "a { b } % }\n\nx = 1"),
    ],
)
def test_a_template_is_filled_and_shows_the_field(template: str, filled: str) -> None:
    """XF-34."""
    assert fill(template, variables={"lang": "python"}) == filled


def test_the_field_stands_under_its_own_name_too() -> None:
    template = PromptTemplate("Answer {{ question }}", target="question", system="Be brief.")
    assert template.fill({"question": "why?"}, "why?") == (
        Message("system", "Be brief."),
        Message("user", "Answer why?"),
    )


@pytest.mark.parametrize(
    "template",
    ["\n{{ nothing }}", "\n{{ record.nothing }}", "\n{% if %}", "\n{{ code.__class__.__mro__ }}", "\n{{ 1 / 0 }}",
     "\n{{ ''.__class__ }}", "\n{{ code.nothing() }}", "\n{{ code + 1 }}", "\n{% include 'x' %}"],
)  # fmt: skip
def test_what_is_wrong_with_a_template_is_said_with_its_line(template: str) -> None:
    """XF-63."""
    with pytest.raises(UserError, match=r"prompt\.j2:2"):
        fill(template, name="prompt.j2")


@pytest.mark.parametrize(
    "template",
    ["{% for i in range(1000000000) %}{% endfor %}",
     "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}",
     "{{ 'a' * 10000000000 }}", "{{ 10000000000 * 'a' }}", "{{ 9 ** 9999999 }}", "{{ 'a'.center(10000000000) }}",
     "{{ 'a' | center(10000000000) }}", "{{ 'a' | indent(width=10000000000) }}",
     "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "{{ [0] * 100000000 }}", "{{ lipsum(1000000) }}"],
)  # fmt: skip
def test_a_template_that_does_not_end_is_refused(template: str) -> None:
    with pytest.raises(UserError):
        fill(template)


def test_an_instruction_is_a_file_where_one_is_there(tmp_path: Path) -> None:
    (tmp_path / "p.j2").write_text("Do {{ code }}.\n")
    assert read_instruction(str(tmp_path / "p.j2")) == ("Do {{ code }}.", str(tmp_path / "p.j2"))
    assert read_instruction("p.j2", base=tmp_path) == ("Do {{ code }}.", str(tmp_path / "p.j2"))
    assert read_instruction("Please tidy this up.") == ("Please tidy this up.", "")
    assert read_instruction("x" * 100_000) == ("x" * 100_000, "")


@pytest.mark.parametrize("given", ["missing.j2", "prompts/missing.txt", "", "  "])
def test_an_instruction_that_is_none_is_refused(given: str) -> None:
    """XF-63."""
    with pytest.raises(UserError):
        read_instruction(given)
