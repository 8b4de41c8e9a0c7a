"""The context: seeds from paths, the call log, merging of equal texts, accounting."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import Likes, OutOfOrderEngine, SeededEngine

from inference_kit.calls import Calls
from inference_kit.context import Context, Rules
from inference_kit.errors import BudgetSpent
from inference_kit.models.base import Capabilities
from inference_kit.records import Completion, GenerationConfig, Message, Problem, Prompt, Usage
from inference_kit.search.best_of_n import best_of_n
from inference_kit.search.greedy import greedy
from inference_kit.seeds import derive_seed
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
    assert (second.usage.cached_calls, second.usage.calls) == (4, 16)
    assert second.usage.cached_tokens == 4 * 8
    assert second.usage.generated_tokens == 12 * 8


def test_a_resumed_run_reports_what_an_undisturbed_one_would(tmp_path: Path) -> None:
    """MAIN-63: calls of an earlier process of the same run count as paid by the run."""
    engine = SeededEngine()
    undisturbed = context(engine, CallLog(tmp_path, "run-a", fsync_seconds=None), Likes())
    asyncio.run(best_of_n(undisturbed, n=5))
    resumed = context(engine, CallLog(tmp_path, "run-a", fsync_seconds=None), Likes())
    asyncio.run(best_of_n(resumed, n=5))
    assert engine.completions == 5
    assert resumed.usage == undisturbed.usage


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


def test_seeds_follow_from_run_problem_and_path_and_fit_32_bits() -> None:
    seeds = {derive_seed(run, index, path) for run in (0, 1) for index in (1, "1", 2) for path in ((), (0,), (0, 1))}
    assert len(seeds) == 18
    assert all(0 <= seed < 2**31 - 2**16 for seed in seeds)


def test_what_is_asked_twice_is_generated_and_counted_once(tmp_path: Path) -> None:
    """At temperature 0 equal texts in two places of the tree are one question, in flight or not, with a log or not."""
    for log in (None, CallLog(tmp_path, "run", fsync_seconds=None)):
        engine = OutOfOrderEngine(f"twice {log}")
        held = context(engine, log)
        a, b = held.ask("Which?"), held.ask("Which?")
        both = asyncio.run(held.complete([a, b], 2, temperature=0.0))
        again = asyncio.run(held.complete([a], 1, temperature=0.0))
        assert len({node.text for node in both + again}) == 1
        assert engine.completions == held.usage.calls == 1
        assert held.usage.generated_tokens == 8


def test_equal_solutions_of_two_rounds_are_scored_and_counted_once() -> None:
    reward_model = Likes()
    held = context(SeededEngine(answers=1), reward_model=reward_model)
    for _ in range(2):
        asyncio.run(held.score(asyncio.run(held.complete([held.root], 3))))
    assert reward_model.scored == held.usage.reward_calls == 1


def test_what_another_run_paid_for_costs_no_prompt_tokens(tmp_path: Path) -> None:
    """A run's --max-cost counts what it pays for, and no more."""
    engine = SeededEngine()
    first = context(engine, CallLog(tmp_path, "run-a", fsync_seconds=None))
    asyncio.run(best_of_n(first, n=4))
    second = context(engine, CallLog(tmp_path, "run-b", fsync_seconds=None))
    asyncio.run(best_of_n(second, n=4))
    assert first.usage.prompt_tokens == len("What is it?")
    assert second.usage.prompt_tokens == 0


class OneByOne(SeededEngine):
    """Reads the prompt, of a hundred tokens, once for each completion, as a server does; breaks off when told to."""

    capabilities = Capabilities(shares_prompt=False)
    ends_after = 16

    async def generate(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, Completion]]:
        for position, seed in enumerate(prompt.seeds):
            if self.completions == self.ends_after:
                raise KeyboardInterrupt
            yield position, replace(self._write(prompt, seed), prompt_tokens=100)


class AllAtOnce(OneByOne):
    """Reads the prompt once for all completions."""

    capabilities = Capabilities()


def usage_after_a_kill(engine: OneByOne, folder: Path) -> tuple[Usage, Usage]:
    """What a run of sixteen completions counts that was killed after twelve and resumed, and one that was not."""
    undisturbed = context(engine, CallLog(folder / "a", "run", fsync_seconds=None))
    asyncio.run(best_of_n(undisturbed, n=16))
    engine.completions, engine.ends_after = 0, 12
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(best_of_n(context(engine, CallLog(folder / "b", "run", fsync_seconds=None)), n=16))
    engine.completions = -100
    resumed = context(engine, CallLog(folder / "b", "run", fsync_seconds=None))
    asyncio.run(best_of_n(resumed, n=16))
    return resumed.usage, undisturbed.usage


