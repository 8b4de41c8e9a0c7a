"""`run` from the command line to its files, over scripted engines registered from outside the package."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fakes import FailingEngine, Likes, SeededEngine

from inference_kit import cli
from inference_kit.budget import Prices
from inference_kit.dataset.simpledataset import SimpleDataset
from inference_kit.setup.registries import Registries

NAME = "mine-best_of_n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "mine.jsonl"
    rows = [{"index": number, "input": f"question {number}", "answer": str(number % 7)} for number in range(12)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def registries(data: Path) -> Registries:
    return Registries(
        models={"seeded": partial(SeededEngine), "failing": partial(FailingEngine, fail_on="question 3")},
        reward_models={"likes": partial(Likes, favourite="3")},
        datasets={"mine": partial(SimpleDataset, dataset_name="mine", dataset_path=str(data))},
        home=data.parent,
    )


def run(registries: Registries, work_dir: Path, *words: str) -> int:
    return cli.main(
        ["run", "--model", "seeded", "--dataset", "mine", "--work-dir", str(work_dir), "--n", "4", *words], registries
    )


def load(folder: Path, name: str) -> dict[str, Any]:
    [path] = folder.glob(f"mine/*/{name}")
    return json.loads(path.read_text())


def test_a_run_writes_the_files_of_the_contract(registries: Registries, tmp_path: Path) -> None:
    """MAIN-10, MAIN-58, MAIN-60, MAIN-61, MAIN-62, MAIN-64."""
    words = ("--reward-model", "likes", "--vote", "majority_vote,best_last", "--exp-name", "first")
    assert run(registries, tmp_path / "out", *words) == 0
    folder = tmp_path / "out" / "mine" / "seeded+likes+first"
    assert {path.name for path in folder.iterdir()} >= {
        "config.json",
        "run.log",
        f"{NAME}.jsonl",
        f"{NAME}-majority_vote.json",
        f"{NAME}-best_last.json",
    }
    assert list((tmp_path / "out" / ".calls").rglob("*.jsonl"))
    final = load(tmp_path / "out", f"{NAME}-best_last.json")
    assert final["schema"] == 1
    assert (final["dataset"], final["model"], final["reward_model"]) == ("mine", "seeded", "likes")
    assert (final["method"], final["vote"]) == ("best_of_n", "best_last")
    assert final["metrics"]["total"] == 12
    assert final["metrics"]["engine_calls"] == 48
    assert [entry["index"] for entry in final["results"]] == list(range(12))
    entry = final["results"][0]
    assert {
        "index",
        "input",
        "gold",
        "prediction",
        "response",
        "correct",
        "candidates",
        "usage",
        "seconds",
        "error",
    } <= set(entry)
    assert {"text", "answer", "step_scores", "score", "tokens", "logprob"} <= set(entry["candidates"][0])
    settings = json.loads((folder / "config.json").read_text())["methods"]["best_of_n"]["config"]["settings"]
    assert settings["method.n"] == {"value": 4, "source": "command line", "beat": [{"value": 16, "source": "default"}]}


def test_the_same_command_again_asks_nothing_and_says_the_same(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """MAIN-63."""
    summaries = []
    for _ in range(2):
        assert run(registries, tmp_path / "out", "--json") == 0
        summaries.append(json.loads(capsys.readouterr().out))
    first, second = summaries
    assert first["metrics"] == second["metrics"]
    assert (first["this_time"]["generated_tokens"], second["this_time"]["generated_tokens"]) == (12 * 4 * 8, 0)


def test_the_summary_tells_what_a_run_costs_where_tokens_have_a_price(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """BEY-12: the true figures after a run; a resumed one counts what is stored."""

    class Priced(SeededEngine):
        prices = Prices(prompt=0.0, completion=250.0)

    priced = replace(registries, models={**registries.models, "seeded": Priced})
    for _ in range(2):
        assert run(priced, tmp_path / "priced") == 0
        assert "; $0.0960" in capsys.readouterr().out
    assert run(registries, tmp_path / "free") == 0
    assert "$" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("--max-seconds", "-1", "max_seconds must be above 0, got -1.0"),
        ("--max-seconds", "nan", "expected a finite number, got 'nan'. See main.py run --help."),
        ("--max-cost", "inf", "expected a finite number, got 'inf'. See main.py run --help."),
        ("--max-cost", "0", "max_cost must be above 0, got 0.0"),
    ],
)
def test_a_limit_that_would_end_the_run_at_once_is_refused(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str, value: str, said: str
) -> None:
    assert run(registries, tmp_path / "out", flag, value) == 2
    assert capsys.readouterr().err == f"error: {flag}: {said}\n"
    assert not (tmp_path / "out").exists()


def test_changed_settings_are_named_one_by_one(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """MAIN-63: what changes results stops a resume, what does not goes on."""
    run(registries, tmp_path / "out")
    assert run(registries, tmp_path / "out", "--temperature", "0.9", "--seed", "3") == 2
    error = capsys.readouterr().err
    assert "temperature: 0.7 -> 0.9" in error
    assert "seed: 0 -> 3" in error
    assert "--overwrite" in error
    assert run(registries, tmp_path / "out", "--concurrency", "3", "--limit", "5") == 0
    assert run(registries, tmp_path / "out", "--temperature", "0.9", "--overwrite") == 0


def test_a_changed_data_file_is_said_in_words(
    registries: Registries, tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Issue 12: two digests tell nobody anything."""
    run(registries, tmp_path / "out")
    data.write_text(data.read_text().replace("question 5", "question five"))
    capsys.readouterr()
    assert run(registries, tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert "(the content of the data set has changed)" in said and "or the data as they were to go on" in said


def test_a_larger_n_takes_the_smaller_one_from_the_call_log(registries: Registries, tmp_path: Path) -> None:
    """BEY-02."""
    run(registries, tmp_path / "out")
    run(registries, tmp_path / "out", "--n", "16", "--exp-name", "more")
    [path] = (tmp_path / "out" / "mine" / "seeded+none+more").glob("*-majority_vote.json")
    metrics = json.loads(path.read_text())["metrics"]
    assert (metrics["engine_calls"], metrics["cached_calls"]) == (12 * 12, 12 * 4)


def test_failed_problems_are_counted_and_tried_again(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """MAIN-05, MAIN-85: exit code 1 and a count."""
    assert run(registries, tmp_path / "out", "--model", "failing", "--json") == 1
    assert json.loads(capsys.readouterr().out)["metrics"]["failed"] == 1
    assert run(registries, tmp_path / "out", "--model", "failing") == 1
    assert "1 problems failed" in capsys.readouterr().out


def test_greedy_takes_no_vote(registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """MAIN-45, MAIN-61: and best_of_n shows it for comparison."""
    words = ["run", "--model", "seeded", "--dataset", "mine", "--work-dir", str(tmp_path / "out"), "--method"]
    assert cli.main([*words, "greedy", "--vote", "majority_vote"], registries) == 0
    assert load(tmp_path / "out", "mine-greedy.json")["vote"] is None
    assert cli.main([*words, "best_of_n"], registries) == 0
    assert "greedy (stored)" in capsys.readouterr().out


def test_explain_and_dry_run_write_nothing(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """BEY-10."""
    assert run(registries, tmp_path / "out", "--explain") == 0
    explained = capsys.readouterr().out
    assert [line.split()[1:3] for line in explained.splitlines() if line.startswith("method.n ")] == [["4", "command"]]
    assert run(registries, tmp_path / "out", "--dry-run") == 0
    assert "question 0" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_no_evaluate_only_generates_and_evaluate_grades_later(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """MAIN-19, MAIN-65."""
    assert run(registries, tmp_path / "out", "--no-evaluate", "--reward-model", "likes") == 0
    assert not list((tmp_path / "out").glob("mine/*/*.json.*")) and not list(
        (tmp_path / "out").glob(f"mine/*/{NAME}-*")
    )
    assert cli.main(["evaluate", str(tmp_path / "out"), "--vote", "all"], registries) == 0
    assert "prod_vote" in capsys.readouterr().out
    assert load(tmp_path / "out", f"{NAME}-min_vote.json")["metrics"]["total"] == 12


def test_evaluate_of_a_final_file_gives_the_same_file(registries: Registries, tmp_path: Path) -> None:
    """MAIN-65: grading again changes nothing where nothing has changed."""
    run(registries, tmp_path / "out")
    [path] = (tmp_path / "out").glob(f"mine/*/{NAME}-majority_vote.json")
    before = path.read_bytes()
    assert cli.main(["evaluate", str(path)], registries) == 0
    assert path.read_bytes() == before
    assert cli.main(["evaluate", str(path.parent)], registries) == 0
    assert path.read_bytes() == before


def test_evaluate_may_write_nothing(registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Issue 12."""
    run(registries, tmp_path / "out", "--no-evaluate")
    before = sorted(tmp_path.rglob("*"))
    capsys.readouterr()
    assert cli.main(["evaluate", str(tmp_path / "out"), "--no-write", "--vote", "all"], registries) == 0
    assert sorted(tmp_path.rglob("*")) == before
    assert "nothing was written" in capsys.readouterr().out


def test_a_torn_file_ends_nothing_but_itself(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Issue 12: a final file is made anew; what cannot be made is said, and the rest goes on."""
    for name in ("a", "b", "c"):
        run(registries, tmp_path / "out", "--exp-name", name)
    a, b, c = sorted((tmp_path / "out").glob(f"mine/*/{NAME}-majority_vote.json"))
    whole = a.read_bytes()
    a.write_bytes(whole[:1000])
    (b.parent / "config.json").write_text('{"schema": 1, "meth')
    (c.parent / "notes.jsonl").write_text("not of a run\n")
    capsys.readouterr()
    assert cli.main(["evaluate", str(tmp_path / "out")], registries) == 1
    output = capsys.readouterr()
    assert [line.count("12") for line in output.out.splitlines() if "seeded+none" in line and "/12" in line] == [1, 1]
    assert "config.json" in output.err and "notes.jsonl" in output.err
    assert a.read_bytes() == whole
    assert cli.main(["evaluate", str(c.parent / "notes.jsonl")], registries) == 2


def test_an_unfinished_run_says_of_how_many(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Issue 12."""
    run(registries, tmp_path / "out")
    [path] = (tmp_path / "out").glob(f"mine/*/{NAME}.jsonl")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:5]))
    capsys.readouterr()
    assert cli.main(["evaluate", str(path)], registries) == 0
    assert "majority_vote (5 of 12 problems)" in capsys.readouterr().out
    run(registries, tmp_path / "out")
    assert cli.main(["evaluate", str(path)], registries) == 0
    assert "12 problems)" not in capsys.readouterr().out


def test_a_larger_final_file_is_not_replaced_without_a_word(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Issue 12."""
    run(registries, tmp_path / "out")
    assert "held" not in capsys.readouterr().err
    assert run(registries, tmp_path / "out", "--limit", "3", "--log-level", "WARNING") == 0
    assert f"{NAME}-majority_vote.json held 12 problems and now holds these 3" in capsys.readouterr().err
    assert run(registries, tmp_path / "out") == 0
    assert load(tmp_path / "out", f"{NAME}-majority_vote.json")["metrics"]["total"] == 12


def test_the_greedy_row_is_of_the_same_problems(
    registries: Registries, tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Issue 12: fewer of them are counted apart, others are said."""
    greedy = [
        "run",
        "--model",
        "seeded",
        "--dataset",
        "mine",
        "--work-dir",
        str(tmp_path / "out"),
        "--method",
        "greedy",
    ]
    assert cli.main([*greedy, "--limit", "8"], registries) == 0
    capsys.readouterr()
    assert run(registries, tmp_path / "out", "--index", "2-5", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["greedy"]["total"] == 4
    assert shown["greedy"]["correct"] == 0
    assert run(registries, tmp_path / "out", "--index", "6-9") == 0
    output = capsys.readouterr().out
    assert "greedy (stored)" not in output
    assert "of other problems (only 2 of these 4 are among them)" in output
    [path] = (tmp_path / "out").glob("mine/*/mine-greedy.json")
    path.write_bytes(path.read_bytes()[:500])
    assert run(registries, tmp_path / "out", "--index", "6-9") == 0
    assert "stored greedy answers cannot be read" in capsys.readouterr().out


def test_no_gold_answers_is_said_and_is_an_error_only_where_accuracy_is_asked_for(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bare.jsonl"
    path.write_text('{"index": 0, "input": "a"}\n{"index": 1, "input": "b"}\n')
    words = ["run", "--model", "seeded", "--dataset-path", str(path), "--work-dir", str(tmp_path / "out")]
    words += ["--log-level", "WARNING"]
    assert cli.main(words, registries) == 0
    assert "no gold answers" in capsys.readouterr().err
    assert cli.main([*words, "--evaluate"], registries) == 2
    path.write_text('{"index": 0, "input": "a", "answer": "1"}\n{"index": 1, "input": "b"}\n')
    capsys.readouterr()
    assert cli.main([*words, "--overwrite", "--json"], registries) == 0
    output = capsys.readouterr()
    assert "1 of 2 problems have no gold answer, the first is 1" in output.err
    metrics = json.loads(output.out)["metrics"]
    assert (metrics["total"], metrics["graded"], metrics["accuracy"] in (0.0, 1.0)) == (2, 1, True)


def test_a_corrupt_line_in_the_middle_is_named_and_its_problem_done_again(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(registries, tmp_path / "out")
    [path] = (tmp_path / "out").glob(f"mine/*/{NAME}.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    lines[4] = lines[4][: len(lines[4]) // 2] + b"\n"
    path.write_bytes(b"".join(lines) + lines[0][:20])
    capsys.readouterr()
    assert run(registries, tmp_path / "out", "--json", "--log-level", "WARNING") == 0
    output = capsys.readouterr()
    assert f"{path}:5:" in output.err
    assert json.loads(output.out)["this_time"]["problems"] == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "seded"], "Did you mean 'seeded'"),
        (["--method", "best_of_m"], "Did you mean 'best_of_n'"),
        (["--vote", "majority"], "Did you mean 'majority_vote'"),
        (["--dataset", "mien"], "Did you mean 'mine'"),
        (["--reward-model", "like"], "Did you mean 'likes'"),
        (["--vote", "min_vote"], "--reward-model"),
        (["--n", "0"], "--n: n must be at least 1"),
        (["--limit", "0"], "--limit: limit must be at least 1"),
        (["--method", "greedy"], "--n is a setting of beam_search"),
        (["--work-dir", "/proc/nothing"], "/proc/nothing"),
        (["--config", "/nothing/here.yaml"], "no such config file"),
        (["--dataset-path", "/nothing/here.jsonl"], "/nothing/here.jsonl"),
        (["--temperature", "-1"], "temperature must be 0 or more"),
        (["--index", "99"], "99"),
        (["--grading", "strictt"], "Did you mean 'strict'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    """MAIN-06, MAIN-07, MAIN-80, MAIN-82, MAIN-88."""
    assert run(registries, tmp_path / "out", *words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1


def test_a_second_process_in_the_same_folder_is_refused(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from inference_kit.store.lock import FolderLock

    run(registries, tmp_path / "out")
    [folder] = (tmp_path / "out" / "mine").iterdir()
    with FolderLock(folder):
        assert run(registries, tmp_path / "out") == 2
    assert "locked by PID" in capsys.readouterr().err


def test_compare_shows_the_four_cells(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """MAIN-69."""
    run(registries, tmp_path / "out", "--exp-name", "a")
    run(registries, tmp_path / "out", "--exp-name", "b", "--seed", "1")
    a, b = sorted((tmp_path / "out").glob(f"mine/*/{NAME}-majority_vote.json"))
    output = tmp_path / "cells.json"
    assert cli.main(["compare", str(a), str(b), "--output", str(output)], registries) == 0
    cells = json.loads(output.read_text())
    assert cells["both_right"] + sum(len(cells[k]) for k in ("a_right_b_wrong", "a_wrong_b_right", "both_wrong")) == 12
    assert "A right, B wrong" in capsys.readouterr().out
