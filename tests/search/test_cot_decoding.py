"""CoT-decoding against its definition, written out on paper."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from search.paper import answer
from search.world import World, solved, solver_of, texts, worlds

from inference_kit.records import GenerationConfig
from inference_kit.voting import VOTES

ROOM = GenerationConfig(24, 0.0)


@settings(max_examples=30)
@given(worlds, st.integers(1, 10))
def test_cot_decoding_is_its_definition(world: World, n: int) -> None:
    """Wang, Zhou 2402.10200: greedy behind each of the n likeliest first tokens; sum of margins per answer."""
    paths: list[list[str]] = []
    for rank in range(n):
        tokens = [world.next_token("", ("rank", rank))]
        while len(tokens) < 24 and not tokens[-1].startswith("\\boxed") and tokens[-1] != "no idea.":
            tokens.append(world.next_token("".join(tokens), "greedy"))
        paths.append(tokens)
    found = solved(solver_of(world, "cot_decoding", n=n, token_details=True, scored=False))
    assert texts(found) == ["".join(tokens) for tokens in paths]

    sums: dict[str, float] = {}
    margins = []
    for tokens in paths:
        text = "".join(tokens)
        # The answer stands in the last token, whose margin the world gives.
        margins.append(world.chance("sure", text) if answer(text) else None)
        if answer(text):
            sums[answer(text)] = math.fsum([sums.get(answer(text), 0.0), margins[-1]])
    assert [each.answer_margin for each in found.candidates] == margins
    if sums:
        chosen = found.candidates[VOTES["margin_vote"].choose(found.candidates)]
        assert math.isclose(sums[chosen.answer], max(sums.values()))
