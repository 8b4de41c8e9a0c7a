"""What travels between processes arrives as it was."""

import sys

import pytest
from child_fakes import Foreign, Said

from inference_kit.errors import EngineError
from inference_kit.processes.messages import Answer, Raised, decode, encode, pack, wrap_error
from inference_kit.records import Completion


def test_records_make_the_round_trip() -> None:
    message = Answer(3, (1, Completion("½ \udcff", "stop", tokens=2, logprob=-0.1, token_ids=(1, 1 << 40))))
    assert decode(encode(message)) == message


def test_only_records_travel() -> None:
    with pytest.raises(AssertionError, match="only records travel between processes"):
        encode({"id": 3})


def test_errors_arrive_as_they_were_raised_and_bugs_with_their_traceback() -> None:
    mended = decode(encode(wrap_error(EngineError("too long", where="--prompt", fix="Shorten it.")))).error
    assert (type(mended), str(mended)) == (EngineError, "--prompt: too long. Shorten it.")
    assert not hasattr(mended, "__notes__")
    try:
        _ = 1 / 0
    except ZeroDivisionError as error:
        bug = decode(encode(wrap_error(error))).error
    assert isinstance(bug, ZeroDivisionError)
    assert "_ = 1 / 0" in bug.__notes__[0]


def test_an_error_that_no_other_process_can_read_is_told_in_words() -> None:
    assert isinstance(wrapped := wrap_error(Foreign("one", "two")), Raised)
    assert repr(wrapped.error) == "RuntimeError('Foreign: one')"


def test_a_packed_value_brings_the_import_path_it_is_read_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, "/somewhere"])
    packed = decode(encode(pack(Said)))
    monkeypatch.setattr(sys, "path", sys.path[:-1])
    assert packed.unpack() is Said
    assert sys.path[-1] == "/somewhere"
    with pytest.raises((AttributeError, TypeError, ValueError)):
        pack(lambda: Said)
