"""Replicas: to its caller the engine itself; copies may die, and nothing stays behind."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path

import pytest
from fakes import OutOfOrderEngine, SeededEngine, SlowEngine
from loguru import logger
from replica_fakes import Broken, Mortal, Stuck, Teller, Unmakeable
from streams import stream_and_close

from inference_kit.errors import EngineError, UserError
from inference_kit.models.base import Engine
from inference_kit.models.echo import Echo
from inference_kit.models.replicas.engine import Copy, Replicas, replicate_engine
from inference_kit.models.replicas.local_processes import (
    LocalProcesses,
    ReplicaProcess,
    divide_machine,
    list_visible_gpus,
)
from inference_kit.models.replicas.replica import Answer, EngineFactory, ReplicaLost, Request
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


def run(make: EngineFactory, asked: Sequence[Prompt], n: int = 2) -> list[list[Completion]]:
    async def all_of_it() -> list[list[Completion]]:
        engine = Replicas(make, n, LocalProcesses())
        try:
            return await written(engine, asked)
        finally:
            await engine.close()

    return asyncio.run(all_of_it())


def pid_of(copy: Copy) -> int:
    assert isinstance(copy.replica, ReplicaProcess)
    return copy.replica.pid


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
    engine, one = Replicas(make, 3, LocalProcesses()), make()
    assert (engine.identity, engine.separator, engine.capabilities) == (one.identity, one.separator, one.capabilities)
    assert engine.concurrency == 3 * one.concurrency
    assert engine.render([Message("user", "a")]) == "a"
    with pytest.raises(UserError, match="cannot apply stop"):
        Replicas(Echo, 2, LocalProcesses()).check(GenerationConfig(stop=("x",)))


def test_one_copy_is_the_engine_itself() -> None:
    assert isinstance(replicate_engine(SeededEngine, 1, "processes"), SeededEngine)


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
        return [divide_machine(number, n, gpus).get("CUDA_VISIBLE_DEVICES") for number in range(n)]

    assert shares(2, "0", "1", "2", "3") == ["0,1", "2,3"]
    assert shares(3, "0", "1", "2", "3") == ["0", "1", "2"]
    assert shares(3, "GPU-a", "GPU-b") == ["GPU-a", "GPU-b", "GPU-a"]
    assert shares(2) == [None, None]
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert divide_machine(0, 3, [])["OMP_NUM_THREADS"] == "2"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert list_visible_gpus() == []


def test_others_take_over_from_a_copy_that_dies(tmp_path: Path) -> None:
    asked = prompts(6, 4)
    make = partial(Mortal, mark=str(tmp_path / "mark"))
    assert run(make, asked) == asyncio.run(written(SeededEngine("mortal"), asked))
    assert (tmp_path / "mark").exists()


def test_a_copy_killed_from_outside_is_no_loss() -> None:
    async def scene() -> list[list[Completion]]:
        engine = Replicas(SlowEngine, 2, LocalProcesses())
        try:
            working = asyncio.create_task(written(engine, asked))
            while not any(0 < copy.load < 20 for copy in engine._copies):
                assert not working.done()
                await asyncio.sleep(0.01)
            victim = next(copy for copy in engine._copies if 0 < copy.load < 20)
            os.kill(pid_of(victim), signal.SIGKILL)
            return await working
        finally:
            await engine.close()

    asked = prompts(2, 20)
    assert asyncio.run(scene()) == asyncio.run(written(SlowEngine(), asked))


class Scripted:
    """A copy in this process: it writes at once what `lost` says, and then dies; or everything, where that is None."""

    def __init__(self, name: str, lost: int | None = None) -> None:
        self.name, self.lost, self.closed = name, lost, False

    async def ask(self, request: Request) -> AsyncGenerator[Answer]:
        for position in range(request.prompt.n if self.lost is None else self.lost):
            yield position, Completion(str(request.prompt.seeds[position]), "stop", tokens=1)
        if self.lost is not None:
            raise ReplicaLost(f"{self.name} has died")

    async def close(self) -> None:
        self.closed = True


class Places:
    """Starts scripted copies, once `open` is set."""

    def __init__(self, *replicas: Scripted) -> None:
        self.replicas, self.asked, self.open, self.ended = replicas, threading.Event(), threading.Event(), False
        self.open.set()

    def check(self, make: EngineFactory) -> None:
        raise AssertionError("nothing is checked here")

    def start(self, make: EngineFactory, n: int) -> Sequence[Scripted]:
        self.asked.set()
        self.open.wait()
        return self.replicas

    def end(self) -> None:
        self.ended = True


def test_what_a_copy_wrote_before_its_death_counts_even_when_another_prompt_has_heard_of_it_first() -> None:
    async def scene() -> None:
        engine = Replicas(SeededEngine, 2, Places(Scripted("first", lost=2), Scripted("second")))
        early, long = (aclosing(engine.generate(prompt, CONFIG)) for prompt in (*prompts(1, 4), *prompts(1, 9)))  # type: ignore[type-var]
        async with early as of_first, long as of_second:
            found = [(await anext(of_first))[0]]
            await anext(of_second)
            await written(engine, prompts(1, 4))  # goes to the first copy, which has less to do, and hears of its death
            assert [copy.replica.name for copy in engine._copies] == ["second"]
            found += [position async for position, _ in of_first]
        assert found == [0, 1, 2, 3]
        assert [copy.load for copy in engine._copies] == [0]

    asyncio.run(scene())


def test_a_close_waits_for_copies_that_are_being_started() -> None:
    async def scene() -> None:
        places = Places(Scripted("first"), Scripted("second"))
        places.open.clear()
        engine = Replicas(SeededEngine, 2, places)
        asking = asyncio.create_task(written(engine, prompts(1, 1)))
        await asyncio.to_thread(places.asked.wait)
        asking.cancel()
        closing = asyncio.create_task(engine.close())
        await asyncio.sleep(0)
        assert not places.ended
        places.open.set()
        await closing
        assert all(replica.closed for replica in places.replicas)
        assert places.ended

    asyncio.run(scene())


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
        Replicas(lambda: Echo(), 2, LocalProcesses()).check(CONFIG)


def test_it_streams_and_works_again_after_a_close() -> None:
    engine = Replicas(Echo, 2, LocalProcesses())
    [prompt] = prompts(1, 3)
    for _ in range(2):
        streamed = stream_and_close(engine, prompt, CONFIG)
        assert streamed.pieces == [["question 0"]] * 3
        assert {completion.tokens for completion in streamed.completions} == {2}


def test_a_stream_goes_on_with_another_copy_as_long_as_nothing_was_shown(tmp_path: Path) -> None:
    [prompt] = prompts(1, 6)
    engine = Replicas(partial(Mortal, mark=str(tmp_path / "mark")), 2, LocalProcesses())
    streamed = stream_and_close(engine, prompt, CONFIG)
    assert [streamed.completions] == run(SeededEngine, [prompt])


def test_who_goes_away_takes_the_request_back_and_close_leaves_no_process() -> None:
    async def scene() -> list[int]:
        engine = Replicas(SlowEngine, 2, LocalProcesses())
        [prompt] = prompts(1, 1000)
        async with aclosing(engine.generate(prompt, CONFIG)) as answers:  # type: ignore[type-var]
            async for _ in answers:
                break
        assert {copy.load for copy in engine._copies} == {0}
        pids = [pid_of(copy) for copy in engine._copies]
        await engine.close()
        return pids

    pids = asyncio.run(scene())
    assert len(pids) == 2
    assert wait_for_end(pids)


def test_a_copy_that_is_still_loading_is_ended_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """BEY-14: Ctrl-C waits for no model."""

    async def scene() -> list[int]:
        engine, called = Replicas(Stuck, 2, LocalProcesses()), asyncio.Event()
        loop = asyncio.get_running_loop()
        listening = logger.add(
            lambda message: loop.call_soon_threadsafe(called.set), filter=lambda each: "called" in each["message"]
        )
        asking = asyncio.create_task(written(engine, prompts(1, 1)))
        await called.wait()
        logger.remove(listening)
        asking.cancel()
        pids = [pid_of(copy) for copy in engine._copies]
        await engine.close()
        return pids

    monkeypatch.setattr("inference_kit.models.replicas.local_processes.CLOSING_SECONDS", 1000.0)
    assert wait_for_end(asyncio.run(scene()))


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_no_process_outlives_a_killed_parent(end: signal.Signals) -> None:
    script = """
        import asyncio, sys
        from fakes import SlowEngine
        from inference_kit.models.replicas.local_processes import LocalProcesses
        from inference_kit.models.replicas.engine import Replicas
        from inference_kit.records import GenerationConfig, Message, Prompt

        async def main():
            engine = Replicas(SlowEngine, 2, LocalProcesses())
            prompt = Prompt((Message("user", "?"),), seeds=tuple(range(100_000)))
            async for _ in engine.generate(prompt, GenerationConfig()):
                print(*[copy.replica.pid for copy in engine._copies], flush=True)

        asyncio.run(main())
    """
    home = Path(__file__).resolve().parents[3]
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
