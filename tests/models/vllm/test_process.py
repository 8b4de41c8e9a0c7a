"""The process that vLLM runs in, by a stand-in for its engine: requests, refusals, deaths, no orphans."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from inference_kit.errors import EngineError, UserError
from inference_kit.models.vllm import process as vllm_process
from inference_kit.models.vllm.engine import VLLM, read_engine_args
from inference_kit.models.vllm.messages import Write
from inference_kit.models.vllm.process import VllmProcess, require_vllm
from inference_kit.processes.child import extend_environment
from inference_kit.records import GenerationConfig, Message, Prompt
from model_config import bundled

StandIn = Callable[..., VllmProcess]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """A function that starts the stand-in, which does `loading` first."""
    monkeypatch.setattr(vllm_process, "require_vllm", lambda _: sys.executable)
    monkeypatch.setattr(vllm_process, "HOST", "vllm_stand_in")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))

    def start(loading: str = "") -> VllmProcess:
        return VllmProcess("mine", "--model vllm", {"loading": loading})

    return start


async def outputs(process: VllmProcess, *ids: int) -> list[Any]:
    """What a completion says, which is its prompt."""
    return [written.token_ids async for written in process.ask(Write(ids, (0,), {}))]


def ends(pid: int) -> bool:
    """Whether a process that was killed is gone within seconds; a signal takes a moment to be heard."""
    end = time.monotonic() + 10
    while is_alive(pid) and time.monotonic() < end:
        os.sched_yield()
    return not is_alive(pid)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_each_caller_gets_its_own_reply_in_any_event_loop(start: StandIn) -> None:
    process = start()

    async def three() -> list[Any]:
        return await asyncio.gather(*(outputs(process, number) for number in (3, 4, 5)))

    assert asyncio.run(three()) == [[[3]], [[4]], [[5]]]
    assert asyncio.run(three()) == [[[3]], [[4]], [[5]]]
    asyncio.run(process.close())


def test_a_refusal_is_about_one_request(start: StandIn) -> None:
    """MAIN-62."""
    process = start()

    async def both() -> list[Any]:
        return await asyncio.gather(outputs(process, 0), outputs(process, 3), return_exceptions=True)

    refused, written = asyncio.run(both())
    assert isinstance(refused, EngineError)
    assert str(refused) == "mine: vLLM refuses: too long"
    assert written == [[3]]
    asyncio.run(process.close())


def test_closing_ends_everything_that_was_started(start: StandIn) -> None:
    process = start()
    child = asyncio.run(process.wait_until_ready()).max_model_len
    asyncio.run(process.close())
    assert ends(child)
    assert ends(process.pid)
    with pytest.raises(UserError, match="the vLLM engine of mine is closed"):
        asyncio.run(outputs(process, 3))


def test_an_engine_that_dies_says_why_and_leaves_nothing(start: StandIn) -> None:
    process = start()
    child = asyncio.run(process.wait_until_ready()).max_model_len
    with pytest.raises(UserError) as found:
        asyncio.run(outputs(process, 1))
    assert str(found.value) == (
        "--model vllm: the vLLM engine of mine has died: CUDA out of memory, tried 2 GiB. Lower --max-model-len, or "
        "max_num_seqs by --engine-args."
    )
    assert not isinstance(found.value, EngineError)  # the run stops, because every further call would fail too
    asyncio.run(process.close())
    assert ends(child)


@pytest.mark.parametrize(
    ("loading", "line"),
    [
        (
            "raise LoadFailure(LoadError('ValueError: Unknown quantization method: fp9'))",
            "--model vllm: vLLM does not load mine: ValueError: Unknown quantization method: fp9. --debug shows its "
            "log.",
        ),
        (
            "log('ValueError: Free memory on device cuda:0 (1/80 GiB) is less than desired'); "
            "raise LoadFailure(LoadError('RuntimeError: Engine core initialization failed. See root cause above.'))",
            "--model vllm: vLLM has too little memory for mine: Free memory on device cuda:0 (1/80 GiB) is less than "
            "desired. Lower --max-model-len or --gpu-memory-utilization (two engines on one GPU share it), or use "
            "--quantization or --tensor-parallel-size.",
        ),
        (
            "log('ImportError: libcudart.so.12: cannot open shared object file'); os._exit(1)",
            "--model vllm: vLLM does not load mine: libcudart.so.12: cannot open shared object file. --debug shows its "
            "log.",
        ),
        (
            "raise LoadFailure(UnknownArgument('max_num_seq', ('max_num_seqs', 'dtype')))",
            "--engine-args: unknown engine argument of vLLM 'max_num_seq'. Did you mean 'max_num_seqs'? Known: dtype, "
            "max_num_seqs.",
        ),
    ],
    ids=["refused", "memory", "broken", "unknown argument"],
)
def test_an_engine_that_does_not_load_says_why(start: StandIn, loading: str, line: str) -> None:
    process = start(loading)
    with pytest.raises(UserError) as found:
        asyncio.run(outputs(process, 3))
    assert str(found.value) == line
    asyncio.run(process.close())


def test_a_caller_that_leaves_takes_its_request_back(start: StandIn) -> None:
    process = start()

    async def leave() -> None:
        await process.wait_until_ready()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(outputs(process, 2), timeout=0.1)
        await outputs(process, 3)

    asyncio.run(leave())
    asyncio.run(process.close())
    process._child.wait_for_log()
    assert "cancelled (2,)" in process._child.last_lines


def test_without_vllm_the_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm_process, "ENVIRONMENT", tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"--model vllm: vLLM is not installed. Run: bash scripts/setup.sh --vllm."):
        require_vllm("--model vllm")
    with pytest.raises(UserError, match="vLLM is not installed"):
        VLLM(str(bundled / "abacus")).check(GenerationConfig(max_new_tokens=8))


def test_the_host_inherits_the_environment_and_keeps_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.delenv("VLLM_LOGGING_LEVEL", raising=False)
    found = extend_environment(vllm_process.choose_environment())
    assert found["CUDA_VISIBLE_DEVICES"] == "1"
    assert found["VLLM_LOGGING_LEVEL"] == "WARNING"
    assert found["VLLM_NO_USAGE_STATS"] == "1"
    monkeypatch.setenv("VLLM_LOGGING_LEVEL", "DEBUG")
    found = extend_environment(vllm_process.choose_environment())
    assert found["VLLM_LOGGING_LEVEL"] == os.environ["VLLM_LOGGING_LEVEL"]


def test_the_host_starts_without_what_vllm_may_load_otherwise() -> None:
    """Its Python is another one, and whatever is imported before vLLM slows its start."""
    program = (
        "import sys; import inference_kit.models.vllm.host, inference_kit.processes.__main__;"
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'numpy', 'sympy', 'aiohttp', 'yaml')))"
    )
    home = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", program], cwd=home, check=False).returncode == 0


def test_each_completion_is_handed_on_when_it_is_whole(start: StandIn) -> None:
    """A kill costs only what is being written, and whoever waits for one does not wait for its siblings."""
    engine = VLLM(str(bundled / "abacus"))
    engine._started = start()
    prompt = Prompt((Message("user", "Which?"),), seeds=(5, 60, 7, 8))  # of seed 60, the stand-in never finishes

    async def first_three(config: GenerationConfig) -> list[int]:
        async with aclosing(engine.generate(prompt, config)) as written:  # type: ignore[type-var]
            return [(await anext(written))[0] for _ in range(3)]

    assert sorted(asyncio.run(first_three(GenerationConfig(max_new_tokens=8)))) == [0, 2, 3]
    ranks = GenerationConfig(max_new_tokens=8, branch_first=True)
    assert sorted(asyncio.run(first_three(ranks))) == [0, 2, 3]
    asyncio.run(engine.close())


def test_engine_arguments_are_read_as_json_where_they_are() -> None:
    pairs = ("max-num-seqs=4", "kv_cache_dtype=fp8", "enable_prefix_caching=false", 'hf_overrides={"a": 1}')
    assert read_engine_args(pairs) == {
        "max_num_seqs": 4,
        "kv_cache_dtype": "fp8",
        "enable_prefix_caching": False,
        "hf_overrides": {"a": 1},
    }
    with pytest.raises(UserError, match="expected key=value, got 'max_num_seqs'"):
        read_engine_args(("max_num_seqs",))


@pytest.mark.parametrize("name", ["frequency_penalty", "presence_penalty"])
def test_a_penalty_that_counts_what_was_written_is_refused_where_steps_go_on(name: str) -> None:
    """What was written before is prompt to vLLM; the repetition penalty counts that too."""
    engine = VLLM(str(bundled / "abacus"))
    with pytest.raises(UserError, match=f"mcts goes on with partial answers, where engine VLLM would begin {name}"):
        engine.check_continuation(GenerationConfig(**{name: 0.5}), "mcts")
    engine.check_continuation(GenerationConfig(repetition_penalty=1.2), "mcts")


def test_engine_arguments_by_name_are_those_of_a_flag_and_change_the_identity() -> None:
    """A registry entry may hold any of vLLM's own."""
    path = str(bundled / "abacus")
    by_name, by_flag = VLLM(path, max_num_seqs=4), VLLM(path, engine_args=("max_num_seqs=4",))
    assert by_name.identity == by_flag.identity != VLLM(path).identity
    assert by_name._build_arguments()["max_num_seqs"] == 4
    assert VLLM(path, max_model_len=100).context_length == 100
    assert VLLM(path, max_model_len=100).identity == VLLM(path).identity
