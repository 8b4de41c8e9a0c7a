"""Conversations: history, streaming, searched replies, and the terminal around them."""

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

import pytest
from fakes import FailingEngine, Likes, SeededEngine

from inference_kit import cli
from inference_kit.chat import Conversation
from inference_kit.dataset.simpledataset import SimpleDataset
from inference_kit.grader import GraderPool
from inference_kit.records import Completion, GenerationConfig, Message, Prompt
from inference_kit.registry import Entry
from inference_kit.search.best_of_n import best_of_n
from inference_kit.search.vanilla import vanilla
from inference_kit.setup.registries import Registries
from inference_kit.solver import Solver


class Parrot(SeededEngine):
    """Streams what it was told so far, turn by turn."""

    async def stream(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, str | Completion]]:
        pieces = [f"{each.role}:{each.content}{''.join(each.images)} " for each in prompt.messages]
        for piece in pieces:
            yield 0, piece
        yield 0, Completion("".join(pieces), "stop", tokens=len(pieces))


def registries_of(
    home: Path, models: Mapping[str, Entry], reward_models: Mapping[str, Entry] = MappingProxyType({})
) -> Registries:
    """With a data set that is never read."""
    data = partial(SimpleDataset, dataset_name="mine", dataset_path=str(home / "none.jsonl"))
    return Registries(models, reward_models, {"abacus": data}, home)


async def said(conversation: Conversation, text: str) -> list[str]:
    return [piece async for piece in conversation.reply(text)]


def test_replies_are_streamed_and_the_history_grows() -> None:
    """MAIN-70."""
    conversation = Conversation(Solver(Parrot(), vanilla, GenerationConfig(), GraderPool()), system="Be brief.")
    assert asyncio.run(said(conversation, "one")) == ["system:Be brief. ", "user:one "]
    assert len(asyncio.run(said(conversation, "two"))) == 4
    assert conversation.history[0] == Message("user", "one")
    conversation.clear()
    assert conversation.history == []


def test_an_interrupted_reply_leaves_the_history_as_it_was() -> None:
    """MAIN-73."""

    async def interrupted(conversation: Conversation) -> None:
        async for _ in conversation.reply("one"):
            raise KeyboardInterrupt

    conversation = Conversation(Solver(Parrot(), vanilla, GenerationConfig(), GraderPool()))
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(interrupted(conversation))
    assert conversation.history == []


def test_with_a_reward_model_the_reply_is_searched_and_scored() -> None:
    """MAIN-72."""
    solver = Solver(SeededEngine(), best_of_n, GenerationConfig(), GraderPool(), Likes(favourite="3"))
    conversation = Conversation(solver, vote="best_last")
    [reply] = asyncio.run(said(conversation, "one"))
    assert "\\boxed{3}" in reply
    assert conversation.score == 0.9


def test_the_terminal_reads_from_a_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """MAIN-70, MAIN-73: clear forgets, exit leaves, an engine error is one line and the loop goes on."""
    models = {"parrot": partial(Parrot), "failing": partial(FailingEngine)}
    registries = registries_of(tmp_path, models)
    monkeypatch.setattr("sys.stdin", io.StringIO("one\n\nclear\ntwo\nexit\nthree\n"))
    assert cli.main(["chat", "--model", "parrot"], registries) == 0
    assert capsys.readouterr().out == "user:one \nuser:two \n"
    monkeypatch.setattr("sys.stdin", io.StringIO("impossible\nfine\n"))
    assert cli.main(["chat", "--model", "failing"], registries) == 1
    output = capsys.readouterr()
    assert output.err.count("error: ") == 1
    assert "boxed" in output.out


def test_an_image_goes_with_the_next_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """LF-13: `/image PATH`."""
    registries = registries_of(tmp_path, {"parrot": Parrot})
    monkeypatch.setattr("sys.stdin", io.StringIO("/image a b.png\none\n/image c.png\nclear\ntwo\n"))
    assert cli.main(["chat", "--model", "parrot"], registries) == 0
    assert capsys.readouterr().out == "user:onea b.png \nuser:two \n"


def test_a_flag_that_means_nothing_in_a_conversation_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """MAIN-07: such as a limit of a run, which would be passed over."""
    registries = registries_of(tmp_path, {"parrot": Parrot})
    for words in (["--max-cost", "1"], ["--limit", "3"], ["--show-tree"]):
        assert cli.main(["chat", "--model", "parrot", *words], registries) == 2
        assert capsys.readouterr().err.startswith(f"error: unknown option '{words[0]}'")


def test_explain_shows_the_settings_of_a_conversation_and_says_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """BEY-10; a reward model asks for search, none does not."""
    registries = registries_of(tmp_path, {"parrot": Parrot}, {"likes": Likes})
    for words, method in (
        ([], "vanilla"),
        (["--reward-model", "likes"], "best_of_n"),
        (["--reward-model=none"], "vanilla"),
        (["--reward-model", "off"], "vanilla"),
    ):
        assert cli.main(["chat", "--model", "parrot", "--temperature", "0.3", "--explain", *words], registries) == 0
        rows = [line.split() for line in capsys.readouterr().out.splitlines()]
        values = {row[0]: row[1] for row in rows if len(row) > 1}
        assert values["method"] == f'"{method}"'
        assert values["temperature"] == "0.3"
        assert not [name for name in values if name.startswith(("dataset", "limit"))]


class Connected(Parrot):
    """Has connections of the event loop that it was first asked in."""

    def __init__(self) -> None:
        self.loops: set[asyncio.AbstractEventLoop] = set()

    async def stream(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, str | Completion]]:
        self.loops.add(asyncio.get_running_loop())
        async for piece in super().stream(prompt, config):
            yield piece

    async def close(self) -> None:
        self.loops.add(asyncio.get_running_loop())


def test_all_turns_share_one_event_loop_so_that_connections_live_on_and_are_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MAIN-70: with a loop for each turn a server's connections would be left open, with a warning for each."""
    engine = Connected()

    def connected() -> Connected:
        return engine

    monkeypatch.setattr("sys.stdin", io.StringIO("one\ntwo\n"))
    assert cli.main(["chat", "--model", "connected"], registries_of(tmp_path, {"connected": connected})) == 0
    assert len(engine.loops) == 1
