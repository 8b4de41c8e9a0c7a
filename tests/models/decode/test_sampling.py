"""Sampling: what is drawn follows the probabilities, the filters and penalties mean what others mean by them."""

import math
from dataclasses import replace

import pytest
import torch

from inference_kit.models.decode.sampling import TokenHistory, draw_uniforms, has_penalty, measure_details, sample
from inference_kit.records import GenerationConfig

VOCABULARY = 50
PLAIN = GenerationConfig(temperature=1.0)


@pytest.fixture
def logits() -> torch.Tensor:
    return torch.randn(6, VOCABULARY, generator=torch.Generator().manual_seed(1)) * 2


def distribution(logits: torch.Tensor, config: GenerationConfig, history: TokenHistory | None = None) -> torch.Tensor:
    """How often each token is drawn from one row over evenly spaced uniform numbers: the probabilities themselves."""
    draws = 20_000
    even = [(number + 0.5) / draws for number in range(draws)]
    tokens, _ = sample(logits.expand(draws, -1), [config] * draws, even, history)
    return torch.bincount(tokens, minlength=VOCABULARY) / draws


def test_tokens_come_as_often_as_their_probability_says(logits: torch.Tensor) -> None:
    """Chi-square over seeds as the engine draws them; the limit is the 99.9 % point for 49 degrees of freedom."""
    draws = 20_000
    numbers = draw_uniforms(list(range(draws)), [3] * draws)
    tokens, logprobs = sample(logits[:1].expand(draws, -1), [PLAIN] * draws, numbers)
    wanted = logits[0].softmax(-1) * draws
    found = torch.bincount(tokens, minlength=VOCABULARY)
    assert ((found - wanted) ** 2 / wanted).sum() < 85.4
    assert torch.allclose(logprobs, logits[0].log_softmax(-1)[tokens])


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 0.5},
        {"top_k": 5},
        {"top_k": 500},
        {"top_p": 0.7},
        {"top_p": 1e-6},
        {"min_p": 0.1},
        {"temperature": 1.7, "top_k": 20, "top_p": 0.8, "min_p": 0.05},
    ],
)
def test_filters_mean_what_they_mean_in_transformers(settings: dict[str, float], logits: torch.Tensor) -> None:
    from transformers import (
        LogitsProcessorList,
        MinPLogitsWarper,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    known = {
        "temperature": TemperatureLogitsWarper,
        "top_k": TopKLogitsWarper,
        "top_p": TopPLogitsWarper,
        "min_p": MinPLogitsWarper,
    }
    warpers = LogitsProcessorList([known[name](settings[name]) for name in known if name in settings])
    for row in logits:
        expected = warpers(None, row[None].clone())[0].softmax(-1)  # type: ignore[arg-type]
        found = distribution(row, replace(PLAIN, **settings))  # type: ignore[arg-type]
        assert torch.allclose(found, expected, atol=2e-4)
        assert not found[expected == 0].any()


def test_repetition_penalty_means_what_it_means_in_transformers(logits: torch.Tensor) -> None:
    from transformers import RepetitionPenaltyLogitsProcessor

    prompts, written = [[1, 2, 3], [4], [5, 5]], [[7, 7], [], [1]]
    history = TokenHistory(prompts, written, VOCABULARY, "cpu")
    configs = [replace(PLAIN, repetition_penalty=1.3), PLAIN, replace(PLAIN, repetition_penalty=0.8)]
    found = history.apply_penalties(logits[:3], configs)
    for row, config in enumerate(configs):
        ids = torch.tensor([prompts[row] + written[row]])
        processor = RepetitionPenaltyLogitsProcessor(config.repetition_penalty)
        assert torch.allclose(found[row], processor(ids, logits[row : row + 1].clone())[0])


def test_frequency_and_presence_penalties_count_what_was_written_as_openai_does(logits: torch.Tensor) -> None:
    config = replace(PLAIN, frequency_penalty=0.5, presence_penalty=0.25)
    history = TokenHistory([[9, 9]], [[7, 7, 3]], VOCABULARY, "cpu")
    change = history.apply_penalties(logits[:1], [config])[0] - logits[0]
    expected = torch.zeros(VOCABULARY)
    expected[7], expected[3] = -0.5 * 2 - 0.25, -0.5 - 0.25
    assert torch.allclose(change, expected, atol=1e-6)
    assert has_penalty(config)
    assert not has_penalty(PLAIN)


def test_temperature_zero_takes_the_likeliest_token_after_penalties(logits: torch.Tensor) -> None:
    greedy = replace(PLAIN, temperature=0.0, top_k=3)
    tokens, _ = sample(logits, [greedy] * 6, [0.99] * 6)
    assert tokens.tolist() == logits.argmax(-1).tolist()
    best = int(logits[0].argmax())
    history = TokenHistory([[]], [[best]], VOCABULARY, "cpu")
    tokens, _ = sample(logits[:1], [replace(greedy, presence_penalty=1000.0)], [0.5], history)
    assert tokens.item() == logits[0].topk(2).indices[1]


def test_a_row_draws_the_same_whatever_the_others_want(logits: torch.Tensor) -> None:
    configs = [PLAIN, replace(PLAIN, top_k=3), replace(PLAIN, temperature=0.0), replace(PLAIN, top_p=0.5)]
    configs += [replace(PLAIN, min_p=0.2), replace(PLAIN, temperature=0.3)]
    draws = [0.1, 0.3, 0.5, 0.7, 0.9, 0.999]
    together, _ = sample(logits, configs, draws)
    alone = [sample(logits[row : row + 1], [configs[row]], [draws[row]])[0].item() for row in range(6)]
    assert together.tolist() == alone


def test_the_largest_draw_still_takes_a_token_that_is_allowed(logits: torch.Tensor) -> None:
    """A number just below 1 is 1 in float32; the last entry of the vocabulary is filtered out here."""
    logits[:, -10:] = -40.0
    tokens, _ = sample(logits, [replace(PLAIN, top_k=4)] * 6, [1 - 2**-53] * 6)
    for row in range(6):
        assert tokens[row] in logits[row].topk(4).indices


def test_a_rank_takes_that_token_and_leaves_the_other_rows_alone(logits: torch.Tensor) -> None:
    drawn, _ = sample(logits, [PLAIN] * 6, [0.4] * 6)
    ranks = [None, 0, 1, None, VOCABULARY - 1, None]
    tokens, logprobs = sample(logits, [PLAIN] * 6, [0.4] * 6, None, ranks)
    for row, rank in enumerate(ranks):
        assert tokens[row] == (drawn[row] if rank is None else logits[row].sort(descending=True).indices[rank])
    assert torch.allclose(logprobs, logits.log_softmax(-1).gather(1, tokens[:, None])[:, 0])


def test_how_sure_the_model_was_is_what_the_papers_define(logits: torch.Tensor) -> None:
    """BEY-04: arXiv:2508.15260 (confidence), arXiv:2502.18581 (self-certainty), arXiv:2402.10200 (margin)."""
    tokens = torch.tensor([3, 1, 4, 1, 5, 9])
    for row, found in enumerate(measure_details(logits, tokens)):
        p = [math.exp(each) for each in logits[row].double().log_softmax(-1).tolist()]
        likeliest = sorted(p, reverse=True)
        assert found.logprob == pytest.approx(math.log(p[tokens[row]]), abs=1e-5)
        assert found.margin == pytest.approx(likeliest[0] - likeliest[1], abs=1e-5)
        assert found.confidence == pytest.approx(-sum(map(math.log, likeliest[:20])) / 20, abs=1e-5)
        assert found.certainty == pytest.approx(
            sum(math.log(1 / VOCABULARY / each) for each in p) / VOCABULARY, abs=1e-4
        )


def test_a_token_that_the_model_rules_out_leaves_the_numbers_finite(logits: torch.Tensor) -> None:
    logits[:, 7:] = -math.inf
    (found, *_) = measure_details(logits, torch.zeros(6, dtype=torch.long))
    assert all(map(math.isfinite, (found.logprob, found.margin, found.confidence, found.certainty)))


def test_uniform_numbers_follow_from_seed_and_position_alone() -> None:
    seeds = [0, 1, 2**63, -5, 2**70 + 3] * 2000
    positions = [number // 5 for number in range(10_000)]
    numbers = draw_uniforms(seeds, positions)
    assert all(0 <= number < 1 for number in numbers)
    assert len(set(numbers)) == len(numbers)
    assert draw_uniforms(seeds[17:18], positions[17:18]) == numbers[17:18]
    tenths = torch.histc(torch.tensor(numbers), 10, 0, 1)
    assert ((tenths - 1000) ** 2 / 1000).sum() < 27.9


@pytest.mark.parametrize("top_p", [0.05, 0.3, 0.31, 0.95, 1.0])
def test_of_equal_tokens_at_the_edge_of_top_p_as_many_stay_as_in_transformers(top_p: float) -> None:
    """Issue 13, F27: all ten of ten equal tokens stayed for 0.3."""
    from transformers import TopPLogitsWarper

    logits = torch.full((1, VOCABULARY), -100.0)
    logits[0, 20:30] = 1.0
    kept = int((distribution(logits, replace(PLAIN, top_p=top_p)) > 0).sum())
    assert kept == int(TopPLogitsWarper(top_p)(torch.empty(1, 0), logits).isfinite()[0, 20:30].sum())


@pytest.mark.parametrize("temperature", [1e-3, 1e-10, 1e-40, 5e-324])
def test_the_smallest_temperatures_take_the_likeliest_token(temperature: float, logits: torch.Tensor) -> None:
    """Issue 13, F28: 1e-40 always took the last id."""
    config = replace(PLAIN, temperature=temperature)
    tokens, _ = sample(logits * 10, [config] * 6, [0.0, 0.2, 0.4, 0.6, 0.8, 0.999])
    assert tokens.tolist() == logits.argmax(-1).tolist()
