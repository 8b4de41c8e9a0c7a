"""Tensor parallel: two processes on this machine's CPU say what one says."""

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from streams import stream

from inference_kit.errors import EngineError, UserError
from inference_kit.models.decode.huggingface import HuggingFace
from inference_kit.records import Completion, GenerationConfig, Message, Prompt

QUESTIONS = ("So?", "Ada has three apples; how many are left?", "The sum is 12 + 30, and what is it?")
SAMPLED = GenerationConfig(max_new_tokens=20, temperature=1.0, boundary="e", token_details=True)


async def answers(engine: HuggingFace, question: str, config: GenerationConfig) -> list[Completion]:
    prompt = Prompt((Message("user", question),), seeds=(1, 2, 3))
    found = {place: completion async for place, completion in engine.generate(prompt, config)}
    return [found[place] for place in range(3)]


async def all_answers(engine: HuggingFace) -> list[Any]:
    return await asyncio.gather(*(answers(engine, question, SAMPLED) for question in QUESTIONS))


def bare(completion: Completion) -> Completion:
    return replace(completion, logprob=None, details=())


@pytest.mark.slow
def test_two_processes_say_what_one_says(model_folder: Callable[[], Path]) -> None:
    """MAIN-30: steps, details, a stream and a caller that leaves included; and no process stays behind."""
    folder = str(model_folder())
    expected = asyncio.run(all_answers(HuggingFace(folder)))
    engine = HuggingFace(folder, tensor_parallel_size=2, max_batch_size=4)

    async def use() -> None:
        found = await all_answers(engine)
        assert [[bare(each) for each in row] for row in found] == [[bare(each) for each in row] for row in expected]
        assert found[0][0].logprob == pytest.approx(expected[0][0].logprob, abs=1e-3)
        assert "".join(token.text for token in found[0][0].details) == found[0][0].text
        completions = engine.generate(Prompt((Message("user", "So?"),), seeds=tuple(range(20))), SAMPLED)
        await anext(completions)
        await completions.aclose()
        config = replace(SAMPLED, boundary="", token_details=False)
        streamed = await stream(engine, Prompt((Message("user", "So?"),), seeds=(1,)), config)
        assert len(streamed.pieces[0]) > 1
        assert engine._shares is not None
        children = engine._shares._children
        await engine.close()
        assert len(children) == 2
        assert all(child.status is not None for child in children)

    asyncio.run(use())


@pytest.mark.slow
def test_a_process_that_dies_is_an_error_and_ends_the_others(model_folder: Callable[[], Path]) -> None:
    engine = HuggingFace(str(model_folder()), tensor_parallel_size=2)

    async def use() -> None:
        await answers(engine, "So?", SAMPLED)
        assert engine._shares is not None
        children = engine._shares._children
        os.kill(children[1].pid, signal.SIGKILL)
        with pytest.raises(EngineError, match=r"has died \(ended by SIGKILL\)"):
            await answers(engine, "So?", SAMPLED)
        assert all(child.status is not None for child in children)

    asyncio.run(use())


def test_what_cannot_be_shared_out_is_refused(model_folder: Callable[[str], Path], monkeypatch: Any) -> None:
    """Before anything is loaded."""
    with pytest.raises(UserError, match="4 key-value heads cannot be shared out between 3"):
        HuggingFace(str(model_folder("llama")), tensor_parallel_size=3).check(SAMPLED)
    with pytest.raises(UserError, match="tensor_parallel_size does not go together with device_map"):
        HuggingFace(str(model_folder("llama")), tensor_parallel_size=2, device_map="auto").check(SAMPLED)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match="2 GPUs are wanted and 1 are here"):
        HuggingFace(str(model_folder("llama")), tensor_parallel_size=2).check(SAMPLED)
