"""Particle filtering against its definition, written out on paper."""

from random import Random

from hypothesis import example, given, settings
from hypothesis import strategies as st
from search.paper import ROOT, Line, Paper, best, read
from search.world import World, solved, solver_of, texts, worlds

from inference_kit.context import Rules
from inference_kit.voting import VOTES


def drawn(particles: list[Line], odds: list[float], kind: str, dice: Random) -> list[Line]:
    """With replacement: n darts at a wheel (multinomial), or one throw of n darts at equal distances (systematic)."""
    n = len(particles)
    if kind == "systematic":
        first = dice.random()
        darts = [(first + number) / n for number in range(n)]
    else:
        darts = [dice.random() for _ in range(n)]
    chosen = []
    for dart in darts:
        reached, place = 0.0, -1
        while place < n - 1 and reached <= dart * sum(odds):
            place += 1
            reached += odds[place]
        chosen.append(particles[place])
    return chosen


def filtered(paper: Paper, n: int, kind: str, rounds: int) -> list[Line]:
    """Puri et al. 2502.01618: step, weigh by r / (1 - r) of the newest reward, draw, and so on until all are whole."""
    dice = paper.dice()
    particles = [ROOT] * n
    for number in range(rounds):
        if number:
            clipped = [min(max(paper.rewards(line)[-1], 1e-7), 1 - 1e-7) for line in particles]
            particles = drawn(particles, [reward / (1 - reward) for reward in clipped], kind, dice)
        particles = [line if line.finished else paper.steps(line, 1)[0] for line in particles]
        if all(line.finished for line in particles):
            return particles
    whole = [line for line in particles if line.finished]
    return whole + [paper.end(line) for line in particles if not line.finished]


@settings(max_examples=40)
@given(
    worlds,
    st.integers(1, 8),
    st.sampled_from(["multinomial", "systematic"]),
    st.integers(1, 6),
    st.sampled_from(["last", "min"]),
    st.sampled_from([0, 1, 3]),
)
@example(World(3, words=4, streams=9, ending=0.0, highest=0.5), 8, "multinomial", 5, "min", 0)
def test_particle_filtering_is_its_definition(
    world: World, n: int, resampling: str, rounds: int, aggregate: str, step_tokens: int
) -> None:
    """The weight is the newest reward, whatever the aggregate that ranks the candidates."""
    paper = Paper(world, aggregate=aggregate, step_tokens=step_tokens)
    expected = filtered(paper, n, resampling, rounds)
    rules = Rules(aggregate=aggregate, step_tokens=step_tokens)
    found = solved(solver_of(world, "particle_filtering", rules=rules, n=n, resampling=resampling, max_steps=rounds))
    assert texts(found) == read(expected)
    assert len(found.candidates) == n
    assert texts(found)[VOTES[f"best_{aggregate}"].choose(found.candidates)] == best(paper, expected)
