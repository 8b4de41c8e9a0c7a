"""`run` with search methods: what is refused, budgets of the run, trees, and notes for the reader."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fakes import SlowEngine, Talker, Whims

from inference_kit import cli
from inference_kit.dataset.simpledataset import SimpleDataset
from inference_kit.errors import UserError
from inference_kit.models.base import Capabilities
from inference_kit.setup.registries import Registries

HOSTILE = "\x1b[31mred\x1b]0;title\x07 [bold red]markup[/bold red] [link=x]y[/] \u202eback \x9b5n\n\n\\boxed{1}"


class Blunt(SlowEngine):
    """Cannot go on with a partial answer, and says nothing of its probabilities."""

    capabilities = Capabilities(
        refused_settings=frozenset({"token_details", "branch_first"}), prefix=False, logprobs=False
    )


class Forgetful(SlowEngine):
    """Counts for its penalties only what it writes in this call."""

    capabilities = Capabilities(prefix_blind_settings=frozenset({"presence_penalty"}))


class Narrow(SlowEngine):
    """Sees only the likeliest tokens, as servers do."""

    capabilities = Capabilities(certainty=False)


class WrongHead(Whims):
    """A reward model whose weights turn out to be of another kind."""

    def check(self) -> None:
        """Refuse them."""
        raise UserError("these weights have no head for scores", where="--reward-model-path", fix="Use another format.")


@pytest.fixture
def registries(tmp_path: Path) -> Registries:
    data = tmp_path / "mine.jsonl"
    rows = [{"index": number, "input": f"question {number}", "answer": str(number % 7)} for number in range(6)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Registries(
        models={
            "stepper": partial(SlowEngine, separator="\n\n"),
            "blunt": partial(Blunt),
            "narrow": partial(Narrow),
            "forgetful": partial(Forgetful),
            "flat": partial(Talker, lambda message, seed: f"It is \\boxed{{{seed % 3}}}."),
            "hostile": partial(Talker, lambda message, seed: HOSTILE),
        },
        reward_models={"whims": Whims, "wrong_head": WrongHead},
        datasets={"mine": partial(SimpleDataset, dataset_name="mine", dataset_path=str(data))},
        home=tmp_path,
    )


def run(registries: Registries, work_dir: Path, *words: str) -> int:
    given = ["--model", "stepper", "--dataset", "mine", "--work-dir", str(work_dir), "--log-level", "ERROR", *words]
    return cli.main(["run", *given], registries)


def final(work_dir: Path, name: str) -> dict[str, Any]:
    [path] = work_dir.glob(f"mine/*/mine-{name}.json")
    return json.loads(path.read_text(encoding="utf-8"))


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_times(each) for key, each in value.items() if "seconds" not in key}
    return [without_times(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "--method beam_search --reward-model whims --beam-width 0",
            "--beam-width: beam_width must be at least 1, got 0",
        ),
        ("--method dvts --reward-model whims --n 0", "--n: n must be at least 1, got 0"),
        ("--method mcts --reward-model whims --iterations -3", "--iterations: iterations must be at least 1, got -3"),
        ("--method lookahead --reward-model whims --lookahead-steps -1", "lookahead_steps must be at least 0, got -1"),
        ("--method rebase --reward-model whims --balance-temperature 0", "balance_temperature must be above 0"),
        ("--method beam_search", "beam_search follows step scores, and there is no reward model"),
        ("--method mcts --reward-model none", "Add --reward-model NAME"),
        ("--method mcts --reward-model whims --model blunt", "Blunt cannot go on with a partial answer"),
        ("--method mcts --reward-model whims --selection ucb", "Did you mean 'uct'"),
        ("--method beam_search --reward-model wrong_head", "these weights have no head for scores"),
        ("--method cot_decoding --model blunt", "engine Blunt does not tell"),
        (
            "--method beam_search --reward-model whims --model forgetful --presence-penalty 0.5",
            "--presence-penalty: beam_search goes on with partial answers, where engine Forgetful would begin "
            "presence_penalty anew",
        ),
        ("--method cot_decoding --model forgetful --presence-penalty -1", "Leave it at 0.0, or use best_of_n"),
        ("--vote prod_vote", "prod_vote weighs step scores, and there are none"),
        (
            "--vote confidence_vote --model blunt",
            "confidence_vote weighs log-probabilities, and this engine gives none",
        ),
        ("--vote mixed_vote --model blunt --reward-model whims", "mixed_vote weighs log-probabilities"),
        ("--vote mixed_vote", "mixed_vote weighs step scores"),
        ("--vote self_certainty_vote --model blunt", "self_certainty_vote weighs the self-certainty of tokens"),
        ("--vote self_certainty_vote --model narrow", "on an engine that sees the whole vocabulary"),
        ("--vote margin_vote --model blunt", "margin_vote weighs the margin of the answer's tokens"),
        (
            "--method rebase --reward-model whims --balance-temperature nan",
            "--balance-temperature: expected a finite number",
        ),
        ("--method mcts --reward-model whims --c-puct -1", "--c-puct: c_puct must be at least 0, got -1.0"),
        ("--method self_consistency --certainty 1.5", "--certainty: certainty must be at most 1, got 1.5"),
        ("--aggregate median --reward-model whims", "Did you mean 'mean'"),
        (
            "--reward-model likelihood --reward-model-path . --reward-beta -1",
            "--reward-beta: reward_beta must be above 0",
        ),
        (
            "--limit 99999999999999999999",
            "--limit: limit must be at most 9223372036854775807, got 99999999999999999999",
        ),
        ("--method best_of_n --beam-width 3", "or choose that method: --method beam_search."),
        (
            "--method greedy --system x --reward-model likelihood",
            "Likelihood cannot be made: missing a required argument",
        ),
        ("--step-tokens -1", "step_tokens must be at least 0, got -1"),
        ("--max-tokens-per-problem 0", "max_tokens_per_problem must be at least 1"),
        ("--max-calls-per-problem 0", "max_calls_per_problem must be at least 1"),
        ("--method tournament --judge-template nowhere.txt", "--judge-template: unknown prompt template or file"),
    ],
)
def test_what_cannot_work_is_one_line_before_anything_is_generated(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, message: str
) -> None:
    """Issue 5, bad input; MAIN-06."""
    assert run(registries, tmp_path / "out", *words.split()) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert not list((tmp_path / "out").glob(".calls/**/*.jsonl"))


@pytest.mark.parametrize(
    "words",
    [
        "--method best_of_n --presence-penalty 0.5",
        "--method beam_search --reward-model whims --frequency-penalty 0.5",
        "--method beam_search --reward-model whims --presence-penalty 0",
    ],
)
def test_a_setting_that_begins_anew_is_no_matter_where_it_is_neutral_or_nothing_was_begun(
    registries: Registries, tmp_path: Path, words: str
) -> None:
    assert run(registries, tmp_path, "--model", "forgetful", "--n", "2", *words.split()) == 0


def test_a_separator_that_never_appears_is_told_with_the_count_and_what_to_set(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """MAIN-27: every answer is one step, so a process reward model is an outcome one."""
    assert run(registries, tmp_path / "flat", "--model", "flat", "--reward-model", "whims", "--n", "3") == 0
    note = next(line for line in capsys.readouterr().out.splitlines() if "step separator" in line)
    assert "'\\n\\n' stands in none of 18 candidates" in note
    assert "--separator" in note
    assert run(registries, tmp_path / "steps", "--reward-model", "whims", "--n", "3") == 0
    assert "step separator" not in capsys.readouterr().out


@pytest.mark.parametrize("method", ["beam_search", "mcts"])
def test_kept_trees_hold_every_node_and_name_the_candidates(
    registries: Registries, tmp_path: Path, method: str
) -> None:
    words = ("--method", method, "--reward-model", "whims", "--n", "2")
    assert run(registries, tmp_path / "kept", *words, "--keep-trees") == 0
    assert run(registries, tmp_path / "bare", *words) == 0
    kept, bare = (final(tmp_path / name, f"{method}-best_last") for name in ("kept", "bare"))
    for entry, other in zip(kept["results"], bare["results"], strict=True):
        tree = {tuple(node["path"]): node for node in entry.pop("tree")}
        assert "tree" not in other
        assert without_times(entry) == without_times(other)
        for place, candidate in enumerate(entry["candidates"]):
            [path] = [path for path, node in tree.items() if node["candidate"] == place]
            lineage = [tree[path[:size]] for size in range(1, len(path) + 1)]
            assert "".join(node["text"] for node in lineage) == candidate["text"]
            assert lineage[-1]["step_scores"] == candidate["step_scores"]
        notes = [node["notes"] for node in tree.values() if node["notes"]]
        assert bool(notes) == (method == "mcts")
        assert all(set(each) == {"visits", "value"} for each in notes)


def test_the_tree_is_drawn_with_scores_visits_and_the_choice_and_asks_nothing(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--method", "mcts", "--reward-model", "whims", "--index", "4", "--json")
    assert run(registries, tmp_path / "out", *words) == 0
    before = capsys.readouterr()
    log = [path.read_bytes() for path in (tmp_path / "out" / ".calls").rglob("*.jsonl")]
    assert run(registries, tmp_path / "out", *words, "--show-tree") == 0
    shown = capsys.readouterr()
    assert [path.read_bytes() for path in (tmp_path / "out" / ".calls").rglob("*.jsonl")] == log
    assert json.loads(shown.out)["metrics"] == json.loads(before.out)["metrics"]
    drawing = shown.err
    assert "problem 4: question 4" in drawing
    assert "score 0." in drawing
    assert "visits" in drawing
    assert "candidate" in drawing
    assert f"chosen: {final(tmp_path / 'out', 'mcts-best_last')['results'][0]['prediction']}" in drawing


def test_hostile_text_in_a_tree_is_harmless(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model writes what it likes: no escape reaches the terminal, and no markup is obeyed."""
    words = ("--model", "hostile", "--n", "2", "--limit", "1", "--show-tree")
    assert run(registries, tmp_path / "out", *words) == 0
    drawing = capsys.readouterr().out
    assert "[bold red]markup[/bold red]" in drawing
    assert not {character for character in drawing if not character.isprintable()} - {"\n"}


