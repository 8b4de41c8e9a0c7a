"""Replicas: to its caller the engine itself; copies may die, and nothing stays behind."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path

import pytest
from fakes import OutOfOrderEngine, SeededEngine, SlowEngine
from replica_fakes import Broken, Mortal, Teller, Unmakeable

from inference_kit.errors import EngineError, UserError
from inference_kit.models.base import Engine
from inference_kit.models.echo import Echo
from inference_kit.models.replica import Maker
from inference_kit.models.replica_process import Processes, ReplicaProcess, share_of_machine, visible_gpus
from inference_kit.models.replicas import Replicas, replicated
from inference_kit.records import Completion, GenerationConfig, Message, Prompt

CONFIG = GenerationConfig()


def prompts(n_prompts: int, n: int) -> list[Prompt]:
    return [Prompt((Message("user", f"question {i}"),), seeds=tuple(range(i, i + n))) for i in range(n_prompts)]


async def written(engine: Engine, asked: Sequence[Prompt]) -> list[list[Completion]]:
    """What an engine writes of all prompts at once; every position comes exactly once."""

    async def one(prompt: Prompt) -> list[Completion]:
        found = [each async for each in engine.generate(prompt, CONFIG)]
        assert sorted(position for position, _ in found) == list(range(prompt.n))
        return [completion for _, completion in sorted(found, key=lambda each: each[0])]

    return await asyncio.gather(*map(one, asked))


def run(make: Maker, asked: Sequence[Prompt], n: int = 2) -> list[list[Completion]]:
    async def all_of_it() -> list[list[Completion]]:
        engine = Replicas(make, n, Processes())
        try:
            return await written(engine, asked)
        finally:
            await engine.close()

    return asyncio.run(all_of_it())


def processes_of(engine: Replicas) -> list[ReplicaProcess]:
    return [replica for replica in engine._load if isinstance(replica, ReplicaProcess)]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def wait_for_end(pids: Sequence[int], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(map(alive, pids))


@pytest.mark.parametrize("engine", [SeededEngine, OutOfOrderEngine])
def test_copies_write_what_the_engine_writes(engine: type[SeededEngine]) -> None:
    asked = prompts(6, 4)
    assert run(partial(engine, answers=5), asked) == asyncio.run(written(engine(answers=5), asked))


def test_it_shows_the_face_of_the_engine() -> None:
    make = partial(SeededEngine, answers=5, separator="##")
    engine, one = Replicas(make, 3, Processes()), make()
    assert (engine.identity, engine.separator, engine.capabilities) == (one.identity, one.separator, one.capabilities)
    assert engine.concurrency == 3 * one.concurrency
    assert engine.render([Message("user", "a")]) == "a"
    with pytest.raises(UserError, match="cannot apply stop"):
        Replicas(Echo, 2, Processes()).check(GenerationConfig(stop=("x",)))


def test_one_copy_is_the_engine_itself() -> None:
    assert isinstance(replicated(SeededEngine, 1, "processes"), SeededEngine)


def test_each_prompt_goes_to_the_copy_with_the_least_to_do(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    told = [completion.text.split() for [completion] in run(Teller, prompts(4, 1))]
    assert len({pid for pid, _, _ in told}) == 2
    assert sorted((threads, gpus) for _, threads, gpus in told) == [("3", "4,5")] * 2 + [("3", "6,7")] * 2
    assert "printed by a copy" not in capfd.readouterr().out


def test_gpus_and_cores_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def shares(n: int, *gpus: str) -> list[str | None]:
        return [share_of_machine(number, n, gpus).get("CUDA_VISIBLE_DEVICES") for number in range(n)]

    assert shares(2, "0", "1", "2", "3") == ["0,1", "2,3"]
    assert shares(3, "0", "1", "2", "3") == ["0", "1", "2"]
    assert shares(3, "GPU-a", "GPU-b") == ["GPU-a", "GPU-b", "GPU-a"]
    assert shares(2) == [None, None]
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert share_of_machine(0, 3, [])["OMP_NUM_THREADS"] == "2"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []


def test_others_take_over_from_a_copy_that_dies(tmp_path: Path) -> None:
    asked = prompts(6, 4)
    make = partial(Mortal, mark=str(tmp_path / "mark"))
    assert run(make, asked) == asyncio.run(written(SeededEngine("mortal"), asked))
    assert (tmp_path / "mark").exists()


def test_a_copy_killed_from_outside_is_no_loss() -> None:
    async def scene() -> list[list[Completion]]:
        engine = Replicas(SlowEngine, 2, Processes())
        try:
            working = asyncio.create_task(written(engine, asked))
            while not any(0 < load < 20 for load in engine._load.values()):
                assert not working.done()
                await asyncio.sleep(0.01)
            [victim, *_] = [each for each in processes_of(engine) if 0 < engine._load[each] < 20]
            os.kill(victim.pid, signal.SIGKILL)
            return await working
        finally:
            await engine.close()

    asked = prompts(2, 20)
    assert asyncio.run(scene()) == asyncio.run(written(SlowEngine(), asked))


def test_with_all_copies_dead_the_run_ends_with_one_line() -> None:
    with pytest.raises(UserError, match=r"replica \d has died \(ended by SIGKILL\)\. What is finished is kept"):
        run(Mortal, prompts(4, 4))


@pytest.mark.parametrize(
    ("path", "error", "said"),
    [
        ("weights", UserError, "the weights are damaged"),
        ("problem", EngineError, "this prompt is too long"),
        ("bug", ZeroDivisionError, "a bug"),
    ],
)
def test_errors_arrive_as_they_were_raised(path: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said) as caught:
        run(partial(Broken, path), prompts(1, 1))
    assert type(caught.value) is error
    if path == "bug":
        assert "vanilla_generate" in caught.value.__notes__[0]


def test_a_copy_that_cannot_be_made_says_why() -> None:
    with pytest.raises(UserError, match="no such folder on this machine"):
        run(partial(Unmakeable, home=os.getpid()), prompts(1, 1))


def test_what_has_no_name_elsewhere_is_refused() -> None:
    with pytest.raises(UserError, match=r"--replicas: this model cannot be made in another process"):
        Replicas(lambda: Echo(), 2, Processes()).check(CONFIG)


def test_it_streams_and_works_again_after_a_close() -> None:
    async def scene(engine: Replicas) -> list[str]:
        [prompt] = prompts(1, 1)
        try:
            return [piece async for piece in engine.stream(prompt, CONFIG)]
        finally:
            await engine.close()

    engine = Replicas(Echo, 2, Processes())
    assert [asyncio.run(scene(engine)) for _ in range(2)] == [["question 0"]] * 2


def test_who_goes_away_takes_the_request_back_and_close_leaves_no_process() -> None:
    async def scene() -> list[int]:
        engine = Replicas(SlowEngine, 2, Processes())
        [prompt] = prompts(1, 1000)
        async with aclosing(engine.generate(prompt, CONFIG)) as answers:  # type: ignore[type-var]
            async for _ in answers:
                break
        assert set(engine._load.values()) == {0}
        pids = [each.pid for each in processes_of(engine)]
        await engine.close()
        return pids

    pids = asyncio.run(scene())
    assert len(pids) == 2
    assert wait_for_end(pids)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_no_process_outlives_a_killed_parent(end: signal.Signals) -> None:
    script = """
        import asyncio, sys
        from fakes import SlowEngine
        from inference_kit.models.replica_process import Processes
        from inference_kit.models.replicas import Replicas
        from inference_kit.records import GenerationConfig, Message, Prompt

        async def main():
            engine = Replicas(SlowEngine, 2, Processes())
            prompt = Prompt((Message("user", "?"),), seeds=tuple(range(100_000)))
            async for _ in engine.generate(prompt, GenerationConfig()):
                print(*[replica.pid for replica in engine._load], flush=True)

        asyncio.run(main())
    """
    home = Path(__file__).resolve().parents[2]
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(home), str(home / "tests")])},
    )
    assert parent.stdout
    with parent.stdout:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.send_signal(end)
    parent.wait()
    assert wait_for_end(pids)


@pytest.mark.slow
def test_two_copies_of_the_bundled_model_say_what_one_says(tmp_path: Path) -> None:
    """MAIN-62: the same seeds give the same file."""
    import main

    finals = []
    for replicas in ("1", "2"):
        folder = tmp_path / replicas
        words = ["run", "--limit", "6", "--n", "4", "--reward-model", "none", "--work-dir", str(folder)]
        assert main.main([*words, "--replicas", replicas]) == 0
        [path] = folder.glob("*/*/*-majority_vote.json")
        results = json.loads(path.read_text())["results"]
        finals.append([[each["text"] for each in entry["candidates"]] for entry in results])
    assert finals[0] == finals[1]