@pytest.mark.parametrize(("engine", "prompt_tokens"), [(OneByOne, 1600), (AllAtOnce, 100)])
def test_a_resumed_run_counts_the_prompt_as_often_as_an_undisturbed_one(
    engine: type[OneByOne], prompt_tokens: int, tmp_path: Path
) -> None:
    """MAIN-63: once for each request that reads it, whichever process made the request."""
    resumed, undisturbed = usage_after_a_kill(engine(), tmp_path)
    assert undisturbed.prompt_tokens == prompt_tokens
    assert resumed == undisturbed


@pytest.mark.parametrize("logged", [0, 1, 12, 16])
def test_a_log_of_before_tells_what_its_call_had_read_by_then(logged: int, tmp_path: Path) -> None:
    """A completion named the tokens of all requests until then; a run that such a log answers counts the same."""
    engine, log = OneByOne(), CallLog(tmp_path, "run", fsync_seconds=None)
    first = context(engine, log)
    asyncio.run(best_of_n(first, n=16))
    older = CallLog(tmp_path / "older", "run", fsync_seconds=None)
    for position, key in enumerate(list(first.calls._known)[:logged]):
        found = log.find(engine.identity, key)
        assert found is not None
        payload = {name: value for name, value in found.payload.items() if name != "read_tokens"}
        older.append(engine.identity, key, payload | {"prompt_tokens": 100 * (position + 1)})
    engine.ends_after = 100
    resumed = context(engine, older)
    asyncio.run(best_of_n(resumed, n=16))
    assert resumed.usage == first.usage


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
    assert (held.usage.calls, held.calls_left, len(held.whole_solutions())) == (max_calls, 0, max_calls)


def ask_about(image: str, log: CallLog) -> int:
    """How many completions a greedy run pays for, asking about an image."""
    engine = SeededEngine()
    problem = Problem(1, (Message("user", "What is shown?", (image,)),))
    asyncio.run(greedy(Context(problem, Calls(engine, log=log), GenerationConfig())))
    return engine.completions


def test_an_image_is_known_by_its_content_and_an_address_by_its_name(tmp_path: Path) -> None:
    """A replaced file of the same name and size is another question; one that is missing is the engine's to refuse."""
    log, image = CallLog(tmp_path / "log", "run", fsync_seconds=None), tmp_path / "image.png"
    image.write_bytes(b"a cat")
    assert (ask_about(str(image), log), ask_about(str(image), log)) == (1, 0)
    image.write_bytes(b"a dog")
    os.utime(image, (1, 1))
    assert (ask_about(str(image), log), ask_about(str(image), log)) == (1, 0)
    for other in ("https://example.org/image.png", str(tmp_path / "nowhere.png"), "~nobody/image.png", "a\0b"):
        assert (ask_about(other, log), ask_about(other, log)) == (1, 0)


def test_the_log_of_an_earlier_version_answers_what_holds_no_image(tmp_path: Path) -> None:
    """MAIN-62: the key of a text is the one it has always had."""
    log = CallLog(tmp_path, "run", fsync_seconds=None)
    held = context(SeededEngine(), log)
    asyncio.run(greedy(held))
    assert log.find(SeededEngine().identity, "67bf67f056e6b810d38b83a7ed7337ea") is not None


def test_a_log_that_the_code_of_before_wrote_answers_everything(tmp_path: Path) -> None:
    """MAIN-62: its one file, beside which there was no folder of a model; usage is what it was then."""
    shutil.copy(Path(__file__).parent / "golden" / "flat_call_log.jsonl", tmp_path)
    engine, reward_model = SeededEngine(), Likes()
    for run, paid in (("run-a", True), ("run-b", False)):
        held = context(engine, CallLog(tmp_path, run, fsync_seconds=None), reward_model)
        nodes = asyncio.run(best_of_n(held, n=5))
        assert [held.answer_of(node) for node in nodes] == ["1", "2", "3", "4", "5"]
        assert [held.score_of(node) for node in nodes] == [0.2, 0.2, 0.9, 0.2, 0.2]
        counted = Usage(prompt_tokens=11, generated_tokens=40, calls=5, reward_calls=5)
        of_another = Usage(cached_tokens=40, calls=5, cached_calls=5, reward_calls=5, cached_reward_calls=5)
        assert held.usage == (counted if paid else of_another)
    asyncio.run(greedy(context(engine, CallLog(tmp_path, "run-a", fsync_seconds=None))))
    assert (engine.completions, reward_model.scored) == (0, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["flat_call_log.jsonl"]
