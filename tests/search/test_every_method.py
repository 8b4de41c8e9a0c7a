"""What every search method keeps, whoever wrote it: this file runs each one that is registered."""

import inspect
import random
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from search.world import PROBLEM, OutOfOrder, Streaming, World, WorldEngine, solved, solver_of, texts, watch

from inference_kit import search
from inference_kit.context import Rules
from inference_kit.errors import UserError
from inference_kit.records import Message, Solution, TreeNode
from inference_kit.records.events import CandidateWhole, NodeMerged, NodeNoted, NodeScored, NodeWritten, Piece, Solved
from inference_kit.registry import Setting, read_settings, summarize_entry
from inference_kit.search import ALIASES, BEST, METHODS
from inference_kit.store.call_log import CallLog
from inference_kit.voting import VOTES

WORLD = World(11, words=3, streams=9, ending=0.25)
SMALL = {"n": 3, "beam_width": 2, "iterations": 5, "max_steps": 4, "comparisons": 2, "max_iterations": 2}
CALLS = (1, 4, 9)
INTEGERS = [
    (method, setting)
    for method in METHODS
    for setting in read_settings(METHODS[method].function).values()
    if isinstance(setting.default, int)
]


def small(method: str) -> dict[str, Any]:
    """Settings that keep the method short."""
    return {name: value for name, value in SMALL.items() if name in read_settings(METHODS[method].function)}


def paid_for(solution: Solution) -> tuple[int, int, int]:
    usage = solution.usage
    return usage.calls, usage.generated_tokens + usage.cached_tokens, usage.reward_calls


every_method = pytest.mark.parametrize("method", METHODS)


@every_method
def test_a_replay_asks_nothing_and_finds_the_same(method: str, tmp_path: Path) -> None:
    first = solver_of(WORLD, method, log=CallLog(tmp_path, "run-a", fsync_seconds=None), **small(method))
    found = solved(first)
    again = solver_of(WORLD, method, log=CallLog(tmp_path, "run-b", fsync_seconds=None), **small(method))
    replayed = solved(again)
    assert replayed.candidates == found.candidates
    assert replayed.tree == found.tree
    assert not again.engine.asked
    assert not again.reward_model.batches
    assert paid_for(replayed) == paid_for(found)
    assert (replayed.usage.generated_tokens, replayed.usage.prompt_tokens) == (0, 0)


@every_method
def test_nothing_depends_on_the_order_in_which_completions_come(method: str) -> None:
    in_order = solved(solver_of(WORLD, method, **small(method)))
    out_of_order = solved(solver_of(WORLD, method, engine=OutOfOrder(WORLD), **small(method)))
    assert out_of_order == in_order


@every_method
def test_nothing_depends_on_the_random_numbers_of_others(method: str) -> None:
    """Peers' defect 9: ties from global random state."""
    found = []
    for seed in (1, 2):
        random.seed(seed)
        found.append(solved(solver_of(WORLD, method, **small(method))))
    assert found[0] == found[1]


@every_method
def test_every_generated_token_is_counted(method: str) -> None:
    """Peers' defect 2: tokens reported as 0 or -1."""
    solver = solver_of(WORLD, method, **small(method))
    usage = solved(solver).usage
    assert usage.generated_tokens == solver.engine.tokens > 0
    assert usage.calls == len(solver.engine.asked)


@every_method
def test_nothing_is_asked_or_scored_twice(method: str) -> None:
    for temperature in (1.0, 0.0):
        solver = solver_of(WORLD, method, temperature=temperature, **small(method))
        solved(solver)
        assert len(set(solver.engine.asked)) == len(solver.engine.asked)
        scored = [steps for batch in solver.reward_model.batches for steps in batch]
        assert len(set(scored)) == len(scored)


@every_method
@pytest.mark.parametrize("limit", ["max_calls", "max_tokens"])
@pytest.mark.parametrize("world", [WORLD, World(12, streams=9, ending=0.05)], ids=["short", "long"])
def test_a_budget_stops_at_the_same_place_on_replay_with_a_candidate_in_hand(
    method: str, limit: str, world: World, tmp_path: Path
) -> None:
    whole = paid_for(solved(solver_of(world, method, **small(method))))
    for most in CALLS:
        runs = []
        for run in ("a", "b"):
            log = CallLog(tmp_path / str(most), run, fsync_seconds=None)
            runs.append(solver_of(world, method, rules=Rules(**{limit: most}), log=log, **small(method)))
        first, second = map(solved, runs)
        assert first.candidates
        assert second.candidates == first.candidates
        assert not runs[1].engine.asked
        assert paid_for(second) == paid_for(first)
        if limit == "max_calls":
            assert first.usage.calls <= most + 1  # one more where nothing was whole
        if paid_for(first)[:2] == whole[:2]:
            break


