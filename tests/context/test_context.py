"""The context: seeds from paths, the call log, merging of equal texts, accounting."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from fakes import Likes, OutOfOrderEngine, SeededEngine

from inference_kit.calls import Calls
from inference_kit.context import Context, Rules
from inference_kit.errors import BudgetSpent
from inference_kit.models.base import Engine
from inference_kit.records import Completion, GenerationConfig, Message, Node, Problem, Prompt
from inference_kit.search.best_of_n import best_of_n
from inference_kit.search.greedy import greedy
from inference_kit.store.call_log import CallLog

PROBLEM = Problem(17, (Message("user", "What is it?"),), answer="3")


def context(
    engine: SeededEngine, log: CallLog | None = None, reward_model: Likes | None = None, rules: Rules | None = None
) -> Context:
    return Context(PROBLEM, Calls(engine, reward_model, log), GenerationConfig(), rules=rules or Rules())


def test_what_is_written_does_not_depend_on_the_order_in_which_it_finishes() -> None:
    in_order = asyncio.run(best_of_n(context(SeededEngine()), n=16))
    out_of_order = asyncio.run(best_of_n(context(OutOfOrderEngine()), n=16))
    assert [node.text for node in in_order] == [node.text for node in out_of_order]
    assert len({node.text for node in in_order}) > 1


def test_a_larger_n_pays_only_for_the_difference(tmp_path: Path) -> None:
    """BEY-02: n=16 after n=4 generates 12."""
    engine = SeededEngine()
    first = context(engine, CallLog(tmp_path, "run-a", fsync_seconds=None))
    four = asyncio.run(best_of_n(first, n=4))
    second = context(engine, CallLog(tmp_path, "run-b", fsync_seconds=None))
    sixteen = asyncio.run(best_of_n(second, n=16))
    assert engine.completions == 16
    assert sixteen[:4] == four
    assert (second.calls.usage.cached_calls, second.calls.usage.calls) == (4, 16)
    assert second.calls.usage.cached_tokens == 4 * 8
    assert second.calls.usage.generated_tokens == 12 * 8


def test_a_resumed_run_reports_what_an_undisturbed_one_would(tmp_path: Path) -> None:
    """MAIN-63: calls of an earlier process of the same run count as paid by the run."""
    engine = SeededEngine()
    undisturbed = context(engine, CallLog(tmp_path, "run-a", fsync_seconds=None), Likes())
    asyncio.run(best_of_n(undisturbed, n=5))
    resumed = context(engine, CallLog(tmp_path, "run-a", fsync_seconds=None), Likes())
    asyncio.run(best_of_n(resumed, n=5))
    assert engine.completions == 5
    assert resumed.calls.usage == undisturbed.calls.usage


def test_a_thought_that_the_token_limit_cut_has_no_answer() -> None:
    """Issue 13: also where a server that takes thoughts apart closed it."""
    held = context(SeededEngine())
    texts = ("<think>The answer is 42</think>", "<think>The answer is 42", "<think>a</think>The answer is 42")
    nodes = [Node(text, held.root, (place,), "length") for place, text in enumerate(texts)]
    assert [held.answer_of(node) for node in nodes] == [None, None, "42"]


def test_equal_solutions_are_scored_once() -> None:
    reward_model = Likes()
    scored = context(SeededEngine(answers=2), reward_model=reward_model)
    nodes = asyncio.run(best_of_n(scored, n=16))
    assert reward_model.scored == 2
    assert all(len(scored.step_scores(node)) == 2 for node in nodes)


def test_a_trailing_separator_is_no_step() -> None:
    held = context(SeededEngine())
    [node] = asyncio.run(held.complete([held.root], 1))
    assert held.steps_of(node) == ("Think.", node.text.split("\n\n")[1])


@pytest.mark.parametrize("step_tokens", [0, 8])
def test_what_a_steps_last_token_says_behind_the_separator_is_shown_with_the_next_step(step_tokens: int) -> None:
    """Issue 13, F11: a token such as `.\n\nSo we` made the reward model read "So we" as a step."""

    class Overshoots(SeededEngine):
        def vanilla_generate(self, prompts: Sequence[Prompt], config: GenerationConfig) -> list[list[Completion]]:
            text = " add.\n\nThat is" if prompts[0].prefix else "First.\n\nSo we"
            return [[Completion(text, "boundary", tokens=8) for _ in prompt.seeds] for prompt in prompts]

        generate = Engine.generate

    async def grow() -> tuple[Context, Node]:
        held = context(Overshoots(), rules=Rules(step_tokens=step_tokens))
        [first] = await held.expand([held.root], 1)
        [second] = await held.expand([first], 1)
        return held, second

    held, node = asyncio.run(grow())
    assert node.whole_text == "First.\n\nSo we add.\n\nThat is"
    if step_tokens:  # where steps are so many tokens, what was written is what is shown
        assert held.steps_of(node) == ("First.", "So we add.", "That is")
    else:
        assert held.steps_of(node.parent) == ("First.",)
        assert held.steps_of(node) == ("First.", "So we add.")


def test_greedy_asks_once_with_temperature_zero_and_no_seed(tmp_path: Path) -> None:
    """MAIN-45."""
    engine = SeededEngine()
    for seed in (1, 2):
        held = Context(
            PROBLEM,
            Calls(engine, log=CallLog(tmp_path, "run", fsync_seconds=None)),
            GenerationConfig(),
            rules=Rules(seed=seed),
        )
        asyncio.run(greedy(held))
    assert engine.completions == 1


def test_best_of_n_writes_n_whole_solutions_and_scores_them_if_it_can() -> None:
    """MAIN-46."""
    scored = context(SeededEngine(), reward_model=Likes())
    nodes = asyncio.run(best_of_n(scored, n=5))
    assert [node.path for node in nodes] == [(0,), (1,), (2,), (3,), (4,)]
    assert all(node.finished and scored.step_scores(node) for node in nodes)
    assert not any(map(context(SeededEngine()).step_scores, asyncio.run(best_of_n(context(SeededEngine()), n=5))))


def test_a_node_completed_again_gets_further_children_with_seeds_of_their_own() -> None:
    held = context(SeededEngine(answers=1000))
    first = asyncio.run(held.complete([held.root], 4))
    second = asyncio.run(held.complete([held.root], 4))
    assert [node.path[0] for node in first + second] == list(range(8))
    at_once = context(SeededEngine(answers=1000))
    assert asyncio.run(at_once.complete([at_once.root], 8)) == first + second


def test_what_is_asked_twice_is_generated_and_counted_once(tmp_path: Path) -> None:
    """At temperature 0 equal texts in two places of the tree are one question, in flight or not, with a log or not."""
    for log in (None, CallLog(tmp_path, "run", fsync_seconds=None)):
        engine = OutOfOrderEngine(f"twice {log}")
        held = context(engine, log)
        a, b = held.ask("Which?"), held.ask("Which?")
        both = asyncio.run(held.complete([a, b], 2, temperature=0.0))
        again = asyncio.run(held.complete([a], 1, temperature=0.0))
        assert len({node.text for node in both + again}) == 1
        assert engine.completions == held.calls.usage.calls == 1
        assert held.calls.usage.generated_tokens == 8


def test_equal_solutions_of_two_rounds_are_scored_and_counted_once() -> None:
    reward_model = Likes()
    held = context(SeededEngine(answers=1), reward_model=reward_model)
    for _ in range(2):
        asyncio.run(held.score(asyncio.run(held.complete([held.root], 3))))
    assert reward_model.scored == held.calls.usage.reward_calls == 1


@pytest.mark.parametrize(("max_tokens", "written"), [(1, 4), (8 * 4, 4), (8 * 4 + 1, 8), (8 * 9, 12), (8 * 99, 16)])
def test_a_token_budget_is_overrun_by_no_more_than_four_solutions(max_tokens: int, written: int) -> None:
    """Solutions of eight tokens each; what the log answers counts as well."""
    held = context(SeededEngine(), rules=Rules(max_tokens=max_tokens))
    if written < 16:
        with pytest.raises(BudgetSpent):
            asyncio.run(best_of_n(held, n=16))
    else:
        asyncio.run(best_of_n(held, n=16))
    assert len(held.whole_solutions()) == written
    assert held.tokens_left == max(0, max_tokens - 8 * written)


@pytest.mark.parametrize("max_calls", [1, 5, 15])
def test_a_budget_of_calls_is_never_overrun(max_calls: int) -> None:
    held = context(SeededEngine(), rules=Rules(max_calls=max_calls))
    with pytest.raises(BudgetSpent):
        asyncio.run(best_of_n(held, n=16))
    assert (held.calls.usage.calls, held.calls_left, len(held.whole_solutions())) == (max_calls, 0, max_calls)
