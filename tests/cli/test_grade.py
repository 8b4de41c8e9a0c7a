"""`grade`: one line out for each line in, and one pair explained."""

import json
from pathlib import Path

import pytest

from inference_kit.cli import main
from inference_kit.setup.registries import Registries

REGISTRIES = Registries({}, {}, {}, Path())


def _write(path: Path, *lines: object) -> str:
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return str(path)


def test_each_line_gets_one_in_the_same_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Results of any other program are graded."""
    file = _write(
        tmp_path / "lines.jsonl",
        {"id": "b", "gold": "1/2", "response": r"So \boxed{0.5}."},
        {"id": 7, "gold": ["3", "4"], "response": "The answer is 5."},
        {"id": 8, "gold": 12, "response": "12"},
    )
    assert main(["grade", file], REGISTRIES) == 0
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert shown == [
        {"id": "b", "correct": True, "extracted": "0.5", "method": "number"},
        {"id": 7, "correct": False, "extracted": "5", "method": "number"},
        {"id": 8, "correct": True, "extracted": "12", "method": "string"},
    ]


def test_the_accuracy_of_the_file_is_on_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Issue 12: also where the file begins with a byte order mark."""
    lines = [json.dumps({"id": number, "gold": "4", "response": str(number)}) for number in range(8)]
    file = tmp_path / "lines.jsonl"
    file.write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8", newline="")
    assert main(["grade", str(file), "--output", str(tmp_path / "grades.jsonl")], REGISTRIES) == 0
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", "1/8 correct, accuracy 12.5 %\n")
    assert main(["grade", _write(tmp_path / "none.jsonl")], REGISTRIES) == 0
    assert capsys.readouterr().err == "0/0 correct, accuracy -\n"


def test_a_response_that_is_null_is_an_answer_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = _write(tmp_path / "lines.jsonl", {"id": 1, "gold": "5", "response": None})
    assert main(["grade", file], REGISTRIES) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == {"id": 1, "correct": False, "extracted": None, "method": "no_answer"}


def test_a_gold_answer_that_is_null_is_equal_to_nothing_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Issue 13."""
    lines = ({"id": number, "gold": gold, "response": "5"} for number, gold in enumerate(("5", None)))
    assert main(["grade", _write(tmp_path / "lines.jsonl", *lines)], REGISTRIES) == 0
    output = capsys.readouterr()
    shown = json.loads(output.out.splitlines()[1])
    assert shown == {"id": 1, "correct": False, "extracted": "5", "method": "no_gold"}
    assert output.err == "1/2 correct, accuracy 50.0 %; 1 without a gold answer count as not correct\n"


def test_a_line_may_say_its_kind_and_its_choices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Issue 13."""
    choices = ["3/8", 0.5, "green"]
    file = _write(
        tmp_path / "lines.jsonl",
        {"id": 1, "gold": "A", "response": "The answer is 0.375.", "kind": "choice", "choices": choices},
        {"id": 2, "gold": "B", "response": "The answer is 3/8.", "kind": "choice", "choices": choices},
        {"id": 3, "gold": "C", "response": r"\boxed{\text{green}}", "choices": choices},
        {"id": 4, "gold": "1/2", "response": "0.5", "kind": "text", "choices": None},
        {"id": 5, "gold": "1/2", "response": "0.5", "kind": None},
        {"id": 6, "gold": "green", "response": "It must be C, not A.", "kind": "choice", "choices": choices},
    )
    assert main(["grade", file], REGISTRIES) == 0
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["correct"] for each in shown] == [True, False, True, False, True, True]
    assert [each["extracted"] for each in shown[:3]] == ["A", "A", "C"]


def test_what_was_extracted_is_the_answer_and_not_its_box(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Issue 13: also where the response is nothing but the gold answer."""
    responses = (r"\boxed{42}", "$42$", r"$\boxed{42}$", "42", r"\(42\)", "<answer>42</answer>", '{"answer": 42}')
    lines = ({"id": 1, "gold": "42", "response": response} for response in responses)
    assert main(["grade", _write(tmp_path / "lines.jsonl", *lines)], REGISTRIES) == 0
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(each["correct"], each["extracted"]) for each in shown] == [(True, "42")] * len(responses)


def test_strict_takes_the_last_box(tmp_path: Path) -> None:
    file = _write(tmp_path / "lines.jsonl", {"id": 1, "gold": "5", "response": r"\boxed{5} no, \boxed{6}"})
    for rule, correct in (("--lenient", True), ("--strict", False)):
        output = tmp_path / "grades.jsonl"
        assert main(["grade", file, rule, "--output", str(output)], REGISTRIES) == 0
        assert json.loads(output.read_text())["correct"] is correct


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ('{"id": 1, "gold"', "not JSON"),
        ("[1]", "not a JSON object"),
        ('{"id": 1, "gold": "2"}', "field 'response' is missing"),
        ('{"id": 1, "gold": {}, "response": "2"}', "field 'gold'"),
        ('{"id": 1, "gold": "2", "response": 3}', "field 'response' is not text"),
        ('{"id": 1, "gold": "2", "response": "2", "kind": "maths"}', "field 'kind' is 'maths'"),
        ('{"id": 1, "gold": "2", "response": "2", "choices": "AB"}', "field 'choices' is not a list of texts"),
    ],
)
def test_a_malformed_line_is_named_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, wrong: str
) -> None:
    file = _write(tmp_path / "lines.jsonl", {"id": 1, "gold": "1", "response": "1"}, line)
    assert main(["grade", file], REGISTRIES) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"{file}:2: {wrong}" in captured.err


def test_a_pair_is_explained_stage_by_stage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grade", "--explain", r"\frac12", r"Hence $\boxed{0.5}$."], REGISTRIES) == 0
    shown = capsys.readouterr().out
    assert all(stage in shown for stage in ("candidate", "gold", "verdict     equal, by number", "lenient     correct"))