@every_method
@pytest.mark.parametrize(
    "world",
    [World(1, ending=0.0), World(2, ending=1.0), World(3, giving_up=99.0), World(4, words=1, streams=1, answers=1)],
    ids=["never ends", "ends at once", "has no answer", "always the same"],
)
def test_there_is_always_a_candidate(method: str, world: World) -> None:
    for room in (1, 2, 24):
        found = solved(solver_of(world, method, max_new_tokens=room, **small(method)))
        assert found.candidates
        assert all(each.tokens > 0 for each in found.candidates)
        assert all(each.finish_reason in ("stop", "length") for each in found.candidates)


@every_method
def test_steps_of_tokens_work_with_every_method(method: str) -> None:
    """MAIN-49."""
    for step_tokens in (1, 3):
        found = solved(solver_of(WORLD, method, rules=Rules(step_tokens=step_tokens), **small(method)))
        assert found.candidates
        steps = [node for node in found.tree if node.finish_reason == "boundary" and node.tokens]
        if METHODS[method].needs.reward_model:
            assert {node.tokens for node in steps} == {step_tokens}


@every_method
@pytest.mark.parametrize("watched", [(Streaming, True), (WorldEngine, True), (OutOfOrder, False)], ids=str)
def test_whoever_watches_changes_nothing(method: str, watched: tuple[type[WorldEngine], bool], tmp_path: Path) -> None:
    """The same prompts, seeds and settings are asked, under the same keys, and the same is found."""
    engine, pieces = watched
    alone = solver_of(WORLD, method, **small(method))
    found = solved(alone)
    log = CallLog(tmp_path, "run-a", fsync_seconds=None)
    seen = solver_of(WORLD, method, engine=engine(WORLD), log=log, **small(method))
    assert watch(seen, pieces=pieces)[-1] == Solved(found)
    assert Counter(seen.engine.asked) == Counter(alone.engine.asked)
    again = solver_of(WORLD, method, log=CallLog(tmp_path, "run-b", fsync_seconds=None), **small(method))
    assert solved(again).candidates == found.candidates
    assert not again.engine.asked


@every_method
@pytest.mark.parametrize("engine", [Streaming, OutOfOrder])
def test_a_watcher_is_told_of_the_whole_tree(method: str, engine: type[WorldEngine]) -> None:
    """Each node once, behind the pieces of its text, then its scores and notes; and every candidate."""
    *events, last = watch(solver_of(WORLD, method, engine=engine(WORLD), **small(method)))
    assert isinstance(last, Solved)
    tree = {node.path: node for node in last.solution.tree}
    texts: dict[tuple[int, ...], str] = defaultdict(str)
    written: dict[tuple[int, ...], TreeNode] = {}
    all_notes: dict[tuple[int, ...], Mapping[str, float]] = {}
    for event in events:
        match event:
            case Piece(path, text):
                assert path not in written
                texts[path] += text
            case NodeWritten(node):
                assert node.path not in written
                assert texts.get(node.path, node.text) == node.text
                written[node.path] = node
            case NodeMerged(path, into):
                assert written.pop(path).text == written[into].text
            case NodeScored(path, step_scores):
                assert path == () or tree[path].step_scores == step_scores
            case NodeNoted(path, notes):
                all_notes[path] = notes
    assert written.keys() == tree.keys()
    assert {path: all_notes.get(path, {}) for path in tree} == {path: node.notes for path, node in tree.items()}
    whole = {event.path: event.answer for event in events if isinstance(event, CandidateWhole)}
    ends = {node.candidate: node.path for node in tree.values() if node.candidate >= 0}
    assert {place: whole[path] for place, path in ends.items()} == {
        place: last.solution.candidates[place].answer for place in ends
    }
    assert {event.path for event in events if isinstance(event, NodeScored)} - {()} == {
        path for path, node in tree.items() if node.step_scores
    }


@every_method
def test_two_problems_at_once_are_two_searches(method: str) -> None:
    """Peers' defect 5: two problems in one beam call crash."""
    import asyncio

    other = replace(PROBLEM, index=18, messages=(Message("user", "And that?"),))
    alone = [solved(solver_of(WORLD, method, **small(method)), problem) for problem in (PROBLEM, other)]
    together = solver_of(WORLD, method, engine=OutOfOrder(WORLD), **small(method))

    async def both() -> list[Solution]:
        return list(await asyncio.gather(together.solve(PROBLEM), together.solve(other)))

    assert asyncio.run(both()) == alone


@every_method
def test_a_method_fits_on_a_screen_names_its_paper_and_has_help_for_every_setting(method: str) -> None:
    """Its help is its signature and its docstring."""
    file = Path(inspect.getfile(METHODS[method].function))
    text = file.read_text(encoding="utf-8")
    assert file.stem == METHODS[method].function.__name__ == method
    assert len(text.splitlines()) <= 80
    assert "Source: " in text.split('"""')[1]
    assert summarize_entry(METHODS[method].function)
    for setting in read_settings(METHODS[method].function).values():
        assert setting.help.endswith("."), setting.name
        assert not setting.required


