"""A channel loses nothing, mixes nothing and keeps its deadlines."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from child_fakes import Said

from inference_kit.processes.channel import Channel

Ends = tuple[Channel, Channel]
LARGE = Said("x" * 3_000_000)


@pytest.fixture
def ends() -> Iterator[Ends]:
    reading, writing = os.pipe()
    back, forth = os.pipe()
    one, other = Channel(reading, forth), Channel(back, writing)
    yield one, other
    one.close()
    other.close()


def soon(seconds: float = 0.05) -> float:
    return time.monotonic() + seconds


def test_messages_of_any_size_arrive_whole_and_in_order(ends: Ends) -> None:
    one, other = ends
    sent = [Said(), LARGE, Said(3), Said(b"\n"), LARGE]
    with ThreadPoolExecutor(1) as thread:
        sending = thread.submit(lambda: [one.send(message) for message in sent])
        assert [other.receive() for _ in sent] == sent
        sending.result()


def test_many_threads_may_send(ends: Ends) -> None:
    one, other = ends
    with ThreadPoolExecutor(8) as threads:
        sending = threads.map(lambda number: one.send(Said(f"{number} " * 20_000)), range(40))
        received = [other.receive().value.split() for _ in range(40)]
        list(sending)
    assert sorted(int(words[0]) for words in received) == list(range(40))
    assert all(len(set(words)) == 1 for words in received)


def test_a_deadline_holds_and_what_has_arrived_is_kept(ends: Ends) -> None:
    one, other = ends
    with pytest.raises(TimeoutError):
        other.receive(soon())
    with ThreadPoolExecutor(1) as thread:
        with pytest.raises(TimeoutError):
            one.send(LARGE, soon())  # nobody reads, and a pipe holds less
        with pytest.raises(TimeoutError):
            other.receive(soon())  # in the middle of a message
        assert thread.submit(lambda: other.receive(0.0)).exception() is not None


def test_what_was_sent_is_received_before_the_end_is_heard_of(ends: Ends) -> None:
    one, other = ends
    one.send(Said(1))
    one.send(Said(2))
    one.close()
    assert [other.receive(), other.receive()] == [Said(1), Said(2)]
    with pytest.raises(EOFError):
        other.receive()
    for _ in range(2):
        with pytest.raises(OSError):
            other.send(Said())
        other.close()
