"""Architectures that keep something else than keys and values say what `generate` of `transformers` says."""

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import stateful_models
import tiny_models
import torch
from engine_calls import answers, ask, write
from fakes import Likes
from loguru import logger
from streams import stream

from inference_kit import Decoder
from inference_kit.errors import EngineError, UserError
from inference_kit.models.decode.decode_loop import DecodeLoop
from inference_kit.models.decode.generate_loop import GenerateLoop
from inference_kit.models.decode.huggingface import HuggingFace
from inference_kit.models.local.architecture import refuse_architecture
from inference_kit.records import Completion, GenerationConfig

GREEDY = GenerationConfig(max_new_tokens=12, temperature=0.0)
SAMPLED = replace(GREEDY, temperature=1.0)
QUESTIONS = ("So?", "Ada has three apples; how many are left?", "What?", "Sum")
"""Two of them become prompts of equal length, which share a batch."""


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function from a kind of `stateful_models.CONFIGS` to a folder with such a model."""

    @cache
    def folder(kind: str) -> Path:
        return stateful_models.write(tmp_path_factory.mktemp(kind), kind)

    return folder


def bare(rows: Sequence[Sequence[Completion]]) -> list[list[Completion]]:
    """Without what a rounding may change."""
    return [[replace(each, logprob=None) for each in row] for row in rows]


def reference(folder: Path, rendered: str) -> list[int]:
    """What `transformers` writes greedily."""
    import transformers

    has_encoder = json.loads((folder / "config.json").read_text()).get("is_encoder_decoder")
    auto_class = "AutoModelForSeq2SeqLM" if has_encoder else "AutoModelForCausalLM"
    model = getattr(transformers, auto_class).from_pretrained(folder)
    ids = torch.tensor([tiny_models.tokenizer().encode(rendered, add_special_tokens=False)])
    mask = torch.ones_like(ids)
    written = model.generate(ids, attention_mask=mask, max_new_tokens=GREEDY.max_new_tokens, do_sample=False)[0]
    found: list[int] = written[1 if has_encoder else ids.shape[1] :].tolist()
    return found


@pytest.mark.parametrize("kind", stateful_models.CONFIGS)
def test_greedy_text_equals_that_of_transformers(kind: str, folder_of: Callable[[str], Path]) -> None:
    """MAIN-29: and a seed's text is the same alone and in a batch."""
    folder = folder_of(kind)
    engine = HuggingFace(str(folder), max_batch_size=6)
    engine.check(GREEDY)
    for question, (completion,) in zip(QUESTIONS, write(engine, [ask(q) for q in QUESTIONS], GREEDY), strict=True):
        expected = reference(folder, engine.render(ask(question).messages))
        assert completion.tokens == len(expected)
        assert completion.text == engine.tokenizer.decode(expected, skip_special_tokens=True).rstrip("\ufffd")
    together = write(engine, [ask(question, 3, 1, 4) for question in QUESTIONS], SAMPLED)
    assert len({completion.text for row in together for completion in row}) > 4
    alone = [[write(engine, [ask(question, seed)], SAMPLED)[0][0] for seed in (3, 1)] for question in QUESTIONS]
    assert bare(alone) == bare([row[:2] for row in together])


@pytest.mark.parametrize("kind", ["lfm2", "t5"])
def test_steps_put_together_are_the_uninterrupted_reply(kind: str, folder_of: Callable[[str], Path]) -> None:
    """BEY-01: from the tokens and, where these are not known, from the text; with token details."""
    engine = HuggingFace(str(folder_of(kind)))
    ((whole,),) = write(engine, [ask(QUESTIONS[1])], GREEDY)
    text, ids, logprob = "", (), 0.0
    for _ in range(3):
        step_of = ask(QUESTIONS[1], prefix=text, prefix_tokens=ids)
        ((step,),) = write(engine, [step_of], replace(GREEDY, max_new_tokens=4, token_details=True))
        assert "".join(token.text for token in step.details) == step.text
        assert sum(token.logprob for token in step.details) == pytest.approx(step.logprob)
        text, ids, logprob = text + step.text, ids + step.token_ids, logprob + (step.logprob or 0.0)
    assert (text, ids) == (whole.text, whole.token_ids)
    assert logprob == pytest.approx(whole.logprob, abs=1e-4)
    written = "So the sum is"
    (by_text,) = write(engine, [ask(QUESTIONS[1], prefix=written)], GREEDY)
    of_text = tuple(engine.tokenizer.encode(written, add_special_tokens=False))
    (by_ids,) = write(engine, [ask(QUESTIONS[1], prefix=written, prefix_tokens=of_text)], GREEDY)
    assert by_text == by_ids


