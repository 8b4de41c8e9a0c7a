"""Models that read images: what they say depends on the image, the seed and nothing else."""

import asyncio
import base64
import threading
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny_models
import torch
from PIL import Image

from inference_kit.errors import EngineError, UserError
from inference_kit.models.decode import generate_loop
from inference_kit.models.decode.generate_loop import GenerateLoop
from inference_kit.models.decode.huggingface import HuggingFace
from inference_kit.models.decode.vision import Vision
from inference_kit.models.local.images import mark_images, open_image
from inference_kit.records import Completion, GenerationConfig, Message, Prompt

GREEDY = GenerationConfig(max_new_tokens=16, temperature=0.0)
SAMPLED = GenerationConfig(max_new_tokens=16, temperature=1.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.write_llava(tmp_path_factory.mktemp("llava"))


@pytest.fixture(scope="module")
def engine(folder: Path) -> Vision:
    return Vision(str(folder))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two images of different kinds: noise, and one colour."""
    place = tmp_path_factory.mktemp("images")
    noise = torch.randint(0, 255, (20, 30, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    Image.fromarray(noise.numpy()).save(place / "noise.png")
    Image.new("RGB", (16, 16), (255, 0, 0)).save(place / "red.jpg")
    return [str(place / "noise.png"), str(place / "red.jpg")]


def ask(text: str, *images: str, seeds: Sequence[int] = (0,), prefix: str = "", ids: Sequence[int] = ()) -> Prompt:
    return Prompt((Message("user", text, images),), prefix, tuple(seeds), tuple(ids))


def write(engine: Vision, prompts: Sequence[Prompt], config: GenerationConfig) -> list[Any]:
    """The completions of each prompt, or what went wrong with it."""

    async def answers(prompt: Prompt) -> list[Completion]:
        found = {place: completion async for place, completion in engine.generate(prompt, config)}
        return [found[place] for place in range(prompt.n)]

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(*map(answers, prompts), return_exceptions=True)

    return asyncio.run(all_at_once())


def bare(completion: Completion) -> Completion:
    return replace(completion, logprob=None, details=())


def test_greedy_text_equals_that_of_transformers(folder: Path, engine: Vision, images: list[str]) -> None:
    """LF-05: and what is said depends on the image."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    model, processor = AutoModelForImageTextToText.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
    said = []
    for image in images:
        inputs = processor(
            text="<|user|><image>\nWhat is it?<|assistant|>", images=[Image.open(image)], return_tensors="pt"
        )
        expected = model.generate(**inputs, max_new_tokens=16, do_sample=False)[0, inputs["input_ids"].shape[1] :]
        ((found,),) = write(engine, [ask("What is it?", image)], GREEDY)
        assert list(found.token_ids) == expected.tolist()
        said.append(found.token_ids)
    assert said[0] != said[1]


def test_each_completion_follows_from_its_own_seed(engine: Vision, images: list[str]) -> None:
    config = replace(SAMPLED, top_p=0.9, repetition_penalty=1.2)
    prompts = [ask("What?", images[0], seeds=(3, 1, 4)), ask("No image", seeds=(5, 6)), ask("Two", *images, seeds=(1,))]
    together = write(engine, prompts, config)
    assert len({completion.text for each in together for completion in each}) > 4
    alone = [[write(engine, [replace(each, seeds=(seed,))], config)[0][0] for seed in each.seeds] for each in prompts]
    assert [[bare(each) for each in row] for row in alone] == [[bare(each) for each in row] for row in together]


def test_steps_put_together_are_the_uninterrupted_reply(engine: Vision, images: list[str]) -> None:
    ((whole,),) = write(engine, [ask("What is it?", images[0])], GREEDY)
    text, ids = "", ()
    for _ in range(4):
        step_of = ask("What is it?", images[0], prefix=text, ids=ids)
        ((step,),) = write(engine, [step_of], replace(GREEDY, max_new_tokens=4, token_details=True))
        assert "".join(token.text for token in step.details) == step.text
        text, ids = text + step.text, ids + step.token_ids
    assert (text, ids) == (whole.text, whole.token_ids)


def test_stop_texts_and_boundaries_end_a_row_alone(engine: Vision, images: list[str]) -> None:
    prompt = ask("What is it?", images[0], seeds=range(6))
    (whole,) = write(engine, [prompt], SAMPLED)
    end = next(sign for sign in whole[0].text[3:] if sign.isascii() and sign.isprintable())
    (stopped,) = write(engine, [prompt], replace(SAMPLED, stop=(end,)))
    (steps,) = write(engine, [prompt], replace(SAMPLED, boundary=end))
    for reply, cut, step in zip(whole, stopped, steps, strict=True):
        assert cut.text == reply.text.partition(end)[0]
        assert (cut.finish_reason == "stop") == (end in reply.text or reply.finish_reason == "stop")
        assert reply.text.startswith(step.text)
        assert (step.finish_reason == "boundary") == (end in reply.text)


def test_images_stand_where_the_text_says(engine: Vision, images: list[str]) -> None:
    """In the model's own template, and in a template by name."""
    shown = engine.render(ask("Is <image> like <image>?", *images).messages)
    assert shown == "<|user|>Is <image> like <image>?<|assistant|>"
    assert engine.render(ask("What?", images[0]).messages) == "<|user|><image>\nWhat?<|assistant|>"
    vicuna = Vision(str(engine.weights.path), template="vicuna")
    assert "USER: <image>\nWhat? ASSISTANT:" in vicuna.render(ask("What?", images[0]).messages)
    assert write(vicuna, [ask("What?", images[0])], GREEDY)[0][0].tokens > 0
    with pytest.raises(EngineError, match="the text has 1 places <image> for 2 images"):
        mark_images(Message("user", "<image>", tuple(images)), "*")


def test_an_image_that_cannot_be_read_fails_its_problem_alone(
    engine: Vision, images: list[str], tmp_path: Path
) -> None:
    """LF-54."""
    (tmp_path / "text.png").write_text("no image")
    Image.new("1", (12000, 9000)).save(tmp_path / "huge.png")
    (tmp_path / "cut.png").write_bytes(Path(images[0]).read_bytes()[:200])
    for path, what in (
        (tmp_path / "text.png", "this is not an image"),
        (tmp_path / "cut.png", "image"),
        (tmp_path / "none.png", "the image cannot be read: No such file"),
        (tmp_path, "the image cannot be read: Is a directory"),
        ("/dev/zero", "a device or a pipe may never end"),
        ("~nobody-of-that-name/a.png", "the image cannot be read"),
        (tmp_path / "huge.png", "too many points"),
    ):
        failed, fine = write(engine, [ask("What?", str(path)), ask("What?", images[0])], GREEDY)
        assert isinstance(failed, EngineError)
        assert what in str(failed)
        assert str(path) in str(failed)
        assert "\n" not in str(failed)
        assert fine[0].tokens > 0


def test_data_urls_and_addresses_are_images_too(images: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    content = Path(images[0]).read_bytes()
    url = "data:image/png;base64," + base64.b64encode(content).decode()
    assert open_image(url).size == open_image(images[0]).size == (30, 20)
    monkeypatch.setattr("inference_kit.models.local.images.urlopen", lambda url, timeout: io.BytesIO(content))
    assert open_image("https://example.org/a.png").size == (30, 20)
    monkeypatch.setattr("inference_kit.models.local.images.MOST_BYTES", 100)
    with pytest.raises(EngineError, match="more than 0 MB"):
        open_image("https://example.org/a.png")
    with pytest.raises(EngineError, match=r"the image cannot be read") as caught:
        open_image("data:image/png;base64,%%%" + "A" * 500)
    assert len(str(caught.value)) < 300


def test_a_text_model_refuses_images_and_the_vision_engine_a_text_model(
    model_folder: Callable[[], Path], images: list[str]
) -> None:
    """LF-54."""
    with pytest.raises(UserError, match=r"reads text only\. Use --model huggingface"):
        Vision(str(model_folder())).check(GREEDY)
    with pytest.raises(EngineError, match="the messages hold images, and HuggingFace reads text only"):
        HuggingFace(str(model_folder())).build_detokenizer(ask("What?", images[0]))


def test_where_memory_runs_out_fewer_are_written_at_once(
    engine: Vision, images: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written stays the same; a single one that does not fit says what to lower."""
    prompt = ask("What?", images[0], seeds=(0, 1, 2))
    [expected] = write(engine, [prompt], SAMPLED)
    plain, limit = GenerateLoop._generate, 2

    def small(loop: Any, batch: Any, choose: Any) -> None:
        if len(batch) > limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        plain(loop, batch, choose)

    monkeypatch.setattr(GenerateLoop, "_generate", small)
    [found] = write(engine, [prompt], SAMPLED)
    assert [each.text for each in found] == [each.text for each in expected]
    limit = 0
    [failed] = write(engine, [prompt], SAMPLED)
    assert "out of memory with a single completion" in str(failed)
    assert "--max-new-tokens" in str(failed)


def hold(monkeypatch: pytest.MonkeyPatch, n: int) -> tuple[threading.Event, list[int]]:
    """Hold the writing of `n` completions when the first is whole, until the event is set; the list counts steps."""
    plain, go_on, steps = generate_loop.append_tokens, threading.Event(), [0]

    def append(sequences: Sequence[Any], *rest: Any) -> None:
        if len(sequences) < n:
            assert go_on.wait(20), "the first completion was not handed on"
            steps[0] += 1
        plain(sequences, *rest)

    monkeypatch.setattr(generate_loop, "append_tokens", append)
    return go_on, steps


def test_each_completion_is_handed_on_when_it_is_whole(
    engine: Vision, images: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill costs only what is being written."""
    prompt, config = uneven(engine, images)
    [expected] = write(engine, [prompt], config)

    async def scene() -> dict[int, Completion]:
        found: dict[int, Completion] = {}
        async for place, completion in engine.generate(prompt, config):
            found[place] = completion
            go_on.set()
        return found

    go_on, steps = hold(monkeypatch, prompt.n)
    found = asyncio.run(scene())
    assert [found[place] for place in range(prompt.n)] == expected
    assert steps[0] > 0


def test_who_leaves_stops_the_writing(engine: Vision, images: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    prompt, config = uneven(engine, images)
    other = ask("No image")
    [expected] = write(engine, [other], GREEDY)

    async def scene() -> Completion:
        completions = engine.generate(prompt, config)
        async with aclosing(completions):  # type: ignore[type-var]
            await anext(completions)
        go_on.set()
        [(_, found)] = [each async for each in engine.generate(other, GREEDY)]
        return found

    go_on, steps = hold(monkeypatch, prompt.n)
    assert asyncio.run(scene()) == expected[0]
    assert steps[0] <= 1 + expected[0].tokens


def uneven(engine: Vision, images: list[str]) -> tuple[Prompt, GenerationConfig]:
    """A prompt whose first completion ends long before its last one."""
    prompt = ask("What is it?", images[0], seeds=range(6))
    [whole] = write(engine, [prompt], SAMPLED)
    signs = [sign for sign in whole[0].text[:4] if sign.isascii() and sign.isprintable()]
    config = next(
        each
        for each in (replace(SAMPLED, stop=(sign,)) for sign in signs)
        if len({completion.tokens for completion in write(engine, [prompt], each)[0]}) > 1
    )
    return prompt, config
