"""vLLM says what `transformers` says, by tokens, whoever else is in the batch; the tests share one engine."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import tiny_models

from data_config import supported_dataset
from inference_kit import cli
from inference_kit.cli.registries import Registries
from inference_kit.errors import EngineError, UserError
from inference_kit.models.huggingface import HuggingFace
from inference_kit.models.local_model import LocalModel
from inference_kit.models.openai import OpenAI
from inference_kit.models.vllm import VLLM
from inference_kit.models.vllm_process import VllmProcess, vllm_python
from inference_kit.records import Completion, GenerationConfig, Message, Problem, Prompt
from inference_kit.reward_models.qwen_prm import QwenPRM
from inference_kit.reward_models.sequence_orm import SequenceORM
from inference_kit.reward_models.token_prm import TokenPRM
from inference_kit.reward_models.vllm_pooling import VllmPooling
from model_config import bundled, reward_model_groups

pytestmark = pytest.mark.vllm
shares_engine = pytest.mark.xdist_group("engine")

ROOT = Path(__file__).resolve().parents[2]
ABACUS = str(bundled / "abacus")
QUESTIONS = [
    json.loads(line)["question"] for line in (ROOT / "benchmark" / "abacus.jsonl").read_text().splitlines()[:12]
]
SMALL = ("kv_cache_memory_bytes=1000000000",)
"""Two workers of pytest-xdist share the device."""
GREEDY = GenerationConfig(max_new_tokens=120, temperature=0.0)
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


def ask(text: str, *seeds: int, prefix: str = "", prefix_tokens: Sequence[int] = ()) -> Prompt:
    return Prompt((Message("user", text),), prefix, seeds or (0,), tuple(prefix_tokens))


async def answers(engine: LocalModel, prompt: Prompt, config: GenerationConfig) -> list[Completion]:
    found = {place: completion async for place, completion in engine.generate(prompt, config)}
    return [found[place] for place in range(prompt.n)]


def write(engine: LocalModel, prompts: Sequence[Prompt], config: GenerationConfig) -> list[list[Completion]]:
    async def all_at_once() -> list[list[Completion]]:
        return await asyncio.gather(*(answers(engine, prompt, config) for prompt in prompts))

    return asyncio.run(all_at_once())


@shares_engine
def test_greedy_texts_equal_those_of_transformers(engine: VLLM, reference: HuggingFace) -> None:
    """MAIN-29: and so do token counts, finish reasons and log-probabilities."""
    prompts = [ask(question) for question in QUESTIONS]
    for [ours], [theirs] in zip(write(engine, prompts, GREEDY), write(reference, prompts, GREEDY), strict=True):
        assert replace(ours, logprob=0.0) == replace(theirs, logprob=0.0)
        assert ours.logprob == pytest.approx(theirs.logprob, abs=1e-3)


@shares_engine
def test_what_is_written_depends_on_nothing_but_prompt_and_seed(engine: VLLM) -> None:
    """Seeds in a row share a request, and others do not; neither they nor other prompts change a text."""
    prompts = [ask(question, 3, 4, 5, 9, 4) for question in QUESTIONS]
    together = write(engine, prompts, SAMPLED)
    assert len({each.text for each in together[0]}) > 2
    for prompt, completions in zip(prompts[:3], together, strict=False):
        alone = [write(engine, [replace(prompt, seeds=(seed,))], SAMPLED)[0][0] for seed in prompt.seeds]
        assert alone == completions


@shares_engine
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


@shares_engine
def test_a_stop_text_is_cut_and_a_stream_adds_up(engine: VLLM) -> None:
    [[whole]] = write(engine, [ask(QUESTIONS[0])], GREEDY)
    config = replace(GREEDY, stop=("answer is", "nowhere"))
    [[cut]] = write(engine, [ask(QUESTIONS[0])], config)
    assert cut.text == whole.text.partition("answer is")[0]
    assert cut.finish_reason == "stop"

    async def streamed(config: GenerationConfig) -> list[str]:
        return [piece async for piece in engine.stream(ask(QUESTIONS[0]), config)]

    assert "".join(asyncio.run(streamed(config))) == cut.text
    pieces = asyncio.run(streamed(GREEDY))
    assert "".join(pieces) == whole.text
    assert len(pieces) > 5


@shares_engine
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


@shares_engine
def test_a_prompt_that_does_not_fit_fails_alone(engine: VLLM) -> None:
    """MAIN-62: with both lengths."""

    async def both() -> list[Any]:
        long, short = ask("3 " * 2000), ask(QUESTIONS[0])
        return await asyncio.gather(*(answers(engine, each, GREEDY) for each in (long, short)), return_exceptions=True)

    refused, written = asyncio.run(both())
    assert isinstance(refused, EngineError)
    assert "tokens and the model's context 512" in str(refused)
    assert written[0].text


@shares_engine
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
    assert not engine._started._asked


@shares_engine
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


@shares_engine
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
        command = [str(vllm_python()), "-m", "vllm.entrypoints.openai.api_server", *words.split(), *cpu.split()]
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


def wait_for(true: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.2)


def test_an_adapter_changes_the_output_as_the_merged_weights_do(reference: HuggingFace, tmp_path: Path) -> None:
    """LF-03: on vLLM beside the base, on Hugging Face merged."""
    adapter = write_adapter(tmp_path / "adapter")
    prompts = [ask(question) for question in QUESTIONS[:4]]
    config = replace(GREEDY, max_new_tokens=24)
    ours = VLLM(str(adapter), separator="\n", engine_args=SMALL)
    merged = HuggingFace(str(adapter), separator="\n")
    try:
        texts = [completion.text for [completion] in write(ours, prompts, config)]
    finally:
        asyncio.run(ours.close())
    assert texts == [completion.text for [completion] in write(merged, prompts, config)]
    assert texts != [completion.text for [completion] in write(reference, prompts, config)]
    assert ours.identity != VLLM(ABACUS, separator="\n", engine_args=SMALL).identity


def write_adapter(folder: Path) -> Path:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(3)
        config = LoraConfig(r=4, lora_alpha=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
        get_peft_model(AutoModelForCausalLM.from_pretrained(ABACUS), config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", ["qwen_prm", "token_prm", "sequence_orm"])
def test_pooled_scores_equal_those_of_transformers(kind: str, tmp_path: Path) -> None:
    """MAIN-44: the same text, the same head, the same way from outputs to scores."""
    made: dict[str, Callable[[], Any]] = {
        "qwen_prm": lambda: QwenPRM(str(write_qwen_prm(tmp_path / kind))),
        "token_prm": lambda: TokenPRM(write_classifier(tmp_path / kind, "AutoModelForTokenClassification", 3)),
        "sequence_orm": lambda: SequenceORM(write_classifier(tmp_path / kind, "AutoModelForSequenceClassification", 1)),
    }
    expected = made[kind]()
    pooled = VllmPooling(str(tmp_path / kind))
    pooled.check()
    problem = Problem(0, (Message("user", "How many are left?"),))
    items = [(problem, ("So the sum is 42.", "The answer is 12.")), (problem, ("one", "two", "three and more"))]
    try:
        found = pooled.score_batch(items)
    finally:
        asyncio.run(pooled.close())
    for ours, theirs in zip(found, expected.score_batch(items), strict=True):
        assert ours.scores == pytest.approx(theirs.scores, abs=1e-4)
        assert ours.tokens == theirs.tokens


def write_classifier(folder: Path, auto_class: str, labels: int) -> str:
    sizes = {"head_dim": 32, "max_position_embeddings": 256}
    return str(tiny_models.write(folder, "llama", auto_class=auto_class, num_labels=labels, **sizes))


def write_qwen_prm(folder: Path) -> Path:
    """The architecture of Qwen2.5-Math-PRM; its head sizes are ones that vLLM has kernels for."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    words = tiny_models.tokenizer().__class__(tokenizer_object=tiny_models.tokenizer()._tokenizer, eos_token="<|end|>")
    words.chat_template = tiny_models.TEMPLATE
    words.add_tokens(["<extra_0>"])
    sizes = {"hidden_size": 128, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = Qwen2Config(vocab_size=len(words), num_key_value_heads=2, max_position_embeddings=256, **sizes)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        Qwen2ForCausalLM(config).save_pretrained(folder)
    words.save_pretrained(folder)
    tiny_models.write_head(folder, {"score.0": (128, 128), "score.2": (2, 128)})
    config_file = folder / "config.json"
    config_file.write_text(config_file.read_text().replace("Qwen2ForCausalLM", "Qwen2ForProcessRewardModel"))
    return folder


@pytest.mark.parametrize(
    ("further", "said"),
    [
        ("max_num_seq=4", r"--engine-args: unknown engine argument of vLLM 'max_num_seq'. Did you mean 'max_num_seqs'"),
        ("kv_cache_memory_bytes=1000", r"vLLM has too little memory for abacus: .* Lower --max-model-len"),
    ],
)
def test_an_engine_that_does_not_load_says_why(further: str, said: str) -> None:
    engine = VLLM(ABACUS, engine_args=(further,))
    with pytest.raises(UserError, match=said):
        write(engine, [ask("?")], GREEDY)
    asyncio.run(engine.close())


@pytest.mark.parametrize(
    "signals", [(signal.SIGKILL,), (signal.SIGINT,), (signal.SIGTERM,)], ids=lambda each: each[0].name
)
def test_nothing_stays_when_a_run_is_ended(signals: Sequence[signal.Signals], tmp_path: Path) -> None:
    """MAIN-55: neither vLLM's processes nor their children."""
    words = f"run --model vllm --model-path {ABACUS} --limit 1000 --n 64 --dataset abacus --work-dir {tmp_path}"
    words += f" --engine-args {SMALL[0]}"
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "main.py"), *words.split()],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=hear_interrupts,
    )
    wait_for(lambda: any(tmp_path.rglob("*.jsonl")) and len(group_of_host(process.pid)) > 1, 240)
    started = group_of_host(process.pid)
    for each in signals:
        process.send_signal(each)
    code = process.wait(60)
    assert signals[0] != signal.SIGINT or code == 130
    wait_for(lambda: not any(is_alive(pid) for pid in started), 30)


def hear_interrupts() -> None:
    """A background job of a shell ignores Ctrl-C, and so does whatever it starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def group_of_host(parent: int) -> list[int]:
    """The processes in the group of the host that `parent` has started."""
    table = {int(path.name): stat_of(path) for path in Path("/proc").iterdir() if path.name.isdecimal()}
    groups = {int(stat[2]) for pid, stat in table.items() if stat and int(stat[1]) == parent and int(stat[2]) == pid}
    return [pid for pid, stat in table.items() if stat and int(stat[2]) in groups]


def stat_of(path: Path) -> list[str]:
    """State, parent and group of a process; empty where it is gone."""
    try:
        return (path / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def is_alive(pid: int) -> bool:
    stat = stat_of(Path(f"/proc/{pid}"))
    return bool(stat) and stat[0] != "Z"
