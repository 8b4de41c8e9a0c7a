"""Budget forcing against its definition, written out token by token."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from search.world import GRADER, PROBLEM, World

from inference_kit.models.base import Engine
from inference_kit.records import Completion, GenerationConfig, Prompt
from inference_kit.search.budget_forcing import budget_forcing
from inference_kit.solver import Solver

END = "</think>"
STOP = ""


@dataclass(frozen=True)
class Mind:
    """Thinks in words, ends its thinking with the mark or its reply without one, and answers in two tokens."""

    world: World

    def next_token(self, text: str) -> str:
        """The token behind `text`, or `STOP`."""
        if END in text:
            answer = text.rpartition(END)[2]
            return STOP if answer.endswith("\\boxed{A}") else "\\boxed{A}" if answer.endswith(" it") else " it"
        chance = self.world.chance(text)
        return END if chance < 0.25 else STOP if chance < 0.3 else " hm"


class Thinker(Engine):
    """Goes on behind a prefix as a mind does."""

    def __init__(self, mind: Mind) -> None:
        self.identity, self.mind, self.calls = f"thinker:{mind}", mind, 0

    async def generate(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, Completion]]:
        """Write token by token."""
        for position in range(prompt.n):
            self.calls += 1
            text, tokens, reason = prompt.prefix, 0, "length"
            while tokens < config.max_new_tokens:
                token = self.mind.next_token(text)
                text, tokens = text + token, tokens + (token != STOP)
                if token in (STOP, config.boundary):
                    reason = "boundary" if token else "stop"
                    break
            yield position, Completion(text.removeprefix(prompt.prefix), reason, tokens=tokens)


def forced(mind: Mind, waits: int, least: int | None, most: int | None, room: int) -> str:
    """Muennighoff et al. 2501.19393: a mark that comes too early becomes "Wait"; at the limit the mark is put there."""
    text, written = "", 0
    while END not in text:
        token = mind.next_token(text)
        at_limit = written in (most, room)
        ended = token in (END, STOP) and not at_limit
        written += ended and token == END
        if ended and waits and written < min(room if least is None else least, room if most is None else most):
            text, waits = text + "\nWait", waits - 1
        elif written == room or (ended and token == STOP):
            return text + token if ended else text
        elif ended:
            text += END
        elif at_limit:
            text += END + "\nFinal Answer:"
        else:
            text, written = text + token, written + 1
    while written < room and (token := mind.next_token(text)) != STOP:
        text, written = text + token, written + 1
    return text


def answers(mind: Mind, room: int, n: int = 1, **settings: int | None) -> tuple[Thinker, list[str]]:
    engine = Thinker(mind)
    solver = Solver(engine, partial(budget_forcing, n=n, **settings), GenerationConfig(room), GRADER)
    return engine, [each.text for each in asyncio.run(solver.solve(PROBLEM)).candidates]


@given(
    st.builds(Mind, st.builds(World, seed=st.integers(0, 10**6))),
    st.integers(0, 3),
    st.none() | st.integers(1, 12),
    st.none() | st.integers(1, 12),
    st.integers(1, 3),
    st.sampled_from([1000, 9, 5]),
)
def test_budget_forcing_is_its_definition(
    mind: Mind, waits: int, least: int | None, most: int | None, n: int, room: int
) -> None:
    _, found = answers(mind, room, n, waits=waits, min_thinking_tokens=least, max_thinking_tokens=most)
    assert found == [forced(mind, waits, least, most, room)] * n


@given(st.builds(Mind, st.builds(World, seed=st.integers(0, 10**6))), st.integers(0, 3), st.integers(1, 9))
def test_the_bounds_hold(mind: Mind, waits: int, bound: int) -> None:
    """The maximum is never passed; the minimum is reached where there are waits enough."""
    [text] = answers(mind, 1000, waits=waits, max_thinking_tokens=bound)[1]
    assert text.partition(END)[0].count(" hm") <= bound
    [text] = answers(mind, 1000, waits=bound, min_thinking_tokens=bound)[1]
    thought = text.partition(END)[0]
    assert thought.count(" hm") + thought.count("Wait") + 1 >= bound


def test_a_reply_without_room_left_is_cut_off_and_stays() -> None:
    mind = Mind(World(3))
    for room in range(1, 8):
        engine, [text] = answers(mind, room, waits=0, max_thinking_tokens=4)
        assert sum(text.count(token) for token in (" hm", END, " it", "\\boxed{A}")) <= room + 1
        assert engine.calls <= 2


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"waits": 0}, " hm</think> it\\boxed{A}"),
        ({"waits": 1}, " hm\nWait hm hm</think> it\\boxed{A}"),
        ({"waits": 1, "min_thinking_tokens": 1}, " hm</think> it\\boxed{A}"),
        ({"waits": 0, "max_thinking_tokens": 1}, " hm</think>\nFinal Answer: it\\boxed{A}"),
    ],
)
def test_worked_out_by_hand(settings: dict[str, int], expected: str) -> None:
    """A mind that thinks one word, and two more after "Wait"."""

    class Scripted(Mind):
        def next_token(self, text: str) -> str:
            if END in text:
                return super().next_token(text)
            return END if text in (" hm", " hm\nWait hm hm") else " hm"

    assert answers(Scripted(World()), 1000, **settings)[1] == [expected]
