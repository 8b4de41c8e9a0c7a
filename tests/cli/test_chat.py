"""The terminal chat: commands, errors, and how it ends."""

import contextlib
import io
import os
import pty
import signal
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest
from fakes import SeededEngine

from inference_kit import cli
from inference_kit.errors import EngineError
from inference_kit.records import Completion, GenerationConfig, Prompt
from inference_kit.setup.registries import Registries

HOME = Path(__file__).resolve().parents[2]


class Moody(SeededEngine):
    """Refuses `no`, has a bug at `bug`, and repeats the rest with the number of messages before it."""

    def vanilla_generate(self, prompts: Sequence[Prompt], config: GenerationConfig) -> list[list[Completion]]:
        messages = prompts[0].messages
        if messages[-1].content == "no":
            raise EngineError("not this one")
        if messages[-1].content == "bug":
            raise KeyError("gone")
        return [[Completion(f"{messages[-1].content}|{len(messages)}", "stop", tokens=3)]]


def talk(monkeypatch: pytest.MonkeyPatch, text: str) -> int:
    """Chat through a pipe."""
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    return cli.main(["chat", "--model", "moody"], Registries({"moody": Moody}, {}, {}))


def test_commands_are_known_and_unknown_ones_are_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """MAIN-73, issue 12: a path and a line behind a space are no commands."""
    lines = ["/help", "one", "two", "/clear", "/claer", "/image", " /clear me", "/etc/hosts ?", "/exit", "never"]
    assert talk(monkeypatch, "\n".join(lines)) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == ["one|1", "two|3", "/clear me|1", "/etc/hosts ?|3"]
    assert "/image PATH  shows" in said.err
    assert "/claer is no command, did you mean /clear?" in said.err
    assert "/image PATH: the path is missing" in said.err


def test_an_error_ends_no_chat_and_a_pipe_learns_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Issue 12: a failed turn is as if it had not been, be it a refusal or a bug."""
    assert talk(monkeypatch, "one\nno\nbug\ntwo\n") == 1
    said = capsys.readouterr()
    assert said.out.splitlines() == ["one|1", "two|3"]
    assert said.err.startswith("error: not this one\nbug: KeyError: 'gone'")
    assert talk(monkeypatch, "one\n") == 0


PROGRAM = """
    import sys
    from inference_kit import cli
    from inference_kit.models.echo import Echo
    from inference_kit.setup.registries import Registries
    sys.exit(cli.main(["chat", "--model", "mine"], Registries({"mine": Echo}, {}, {})))
"""


def start(**streams: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(PROGRAM)], cwd=HOME, **streams)


def read_until(terminal: int, text: bytes) -> bytes:
    found = b""
    while text not in found:
        found += os.read(terminal, 65536)
    return found


def test_a_terminal_edits_and_recalls_lines_of_any_length() -> None:
    """Issue 12: a terminal's own line mode cuts at 4,095 bytes and knows no arrow keys."""
    ours, theirs = pty.openpty()
    process = start(stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    read_until(ours, b"you: ")
    long = "a" * 5000
    for place in range(0, len(long), 500):
        os.write(ours, long[place : place + 500].encode())
    os.write(ours, b" end\r")
    assert b"end" in read_until(ours, b"you: ")
    os.write(ours, b"\x1b[A\x1b[D!\r")  # recalls the line, and types before its last letter
    assert b"en!d" in read_until(ours, b"en!d")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 130
    os.close(ours)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_chat_fed_by_a_pipe_ends_when_it_is_told_to(name: str) -> None:
    process = start(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdin
    assert process.stdout
    process.stdin.write(b"caf\xe9 and \xc3\xa9\n")  # the first is no UTF-8
    process.stdin.flush()
    assert "é" in process.stdout.readline().decode()
    code = None
    while code is None:  # the first Ctrl-C may still stop the reply
        process.send_signal(signal.Signals[name])
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(timeout=1)
    assert code == 130