def test_stop_texts_and_boundaries_end_a_sequence_alone(folder_of: Callable[[str], Path]) -> None:
    engine = HuggingFace(str(folder_of("mamba")))
    prompt = ask(QUESTIONS[0], *range(6))
    (whole,) = write(engine, [prompt], SAMPLED)
    end = next(sign for sign in whole[0].text[2:] if sign.isascii() and sign.isprintable())
    (stopped,) = write(engine, [prompt], replace(SAMPLED, stop=(end,)))
    (steps,) = write(engine, [prompt], replace(SAMPLED, boundary=end))
    for reply, cut, step in zip(whole, stopped, steps, strict=True):
        assert cut.text == reply.text.partition(end)[0]
        assert (cut.finish_reason == "stop") == (end in reply.text or reply.finish_reason == "stop")
        assert reply.text.startswith(step.text)
        assert (step.finish_reason == "boundary") == (end in reply.text)


def test_a_stream_grows_and_ends_as_the_completion(folder_of: Callable[[str], Path]) -> None:
    engine = HuggingFace(str(folder_of("mamba")))
    prompt = ask(QUESTIONS[1], 0, 1)
    streamed = asyncio.run(stream(engine, prompt, SAMPLED))
    assert streamed.completions == write(engine, [prompt], SAMPLED)[0]
    assert max(map(len, streamed.pieces)) > 1


def test_who_leaves_stops_the_writing(folder_of: Callable[[str], Path]) -> None:
    """And whoever comes next is written as ever."""
    engine = HuggingFace(str(folder_of("mamba")))
    [[expected]] = write(engine, [ask(QUESTIONS[1])], GREEDY)
    written: list[int] = []

    async def scene() -> Completion:
        long = replace(SAMPLED, max_new_tokens=100)
        pieces = engine.stream(ask("Hm", *range(4)), long)
        async with aclosing(pieces):  # type: ignore[type-var]
            await anext(pieces)
            loop = engine._pump._loop
            batch = list(loop._batch)
        [found] = await answers(engine, ask(QUESTIONS[1]), GREEDY)
        written.extend(len(each.token_ids) for each in batch)
        return found

    assert asyncio.run(scene()) == expected
    assert max(written) < 100


def test_the_slower_path_is_said_once(folder_of: Callable[[str], Path]) -> None:
    said: list[str] = []
    sink = logger.add(lambda message: said.append(str(message)), level="WARNING", format="{message}")
    try:
        engine = HuggingFace(str(folder_of("bloom")))
        for _ in range(2):
            write(engine, [ask(QUESTIONS[0])], GREEDY)
    finally:
        logger.remove(sink)
    [line] = [each for each in said if "slower" in each]
    assert "'bloom' does not keep plain keys and values" in line
    assert "it runs by transformers' generate, which is slower" in line


def test_searches_run_through(folder_of: Callable[[str], Path]) -> None:
    """With a reward model, and where the boundary often comes."""
    engine = HuggingFace(str(folder_of("qwen3_5")), separator=" ")
    for method, settings in (("best_of_n", {"n": 4}), ("beam_search", {"n": 2, "beam_width": 2, "max_steps": 3})):
        told = {**settings, "reward_model": Likes(), "max_new_tokens": 8}
        (first, about), (second, _) = (Decoder(method, engine, hyperparameters=told).forward("1 + 1?") for _ in "12")
        assert first == second
        assert about["usage"]["generated_tokens"] > 8


def test_what_generate_misreads_is_refused_in_one_line() -> None:
    """Issue 13: rwkv, whose state `generate` of `transformers` does not carry on rightly."""
    from transformers import RwkvConfig, RwkvForCausalLM

    torch.manual_seed(0)
    config = RwkvConfig(hidden_size=32, num_hidden_layers=2, attention_hidden_size=32, context_length=64, vocab_size=99)
    loop = GenerateLoop(RwkvForCausalLM(config).eval(), slots=4, end_ids=frozenset())
    with pytest.raises(
        UserError, match="'rwkv' runs neither by the decode loop nor by transformers' generate"
    ) as caught:
        loop.check()
    assert "\n" not in str(caught.value)


def test_an_error_of_the_model_reaches_who_asked(
    folder_of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = HuggingFace(str(folder_of("mamba")))
    [[expected]] = write(engine, [ask(QUESTIONS[0])], GREEDY)

    def fail(*_: Any) -> None:
        raise EngineError("the device is lost")

    with monkeypatch.context() as patch:
        patch.setattr(GenerateLoop, "_generate", fail)
        with pytest.raises(EngineError, match="the device is lost"):
            write(engine, [ask(QUESTIONS[0])], GREEDY)
    assert write(engine, [ask(QUESTIONS[0])], GREEDY) == [[expected]]


def test_which_loop_wrote_a_text_makes_no_difference(
    model_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a stored run goes on whichever it is, and the identity does not name it."""
    prompts = [ask(question, 3, 1, 4) for question in QUESTIONS]
    config = replace(SAMPLED, top_p=0.9, repetition_penalty=1.2, stop=("e",))
    usual = HuggingFace(str(model_folder("qwen3")))
    expected = write(usual, prompts, config)

    def refuse(loop: Any) -> None:
        refuse_architecture(loop.model.config, "for a test")

    monkeypatch.setattr(DecodeLoop, "check", refuse)
    slow = HuggingFace(str(model_folder("qwen3")))
    assert bare(write(slow, prompts, config)) == bare(expected)
    assert slow.identity == usual.identity
