"""vLLM says what `transformers` says, by tokens, whoever else is in the batch; the tests share one engine."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from streams import stream
from vllm_asks import ABACUS, GREEDY, QUESTIONS, ROOT, SMALL, answers, ask, wait_for, write

from data_config import supported_dataset
from inference_kit import cli
from inference_kit.errors import EngineError
from inference_kit.models.decode.huggingface import HuggingFace
from inference_kit.models.http.openai import OpenAI
from inference_kit.models.vllm.engine import VLLM
from inference_kit.models.vllm.process import VllmProcess, find_vllm_python
from inference_kit.records import Completion, GenerationConfig
from inference_kit.setup.registries import Registries
from model_config import reward_model_groups

pytestmark = pytest.mark.vllm

SAMPLED = GenerationConfig(max_new_tokens=120, temperature=1.0)


class Kept(VLLM):
    """An engine whose processes stay when a run closes it."""

    process: VllmProcess | None = None

    def __init__(self, model_path: str, *, separator: str = "\n") -> None:
        super().__init__(model_path, separator=separator)
        self._started = Kept.process

    async def close(self) -> None:
        """Leave everything as it is."""


@pytest.fixture(scope="module")
def engine() -> Iterator[VLLM]:
    made = VLLM(ABACUS, separator="\n", engine_args=SMALL)
    asyncio.run(answers(made, ask("?"), replace(GREEDY, max_new_tokens=1)))
    Kept.process = made._started
    yield made
    asyncio.run(made.close())


@pytest.fixture(scope="module")
def reference() -> HuggingFace:
    return HuggingFace(ABACUS, separator="\n")


def test_greedy_texts_equal_those_of_transformers(engine: VLLM, reference: HuggingFace) -> None:
    """MAIN-29: and so do token counts, finish reasons and log-probabilities."""
    prompts = [ask(question) for question in QUESTIONS]
    for [ours], [theirs] in zip(write(engine, prompts, GREEDY), write(reference, prompts, GREEDY), strict=True):
        assert replace(ours, logprob=0.0) == replace(theirs, logprob=0.0)
        assert ours.logprob == pytest.approx(theirs.logprob, abs=1e-3)


def test_what_is_written_depends_on_nothing_but_prompt_and_seed(engine: VLLM) -> None:
    """Seeds in a row share a request, and others do not; neither they nor other prompts change a text."""
    prompts = [ask(question, 3, 4, 5, 9, 4) for question in QUESTIONS]
    together = write(engine, prompts, SAMPLED)
    assert len({each.text for each in together[0]}) > 2
    for prompt, completions in zip(prompts[:3], together, strict=False):
        alone = [write(engine, [replace(prompt, seeds=(seed,))], SAMPLED)[0][0] for seed in prompt.seeds]
        assert alone == completions


def test_the_shortest_completion_comes_first_and_the_longest_last(engine: VLLM) -> None:
    """Each is handed on when it is whole; all are begun together."""

    async def lengths() -> list[int]:
        return [each.tokens async for _, each in engine.generate(ask(QUESTIONS[0], *range(16)), SAMPLED)]

    found = asyncio.run(lengths())
    assert max(found) - min(found) > 10
    assert found[0] <= min(found) + 3 and found[-1] >= max(found) - 3


@pytest.mark.parametrize("step", [{"boundary": "\n"}, {"max_new_tokens": 7}], ids=["separator", "tokens"])
def test_steps_add_up_to_the_uninterrupted_answer(engine: VLLM, step: dict[str, Any]) -> None:
    """MAIN-21: a partial answer goes on from its own tokens."""
    [[whole]] = write(engine, [ask(QUESTIONS[0])], GREEDY)
    text, tokens, steps = "", (), 0
    while steps < 40:
        [[piece]] = write(engine, [ask(QUESTIONS[0], prefix=text, prefix_tokens=tokens)], replace(GREEDY, **step))
        text, tokens, steps = text + piece.text, (*tokens, *piece.token_ids), steps + 1
        if piece.finish_reason == "stop":
            break
        assert piece.finish_reason == ("boundary" if "boundary" in step else "length")
        assert piece.text.endswith(step.get("boundary", ""))
    assert text == whole.text
    assert steps > 1


def test_a_stop_text_is_cut_and_a_stream_adds_up(engine: VLLM) -> None:
    [[whole]] = write(engine, [ask(QUESTIONS[0])], GREEDY)
    config = replace(GREEDY, stop=("answer is", "nowhere"))
    [[cut]] = write(engine, [ask(QUESTIONS[0])], config)
    assert cut.text == whole.text.partition("answer is")[0]
    assert cut.finish_reason == "stop"

    assert asyncio.run(stream(engine, ask(QUESTIONS[0]), config)).texts == [cut.text]
    streamed = asyncio.run(stream(engine, ask(QUESTIONS[0]), GREEDY))
    assert streamed.texts == [whole.text]
    assert len(streamed.pieces[0]) > 5


@pytest.mark.parametrize("setting", [{}, {"boundary": "\n"}, {"branch_first": True}, {"token_details": True}])
def test_a_stream_ends_with_the_completions_that_are_generated_without(engine: VLLM, setting: dict[str, Any]) -> None:
    """The same texts, tokens, log-probabilities and details, of several seeds at once."""
    config = replace(SAMPLED, **setting)
    streamed = asyncio.run(stream(engine, ask(QUESTIONS[0], 0, 1, 2), config))
    [whole] = write(engine, [ask(QUESTIONS[0], 0, 1, 2)], config)
    for ours, theirs in zip(streamed.completions, whole, strict=True):
        assert replace(ours, logprob=None, details=()) == replace(theirs, logprob=None, details=())
        assert ours.logprob == pytest.approx(theirs.logprob, abs=1e-3)
        assert len(ours.details) == len(theirs.details)


def test_branches_begin_with_the_likeliest_tokens(engine: VLLM, reference: HuggingFace) -> None:
    config = replace(GREEDY, branch_first=True, token_details=True)
    prompt = ask(QUESTIONS[1], 0, 1, 2, 3)
    [ours], [theirs] = write(engine, [prompt], config), write(reference, [prompt], config)
    assert [each.text for each in ours] == [each.text for each in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.tokens == len(mine.details)
        assert "".join(token.text for token in mine.details) == mine.text
        for token, expected in zip(mine.details, other.details, strict=True):
            assert token.margin == pytest.approx(expected.margin, abs=1e-3)
            assert token.confidence == pytest.approx(expected.confidence, abs=1e-2)
            assert token.certainty is None
    with pytest.raises(EngineError, match="there is no first token of rank 9999"):
        write(engine, [ask("?", 9999)], config)


def test_a_prompt_that_does_not_fit_fails_alone(engine: VLLM) -> None:
    """MAIN-62: with both lengths."""

    async def both() -> list[Any]:
        long, short = ask("3 " * 2000), ask(QUESTIONS[0])
        return await asyncio.gather(*(answers(engine, each, GREEDY) for each in (long, short)), return_exceptions=True)

    refused, written = asyncio.run(both())
    assert isinstance(refused, EngineError)
    assert "tokens and the model's context 512" in str(refused)
    assert written[0].text


def test_a_request_that_nobody_waits_for_is_withdrawn(engine: VLLM) -> None:
    async def given_up() -> list[Completion]:
        task = asyncio.create_task(answers(engine, ask(QUESTIONS[0], *range(64)), SAMPLED))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await answers(engine, ask(QUESTIONS[0]), GREEDY)

    assert asyncio.run(given_up())[0].text
    assert engine._started is not None
    assert not engine._started._client._asked


@pytest.mark.parametrize(
    "words",
    ["--method greedy", "--method best_of_n --n 16", "--method beam_search --beam-width 2 --n 2 --step-tokens 12"],
)
def test_runs_search_and_resume_on_vllm(engine: VLLM, tmp_path: Path, words: str) -> None:
    """MAIN-31, MAIN-50: with the process reward model beside it; a second run asks for nothing."""
    reward = "none" if "greedy" in words else "abacus_prm"
    command = [*words.split(), "--reward-model", reward, "--limit", "6", "--max-new-tokens", "120"]
    assert run(engine, tmp_path, command)["total"] == 6
    again = run(engine, tmp_path, [*command, "--exp-name", "again"])
    assert again["generated_tokens"] == 0
    assert again["engine_calls"] == 0


def run(engine: VLLM, folder: Path, words: Sequence[str], entry: Any = None) -> dict[str, Any]:
    """The metrics of `run` with the shared engine, or another one."""
    models = {"it": entry or partial(Kept, ABACUS, separator="\n")}
    registries = Registries(models, reward_model_groups, supported_dataset, ROOT)
    before = set(folder.rglob("abacus-*.json"))
    assert cli.main(["run", "--model", "it", "--dataset", "abacus", "--work-dir", str(folder), *words], registries) == 0
    [final, *_] = sorted(set(folder.rglob("abacus-*.json")) - before)
    metrics: dict[str, Any] = json.loads(final.read_text(encoding="utf-8"))["metrics"]
    return metrics


def test_three_ways_to_run_the_model_agree(engine: VLLM, tmp_path: Path) -> None:
    """Hugging Face, vLLM, and a server of vLLM asked over HTTP: each samples and searches by a reward model."""
    methods = {"best_of_n": ["--n", "16"], "beam_search": ["--beam-width", "2", "--n", "2"]}
    rest = ["--reward-model", "abacus_prm", "--limit", "40", "--max-new-tokens", "120"]
    with serving() as address:
        entries = {
            "huggingface": partial(HuggingFace, ABACUS, separator="\n"),
            "vllm": partial(Kept, ABACUS, separator="\n"),
            "server": partial(OpenAI, address, separator="\n"),
        }
        for method, sizes in methods.items():
            words = ["--method", method, *sizes, *rest]
            intervals = [run(engine, tmp_path / name, words, entry)["ci95"] for name, entry in entries.items()]
            assert max(low for low, _ in intervals) <= min(high for _, high in intervals), (method, intervals)


class serving:  # noqa: N801 - read as a phrase
    """A server of vLLM with the bundled model, for as long as the block runs."""

    def __enter__(self) -> str:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"http://127.0.0.1:{free.getsockname()[1]}"
        words = f"--model {ABACUS} --port {address.rpartition(':')[2]} --dtype float32 --enforce-eager"
        cpu = "--no-enable-chunked-prefill --kv-cache-memory-bytes 1000000000 --generation-config vllm"
        command = [str(find_vllm_python()), "-m", "vllm.entrypoints.openai.api_server", *words.split(), *cpu.split()]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        environment = os.environ | {"VLLM_CPU_OMP_THREADS_BIND": "nobind"}
        self.process = subprocess.Popen(command, start_new_session=True, env=environment, **quiet)  # type: ignore[call-overload]
        wait_for(lambda: answers_at(f"{address}/health"), 240)
        return f"{address}/v1"

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def answers_at(address: str) -> bool:
    try:
        return bool(urllib.request.urlopen(address, timeout=2).status == 200)
    except (urllib.error.URLError, OSError):
        return False
