"""Many callers of one child: each gets its own answers, and every one hears how it ends."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from child_fakes import Said, start

from inference_kit.processes.child import ChildLost, ChildProcess
from inference_kit.processes.client import ChildClosed, Client, NotLoaded
from inference_kit.processes.messages import Raised


async def words(client: Client, text: str) -> list[Any]:
    return [answer.value async for answer in client.ask(Said(text))]


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + 20
    while not (file.exists() and file.read_text(encoding="utf-8")) and time.monotonic() < deadline:
        time.sleep(0.01)


def use(scene: Callable[[Client, ChildProcess], Awaitable[None]], mark: str = "", seconds: float = 20.0) -> None:
    """Play a scene with a child that repeats words, and close it."""

    async def play() -> None:
        child = start("answer", mark)
        client = Client(child)
        try:
            await scene(client, child)
        finally:
            await client.close(seconds)

    asyncio.run(play())


def test_each_caller_gets_its_own_answers_in_any_event_loop() -> None:
    child = start("answer")
    client = Client(child)

    async def three() -> list[Any]:
        return await asyncio.gather(*(words(client, text) for text in ("a b c", "", "d e")))

    assert asyncio.run(client.wait_until_ready()) == Said("ready")
    assert asyncio.run(three()) == [["a", "b", "c"], [], ["d", "e"]]
    assert asyncio.run(three()) == [["a", "b", "c"], [], ["d", "e"]]
    asyncio.run(client.close(20.0))
    assert not client._asked


def test_an_error_is_about_one_request() -> None:
    async def scene(client: Client, child: ChildProcess) -> None:
        bug, foreign, fine = await asyncio.gather(
            *(words(client, text) for text in ("a bug", "foreign", "a b")), return_exceptions=True
        )
        assert isinstance(bug, ZeroDivisionError)
        assert "child_fakes.py" in bug.__notes__[0]
        assert repr(foreign) == "RuntimeError('Foreign: one')"
        assert fine == ["a", "b"]

    use(scene)


def test_who_leaves_takes_the_request_back(tmp_path: Path) -> None:
    async def scene(client: Client, child: ChildProcess) -> None:
        answers = client.ask(Said("a wait"))
        assert (await anext(answers)).value == "a"
        await answers.aclose()
        assert not client._asked
        await asyncio.to_thread(wait_for, tmp_path / "mark")
        assert (tmp_path / "mark").read_text(encoding="utf-8") == "cancelled"

    use(scene, str(tmp_path / "mark"))


def test_every_caller_gets_what_was_answered_and_then_hears_why_the_child_died() -> None:
    async def scene(client: Client, child: ChildProcess) -> None:
        found: list[str] = []

        async def listen(text: str) -> None:
            async for answer in client.ask(Said(text)):
                found.append(answer.value)

        lost = await asyncio.gather(*(listen(text) for text in ("a b wait", "c d die")), return_exceptions=True)
        assert [type(each) for each in lost] == [ChildLost, ChildLost]
        assert {str(each) for each in lost} == {"torch.OutOfMemoryError: no memory"}
        assert sorted(found) == ["a", "b", "c", "d"]
        with pytest.raises(ChildLost, match="no memory"):
            await words(client, "e")

    use(scene, "/dev/null")


def test_a_child_that_cannot_load_says_why() -> None:
    async def unknown(client: Client, child: ChildProcess) -> None:
        with pytest.raises(NotLoaded) as failure:
            await client.wait_until_ready()
        assert failure.value.cause == Said("no such thing")
        assert not client.is_ready

    async def broken(client: Client, child: ChildProcess) -> None:
        with pytest.raises(NotLoaded) as failure:
            await words(client, "a")
        assert isinstance(failure.value.cause, Raised)
        assert repr(failure.value.cause.error) == "ValueError('a bug')"

    use(unknown, "unknown")
    use(broken, "error")


def test_a_child_that_loads_is_ended_at_once() -> None:
    async def scene(client: Client, child: ChildProcess) -> None:
        asking = asyncio.create_task(words(client, "a"))
        await asyncio.sleep(0)
        started = time.monotonic()
        await client.close(600.0)
        assert time.monotonic() - started < 60
        with pytest.raises(ChildLost):
            await asking
        with pytest.raises(ChildClosed):
            await words(client, "a")

    use(scene, "slow")


def test_a_child_that_has_loaded_may_give_back_what_it_holds(tmp_path: Path) -> None:
    async def scene(client: Client, child: ChildProcess) -> None:
        assert await words(client, "a") == ["a"]
        assert client.has_answered

    use(scene, str(tmp_path / "mark"))
    assert (tmp_path / "mark").read_text(encoding="utf-8") == "closed"
