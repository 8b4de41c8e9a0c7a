"""Calls: their keys, the call log, streams, and what is counted."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import Likes, OutOfOrderEngine, SeededEngine

from inference_kit.budget import RunBudget
from inference_kit.calls import Calls
from inference_kit.context import Context
from inference_kit.models.base import Capabilities
from inference_kit.records import Completion, GenerationConfig, Message, Problem, Prompt, StepScores, Usage
from inference_kit.search.best_of_n import best_of_n
from inference_kit.search.greedy import greedy
from inference_kit.store.call_log import CallLog

PROBLEM = Problem(17, (Message("user", "What is it?"),), answer="3")
PROMPT = Prompt(PROBLEM.messages, seeds=(3, 4, 5))
CONFIG = GenerationConfig()


def context(engine: SeededEngine, log: CallLog | None = None, reward_model: Likes | None = None) -> Context:
    return Context(PROBLEM, Calls(engine, reward_model, log), CONFIG)


class Speaker(SeededEngine):
    """Streams a few characters at a time, the last seed first."""

    async def stream(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, str | Completion]]:
        for position in reversed(range(prompt.n)):
            completion = self._write(prompt, prompt.seeds[position])
            for start in range(0, len(completion.text), 8):
                yield position, completion.text[start : start + 8]
            yield position, completion


def stream(calls: Calls, prompt: Prompt = PROMPT) -> list[tuple[int, str | Completion]]:
    async def read() -> list[tuple[int, str | Completion]]:
        return [item async for item in calls.stream(prompt, CONFIG)]

    return asyncio.run(read())


def test_completions_come_in_the_order_of_the_seeds() -> None:
    engine = OutOfOrderEngine(answers=1000)
    completions = asyncio.run(Calls(engine).complete(PROMPT, CONFIG))
    assert [completion.text[-5:] for completion in completions] == ["d{3}.", "d{4}.", "d{5}."]
    assert engine.completions == 3


def test_a_stream_is_logged_and_counted_like_any_call(tmp_path: Path) -> None:
    """Under the same keys: what was streamed is not written again, and the other way round."""
    log = CallLog(tmp_path, "run-a", fsync_seconds=None)
    streamed, engine = Calls(Speaker(), log=log), Speaker()
    items = stream(streamed)
    completions = {position: item for position, item in items if isinstance(item, Completion)}
    again = Calls(engine, log=CallLog(tmp_path, "run-a", fsync_seconds=None))
    assert asyncio.run(again.complete(PROMPT, CONFIG)) == [completions[position] for position in range(3)]
    assert engine.completions == 0
    assert again.usage == streamed.usage == Usage(prompt_tokens=11, generated_tokens=24, calls=3)


def test_pieces_join_to_the_text_and_a_known_text_is_one_piece(tmp_path: Path) -> None:
    calls = Calls(Speaker(), log=CallLog(tmp_path, "run", fsync_seconds=None))
    for prompt, n_pieces in ((PROMPT, 4), (PROMPT, 1), (replace(PROMPT, seeds=(3, 9)), None)):
        items = stream(calls, prompt)
        for position in range(prompt.n):
            *pieces, completion = [item for place, item in items if place == position]
            assert isinstance(completion, Completion)
            assert "".join(piece for piece in pieces if isinstance(piece, str)) == completion.text
            assert n_pieces is None or len(pieces) == n_pieces


def test_an_engine_that_does_not_stream_gives_one_piece_for_each_text() -> None:
    items = stream(Calls(SeededEngine()))
    assert [type(item) for _, item in items] == [str, Completion] * 3


def test_two_who_stream_the_same_at_temperature_0_write_it_once() -> None:
    calls = Calls(Speaker())

    async def both() -> list[list[tuple[int, str | Completion]]]:
        async def read() -> list[tuple[int, str | Completion]]:
            return [item async for item in calls.stream(replace(PROMPT, seeds=(0,)), replace(CONFIG, temperature=0.0))]

        return list(await asyncio.gather(read(), read()))

    first, second = asyncio.run(both())
    assert first[-1] == second[-1]
    assert calls.usage.calls == 1


def test_a_score_is_logged_and_looked_up(tmp_path: Path) -> None:
    reward_model = Likes()
    for run, cached in (("a", 0), ("a", 0), ("b", 1)):
        calls = Calls(SeededEngine(), reward_model, CallLog(tmp_path, run, fsync_seconds=None))
        scores = asyncio.run(calls.score(PROBLEM, ("Think.", "So it is \\boxed{3}.")))
        assert scores == StepScores((0.5, 0.9))
        assert calls.usage == Usage(reward_calls=1, cached_reward_calls=cached)
    assert reward_model.scored == 1


def test_what_is_paid_counts_for_the_run_too() -> None:
    budget = RunBudget()
    for _ in range(2):
        asyncio.run(Calls(SeededEngine(), run_budget=budget).complete(PROMPT, CONFIG))
    assert budget.spent == Usage(prompt_tokens=22, generated_tokens=48, calls=6)


def test_a_model_logs_in_its_own_folder(tmp_path: Path) -> None:
    calls = Calls(SeededEngine(), Likes(), CallLog(tmp_path, "run", fsync_seconds=None))
    asyncio.run(calls.complete(PROMPT, CONFIG))
    asyncio.run(calls.score(PROBLEM, ("Think.",)))
    assert sorted(path.name.partition("-")[0] for path in tmp_path.iterdir()) == ["likes_3", "seeded_seeded_7"]


def test_what_another_run_paid_for_costs_no_prompt_tokens(tmp_path: Path) -> None:
    """A run's --max-cost counts what it pays for, and no more."""
    engine = SeededEngine()
    first = context(engine, CallLog(tmp_path, "run-a", fsync_seconds=None))
    asyncio.run(best_of_n(first, n=4))
    second = context(engine, CallLog(tmp_path, "run-b", fsync_seconds=None))
    asyncio.run(best_of_n(second, n=4))
    assert first.calls.usage.prompt_tokens == len("What is it?")
    assert second.calls.usage.prompt_tokens == 0


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
    return resumed.calls.usage, undisturbed.calls.usage


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
    assert resumed.calls.usage == first.calls.usage


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
        assert held.calls.usage == (counted if paid else of_another)
    asyncio.run(greedy(context(engine, CallLog(tmp_path, "run-a", fsync_seconds=None))))
    assert (engine.completions, reward_model.scored) == (0, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["flat_call_log.jsonl"]


class Shortened(SeededEngine):
    """Ends at the token limit where its text of 8 tokens is longer; an even seed writes nothing that long."""

    def _write(self, prompt: Prompt, seed: int) -> Completion:
        completion = super()._write(prompt, seed)
        return replace(completion, tokens=4) if seed % 2 == 0 else replace(completion, finish_reason="length")


def test_what_ended_by_itself_is_taken_over_by_a_higher_token_limit(tmp_path: Path) -> None:
    """Issue 12: what was cut off is written anew, and a lower limit takes nothing."""
    low, high = (replace(CONFIG, max_new_tokens=limit) for limit in (5, 50))
    prompt = replace(PROMPT, seeds=(2, 3, 4))
    first = asyncio.run(Calls(Shortened(), log=CallLog(tmp_path, "a", fsync_seconds=None)).complete(prompt, low))
    for run in ("b", "b"):
        engine = SeededEngine()
        calls = Calls(engine, log=CallLog(tmp_path, run, fsync_seconds=None))
        found = asyncio.run(calls.complete(prompt, high))
        assert (found[0], found[2]) == (first[0], first[2])
        assert found[1].finish_reason == "stop"
        assert (calls.usage.calls, calls.usage.cached_calls, calls.usage.generated_tokens) == (3, 2, 8)
    assert engine.completions == 0
    lower = SeededEngine()
    asyncio.run(
        Calls(lower, log=CallLog(tmp_path, "c", fsync_seconds=None)).complete(prompt, replace(CONFIG, max_new_tokens=3))
    )
    assert lower.completions == 3


def test_a_run_takes_nothing_over_from_itself(tmp_path: Path) -> None:
    """So a resumed run counts what an undisturbed one does."""
    for limit in (5, 50):
        engine = SeededEngine()
        calls = Calls(engine, log=CallLog(tmp_path, "a", fsync_seconds=None))
        asyncio.run(calls.complete(PROMPT, replace(CONFIG, max_new_tokens=limit)))
        assert engine.completions == 3