def test_every_file_of_the_folder_is_a_method_or_says_what_methods_share() -> None:
    files = {path.stem for path in Path(inspect.getfile(search)).parent.glob("*.py")}
    assert files - set(METHODS) == {"__init__", "tools", "tree"}
    assert set(ALIASES.values()) <= set(METHODS)


@every_method
def test_the_vote_that_belongs_to_a_method_is_registered(method: str) -> None:
    assert METHODS[method].vote in {*VOTES, BEST, None}


@pytest.mark.parametrize(("method", "setting"), INTEGERS, ids=[f"{each}-{what.name}" for each, what in INTEGERS])
def test_a_number_below_its_least_is_refused_in_one_line(method: str, setting: Setting) -> None:
    flag = f"--{setting.name.replace('_', '-')}"
    with pytest.raises(UserError) as raised:
        setting.check(setting.least - 1)
    assert str(raised.value) == f"{flag}: {setting.name} must be at least {setting.least}, got {setting.least - 1}"
    assert "\n" not in str(raised.value)
    setting.check(setting.least)
    found = solved(solver_of(WORLD, method, **{**small(method), setting.name: setting.least}))
    assert found.candidates


@every_method
def test_without_a_reward_model_it_works_or_says_that_it_needs_one(method: str) -> None:
    solver = solver_of(WORLD, method, scored=False, **small(method))
    if METHODS[method].needs.reward_model:
        with pytest.raises(UserError, match="--reward-model"):
            solved(solver)
    else:
        assert {each.score for each in solved(solver).candidates} == {None}


CHANGES: dict[str, dict[str, Any]] = {
    "answer_text": {"answer_text": "\nSo:", "max_thinking_tokens": 1},
    "backup": {"backup": "max", "iterations": 12},
    "balance_temperature": {"balance_temperature": 9.0, "n": 8},
    "c_puct": {"c_puct": 0.0, "iterations": 12},
    "certainty": {"certainty": 0.999, "n": 12},
    "comparisons": {"comparisons": 3},
    "consistency_template": {"consistency_template": "{responses}?"},
    "critique_template": {"critique_template": "{response}?"},
    "diversity": {"diversity": 5.0, "beam_width": 3, "groups": 3},
    "end_of_thinking": {"end_of_thinking": "on "},
    "first_play": {"first_play": "score", "iterations": 12},
    "groups": {"groups": 1, "beam_width": 3, "diversity": 5.0},
    "improve_template": {"improve_template": "{response}!"},
    "improvement_threshold": {"improvement_threshold": 9.0},
    "judge_template": {"judge_template": "{a} or {b}?"},
    "leaves": {"leaves": 3, "iterations": 12},
    "max_depth": {"max_depth": 1, "iterations": 12},
    "max_thinking_tokens": {"max_thinking_tokens": 1},
    "min_thinking_tokens": {"min_thinking_tokens": 1},
    "resampling": {"resampling": "systematic", "n": 8},
    "selection": {"selection": "puct", "iterations": 12},
    "stopping": {"stopping": "never", "n": 12},
    "value": {"value": "rollout"},
    "wait_text": {"wait_text": "\nOn:"},
    "waits": {"waits": 3},
    "window": {"window": 2, "stopping": "esc", "n": 12},
}
"""What to set so that a setting shows; any other is an integer, and grows by one."""
SETTINGS = [(method, name) for method in METHODS for name in read_settings(METHODS[method].function)]


@pytest.mark.parametrize(("method", "name"), SETTINGS, ids=[f"{method}-{name}" for method, name in SETTINGS])
def test_no_setting_is_accepted_and_ignored(method: str, name: str) -> None:
    """Peers' defect 8: in some world, what is asked of the engine or found differs with the setting."""
    default = read_settings(METHODS[method].function)[name].default
    changed = small(method)
    changed |= CHANGES[name] if name in CHANGES else {name: changed.get(name, default) + 1}
    plain = {**changed, name: small(method).get(name, default)}
    for seed in range(40):
        world = World(seed, words=3, streams=9, ending=(0.1, 0.3)[seed % 2])
        runs = [solver_of(world, method, **settings) for settings in (plain, changed)]
        results = [(texts(solved(run)), run.engine.asked) for run in runs]
        if results[0] != results[1]:
            return
    pytest.fail(f"{name} changes nothing")


def test_the_engine_of_these_tests_is_itself_exact() -> None:
    """Two engines of one world write the same; another seed is another text."""
    one, two = (solved(solver_of(WORLD, "best_of_n", engine=WorldEngine(WORLD), n=8)) for _ in range(2))
    assert one == two
    assert len(set(texts(one))) > 1