@pytest.mark.parametrize("aggregate", ["last", "min", "mean", "prod"])
def test_the_vote_follows_the_aggregate(registries: Registries, tmp_path: Path, aggregate: str) -> None:
    words = ("--method", "beam_search", "--reward-model", "whims", "--aggregate", aggregate, "--limit", "2")
    assert run(registries, tmp_path / "out", *words) == 0
    for entry in final(tmp_path / "out", f"beam_search-best_{aggregate}")["results"]:
        scores = [candidate["score"] for candidate in entry["candidates"]]
        chosen = next(each for each in entry["candidates"] if each["text"] == entry["response"])
        assert chosen["score"] == pytest.approx(max(scores))


@pytest.mark.parametrize("method", ["best_of_n", "beam_search", "mcts"])
def test_a_run_that_spent_its_tokens_stops_and_goes_on_with_a_higher_limit(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    """Exit 130; what is stored then is what an undisturbed run stores."""
    words = ("--method", method, "--reward-model", "whims", "--n", "2")
    assert run(registries, tmp_path / "whole", *words) == 0
    whole = final(tmp_path / "whole", f"{method}-best_last")
    tokens = whole["metrics"]["generated_tokens"]
    capsys.readouterr()
    for share in (0.2, 0.6):
        limit = str(int(tokens * share))
        assert run(registries, tmp_path / "cut", *words, "--max-tokens-total", limit) == 130
        error = capsys.readouterr().err
        assert f"Stopped, --max-tokens-total {limit} is spent" in error
        assert error.count("\n") == 1
    assert run(registries, tmp_path / "cut", *words, "--max-tokens-total", str(10 * tokens)) == 0
    assert without_times(final(tmp_path / "cut", f"{method}-best_last")) == without_times(whole)


def test_a_run_out_of_time_stops_and_goes_on(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--method", "mcts", "--reward-model", "whims", "--n", "2")
    assert run(registries, tmp_path / "out", *words, "--max-seconds", "0.15") == 130
    assert "--max-seconds 0.15 is over" in capsys.readouterr().err
    assert run(registries, tmp_path / "out", *words) == 0
    assert run(registries, tmp_path / "whole", *words) == 0
    assert without_times(final(tmp_path / "out", "mcts-best_last")) == without_times(
        final(tmp_path / "whole", "mcts-best_last")
    )


@pytest.mark.parametrize("limit", ["--max-calls-per-problem", "--max-tokens-per-problem"])
def test_a_problem_s_budget_ends_its_search_at_the_same_place_on_replay(
    registries: Registries, tmp_path: Path, limit: str
) -> None:
    words = ("--method", "beam_search", "--reward-model", "whims", limit, "9")
    assert run(registries, tmp_path / "out", *words, "--exp-name", "first") == 0
    assert run(registries, tmp_path / "out", *words, "--exp-name", "second") == 0
    one, two = (
        json.loads(next((tmp_path / "out").glob(f"mine/*+{name}/*-best_last.json")).read_text())
        for name in ("first", "second")
    )
    assert two["metrics"]["engine_calls"] == 0
    assert [entry["candidates"] for entry in one["results"]] == [entry["candidates"] for entry in two["results"]]
    assert all(entry["candidates"] for entry in one["results"])
