"""The Hugging Face engine says what `transformers.generate` says, whoever else is in the batch."""

import asyncio
import copy
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny_models
import torch
from engine_calls import answers, ask, write
from loguru import logger
from streams import stream

from inference_kit.errors import EngineError, UserError
from inference_kit.models.decode.decode_loop import DecodeLoop
from inference_kit.models.decode.huggingface import HuggingFace
from inference_kit.models.decode.sampling import measure_details
from inference_kit.models.local.attention import choose_attention
from inference_kit.records import Completion, GenerationConfig, Message

Folder = Callable[[str], Path]
QUESTIONS = (
    "So?",
    "Ada has three apples; how many are left? " * 3,
    "The sum is 12 + 30, and what is \\boxed{42} then?",
    "So the answer",
)
GREEDY = GenerationConfig(max_new_tokens=24, temperature=0.0)
SAMPLED = GenerationConfig(max_new_tokens=24, temperature=1.0)


def reference(folder: Path, rendered: str, max_new_tokens: int) -> list[int]:
    """What `transformers` writes greedily."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    ids = torch.tensor([tokenizer.encode(rendered, add_special_tokens=False)])
    mask = torch.ones_like(ids)
    written = model.generate(ids, attention_mask=mask, max_new_tokens=max_new_tokens, do_sample=False)
    found: list[int] = written[0, ids.shape[1] :].tolist()
    return found


@pytest.mark.parametrize("kind", tiny_models.CONFIGS)
def test_greedy_text_equals_that_of_transformers(kind: str, model_folder: Folder) -> None:
    """MAIN-29: MAIN-29: one class serves every family, with prompts shorter and longer than a sliding window."""
    engine = HuggingFace(str(model_folder(kind)), max_batch_size=3)
    prompts = [ask(question) for question in QUESTIONS]
    assert max(len(engine.tokenizer.encode(question)) for question in QUESTIONS) > 2 * tiny_models.WINDOW
    for prompt, (completion,) in zip(prompts, write(engine, prompts, GREEDY), strict=True):
        expected = reference(model_folder(kind), engine.render(prompt.messages), GREEDY.max_new_tokens)
        assert completion.tokens == len(expected)
        assert completion.text == engine.tokenizer.decode(expected, skip_special_tokens=True).rstrip("\ufffd")


def test_what_a_row_says_depends_on_nothing_but_its_prompt_and_seed(model_folder: Folder) -> None:
    """The same with 8 slots and with 1, alone and together, in any order, with a larger n."""
    folder = str(model_folder("qwen3"))
    prompts = [ask(question, 3, 1, 4) for question in QUESTIONS]
    together = write(HuggingFace(folder, max_batch_size=8), prompts, SAMPLED)
    assert len({completion.text for each in together for completion in each}) > 6
    one_by_one = HuggingFace(folder, max_batch_size=1)
    backwards = write(one_by_one, prompts[::-1], SAMPLED)[::-1]
    alone = [[write(one_by_one, [ask(question, seed)], SAMPLED)[0][0] for seed in (3, 1, 4)] for question in QUESTIONS]
    larger_n = [each[1:4] for each in write(HuggingFace(folder), [ask(q, 9, 3, 1, 4, 5) for q in QUESTIONS], SAMPLED)]
    for other in (backwards, alone, larger_n):
        assert [[bare(each) for each in row] for row in other] == [[bare(each) for each in row] for row in together]


def bare(completion: Completion) -> Completion:
    """Without what a rounding may change."""
    return replace(completion, logprob=None)


def test_logprob_is_the_sum_of_what_the_model_gives_its_tokens(model_folder: Folder) -> None:
    """Before temperature, penalties and filters."""
    from transformers import AutoModelForCausalLM

    folder = model_folder("llama")
    engine = HuggingFace(str(folder))
    config = replace(SAMPLED, temperature=0.7, top_k=20, repetition_penalty=1.2)
    ((completion,),) = write(engine, [ask(QUESTIONS[1], 5)], config)
    prompt = engine.tokenizer.encode(engine.render(ask(QUESTIONS[1]).messages))
    assert completion.finish_reason == "length"
    assert completion.prompt_tokens == len(prompt)
    ids = torch.tensor([[*prompt, *completion.token_ids]])
    logprobs = AutoModelForCausalLM.from_pretrained(folder)(ids).logits[0].log_softmax(-1)
    expected = sum(logprobs[len(prompt) - 1 + at, token].item() for at, token in enumerate(completion.token_ids))
    assert completion.logprob == pytest.approx(expected, abs=1e-3)


def test_a_partial_answer_keeps_its_tokens_and_goes_on_as_if_never_stopped(model_folder: Folder) -> None:
    """BEY-01: token by token, the pieces put together are the text of all tokens, halves of a sign included."""
    engine = HuggingFace(str(model_folder("llama")))
    ((whole,),) = write(engine, [ask(QUESTIONS[2])], GREEDY)
    text, tokens = "", ()
    for _ in range(GREEDY.max_new_tokens):
        one_more = ask(QUESTIONS[2], prefix=text, prefix_tokens=tokens)
        ((piece,),) = write(engine, [one_more], replace(GREEDY, max_new_tokens=1))
        text, tokens = text + piece.text, tokens + piece.token_ids
    assert tokens == whole.token_ids
    assert text == whole.text


def in_steps(engine: HuggingFace, question: str, config: GenerationConfig, seed: int = 0) -> list[Completion]:
    """Steps of one reply, each behind the ids of those before it, until the reply is as long as a whole one."""
    steps: list[Completion] = []
    while (room := GREEDY.max_new_tokens - sum(step.tokens for step in steps)) > 0:
        prefix = "".join(step.text for step in steps)
        ids = [token for step in steps for token in step.token_ids]
        asked = replace(config, max_new_tokens=min(room, config.max_new_tokens))
        ((step,),) = write(engine, [ask(question, seed + len(steps), prefix=prefix, prefix_tokens=ids)], asked)
        steps.append(step)
        if step.finish_reason == "stop":
            break
    return steps


@pytest.mark.parametrize("kind", ["llama", "qwen3", "gemma3"])
@pytest.mark.parametrize(
    "settings", [{"max_new_tokens": 1}, {"max_new_tokens": 5}, {"boundary": "e"}, {"boundary": "\n"}]
)
def test_greedy_steps_put_together_are_the_uninterrupted_reply(
    kind: str, settings: dict[str, Any], model_folder: Folder
) -> None:
    """MAIN-49: token for token, for steps of k tokens and for steps that a text ends."""
    engine = HuggingFace(str(model_folder(kind)))
    for question in QUESTIONS[:3]:
        ((whole,),) = write(engine, [ask(question)], GREEDY)
        steps = in_steps(engine, question, replace(GREEDY, **settings))
        assert tuple(token for step in steps for token in step.token_ids) == whole.token_ids
        assert "".join(step.text for step in steps) == whole.text
        assert sum(step.logprob or 0 for step in steps) == pytest.approx(whole.logprob, abs=1e-3)


@pytest.mark.parametrize("name", ["presence_penalty", "frequency_penalty", "repetition_penalty"])
def test_penalties_count_what_was_written_in_earlier_steps(name: str, model_folder: Folder) -> None:
    """Section 0, penalties: a search step by step writes what one call does."""
    engine = HuggingFace(str(model_folder("llama")))
    config = replace(GREEDY, **{name: 1.7})
    ((whole,),) = write(engine, [ask(QUESTIONS[0])], config)
    ((plain,),) = write(engine, [ask(QUESTIONS[0])], GREEDY)
    assert whole.text != plain.text
    steps: list[Completion] = []
    while sum(step.tokens for step in steps) < whole.tokens:
        ids = tuple(token for step in steps for token in step.token_ids)
        ((step,),) = write(engine, [ask(QUESTIONS[0], prefix_tokens=ids)], replace(config, max_new_tokens=3))
        steps.append(step)
    assert sum(step.tokens for step in steps) == whole.tokens
    assert (steps[-1].finish_reason == "stop") == (whole.finish_reason == "stop")
    assert whole.finish_reason == "stop" or sum((step.token_ids for step in steps), ()) == whole.token_ids


@pytest.mark.parametrize(
    "setting", [{"repetition_penalty": 1.6}, {"presence_penalty": 1.5}, {"frequency_penalty": 0.7}, {"min_p": 0.999}]
)
def test_a_reply_is_what_a_plain_loop_computes(setting: dict[str, float], model_folder: Folder) -> None:
    """Section 0, penalties: written down once more, token by token, without a cache."""
    from transformers import AutoModelForCausalLM

    config = replace(SAMPLED if "min_p" in setting else GREEDY, **setting)  # so large a min_p leaves the likeliest only
    engine, model = HuggingFace(str(model_folder())), AutoModelForCausalLM.from_pretrained(model_folder())
    ((found,),) = write(engine, [ask(QUESTIONS[2])], config)
    prompt = list(engine.build_detokenizer(ask(QUESTIONS[2])).prompt_ids)
    written: list[int] = []
    while len(written) < found.tokens:
        logits = model(torch.tensor([prompt + written])).logits[0, -1].tolist()
        for token in {*prompt, *written} if config.repetition_penalty != 1 else ():
            logits[token] *= config.repetition_penalty ** (-1 if logits[token] > 0 else 1)
        for token in set(written):
            logits[token] -= config.presence_penalty + config.frequency_penalty * written.count(token)
        written.append(max(range(len(logits)), key=logits.__getitem__))
    assert found.token_ids == tuple(written)


def test_a_sampled_step_follows_from_its_own_seed(model_folder: Folder) -> None:
    """Whatever was read or written before it, and whoever is beside it."""
    folder = str(model_folder("qwen3"))
    config = replace(SAMPLED, max_new_tokens=6)
    engine = HuggingFace(folder, max_batch_size=4)
    steps = in_steps(engine, QUESTIONS[1], config, seed=20)
    ids = [token for step in steps[:2] for token in step.token_ids]
    third = ask(QUESTIONS[1], 22, prefix="".join(step.text for step in steps[:2]), prefix_tokens=ids)
    again = write(HuggingFace(folder), [third], config)[0][0]
    beside_others = write(engine, [ask(QUESTIONS[0], 1, 2, 3), replace(third, seeds=(5, 22)), third], config)
    assert bare(again) == bare(steps[2]) == bare(beside_others[1][1]) == bare(beside_others[2][0])


def test_token_details_have_one_entry_a_token_whose_pieces_are_the_text(model_folder: Folder) -> None:
    """BEY-04: halves of signs, steps, stop texts and what else is in the batch included."""
    engine = HuggingFace(str(model_folder("qwen3")), max_batch_size=5)
    sampled = replace(SAMPLED, token_details=True)
    prompts = [ask(question, 1, 2, 3) for question in QUESTIONS]
    first = [completion for each in write(engine, prompts, sampled) for completion in each]
    stopped = write(engine, prompts[:1], replace(sampled, stop=(stop_text(first[0].text),)))[0]
    behind = ask(QUESTIONS[0], 7, prefix=first[1].text, prefix_tokens=first[1].token_ids)
    for completion in (*first, *stopped, write(engine, [behind], sampled)[0][0]):
        assert len(completion.details) == completion.tokens
        assert "".join(each.text for each in completion.details) == completion.text
        assert sum(each.logprob for each in completion.details) == pytest.approx(completion.logprob, abs=1e-3)
        assert all(0 <= each.margin <= 1 for each in completion.details)
    assert any("\ufffd" in completion.text for completion in first)
    assert write(engine, prompts[:1], SAMPLED)[0][0].details == ()


def test_details_are_those_of_the_model_itself_before_temperature_and_penalties(model_folder: Folder) -> None:
    from transformers import AutoModelForCausalLM

    folder = model_folder("llama")
    engine = HuggingFace(str(folder))
    config = replace(SAMPLED, temperature=0.5, top_k=5, repetition_penalty=1.3, token_details=True)
    ((found,),) = write(engine, [ask(QUESTIONS[0], 3)], config)
    prompt = engine.tokenizer.encode(engine.render(ask(QUESTIONS[0]).messages))
    logits = AutoModelForCausalLM.from_pretrained(folder)(torch.tensor([[*prompt, *found.token_ids]])).logits[0]
    for at, (token, detail) in enumerate(zip(found.token_ids, found.details, strict=False), start=len(prompt) - 1):
        (expected,) = measure_details(logits[at : at + 1], torch.tensor([token]))
        assert (detail.margin, detail.confidence) == pytest.approx((expected.margin, expected.confidence), abs=1e-3)
        assert detail.certainty == pytest.approx(expected.certainty, abs=1e-2)


def test_completions_branch_at_the_first_token_and_go_on_greedily(model_folder: Folder) -> None:
    """Chain-of-thought decoding, arXiv:2402.10200."""
    engine = HuggingFace(str(model_folder("llama")))
    config = replace(GREEDY, branch_first=True)
    (branches,) = write(engine, [ask(QUESTIONS[0], 0, 1, 5)], config)
    assert bare(branches[0]) == bare(write(engine, [ask(QUESTIONS[0])], GREEDY)[0][0])
    rendered = engine.render(ask(QUESTIONS[0]).messages)
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(model_folder("llama"))
    ranked = model(torch.tensor([engine.tokenizer.encode(rendered)])).logits[0, -1].sort(descending=True).indices
    for rank, branch in zip((0, 1, 5), branches, strict=True):
        assert branch.token_ids[0] == ranked[rank]
        if branch.tokens > 1:
            rest = ask(
                QUESTIONS[0], prefix=engine.tokenizer.decode(branch.token_ids[:1]), prefix_tokens=branch.token_ids[:1]
            )
            ((greedy,),) = write(engine, [rest], replace(GREEDY, max_new_tokens=GREEDY.max_new_tokens - 1))
            assert greedy.token_ids == branch.token_ids[1:]
    with pytest.raises(EngineError, match="no first token of rank 9999"):
        write(engine, [ask(QUESTIONS[0], 9999)], config)


def test_a_prefix_without_tokens_is_read_as_text(model_folder: Folder) -> None:
    engine = HuggingFace(str(model_folder("llama")))
    ((whole,),) = write(engine, [ask(QUESTIONS[0], prefix="So the sum")], GREEDY)
    rendered = engine.render(ask(QUESTIONS[0]).messages) + "So the sum"
    assert list(whole.token_ids) == reference(model_folder("llama"), rendered, GREEDY.max_new_tokens)


def stop_text(whole: str) -> str:
    """A text in the middle of what the model writes by itself."""
    plain = [sign for sign in whole if sign.isascii() and sign.isprintable()]
    return next(sign for sign in plain[len(plain) // 3 :] if whole.index(sign) > 3)


def test_a_stop_text_is_cut_and_a_boundary_is_kept(model_folder: Folder) -> None:
    engine = HuggingFace(str(model_folder("llama")))
    ((whole,),) = write(engine, [ask(QUESTIONS[1])], GREEDY)
    end = stop_text(whole.text)
    ((stopped,),) = write(engine, [ask(QUESTIONS[1])], replace(GREEDY, stop=("never said", end)))
    assert (stopped.text, stopped.finish_reason) == (whole.text.partition(end)[0], "stop")
    assert stopped.tokens < whole.tokens
    assert stopped.token_ids == ()
    ((step,),) = write(engine, [ask(QUESTIONS[1])], replace(GREEDY, boundary=end))
    assert step.finish_reason == "boundary"
    assert end in step.text
    assert whole.text.startswith(step.text)
    assert step.token_ids == whole.token_ids[: len(step.token_ids)]
    ((both,),) = write(engine, [ask(QUESTIONS[1])], replace(GREEDY, boundary=end, stop=(end,)))
    assert both.finish_reason == "stop"


def test_length_ends_a_completion_at_max_new_tokens_and_at_the_end_of_the_context(model_folder: Folder) -> None:
    engine = HuggingFace(str(model_folder("gpt2")))
    ((short,),) = write(engine, [ask(QUESTIONS[3])], replace(GREEDY, max_new_tokens=5))
    assert (short.tokens, short.finish_reason) == (5, "length")
    long = "x" * (tiny_models.CONTEXT - 10)
    ((full,),) = write(engine, [ask(long)], replace(GREEDY, max_new_tokens=100))
    assert full.finish_reason in ("length", "stop")
    assert full.prompt_tokens + full.tokens <= tiny_models.CONTEXT
    assert full.tokens == 8 or full.finish_reason == "stop"


def test_a_prompt_beyond_the_context_fails_alone_with_both_lengths(model_folder: Folder) -> None:
    """MAIN-86: MAIN-85."""
    engine = HuggingFace(str(model_folder("llama")))

    async def together() -> list[Any]:
        prompts = [ask("x" * 500), ask(QUESTIONS[0])]
        return await asyncio.gather(*(answers(engine, each, GREEDY) for each in prompts), return_exceptions=True)

    failed, fine = asyncio.run(together())
    assert isinstance(failed, EngineError)
    assert "502 tokens" in str(failed)
    assert f"context {tiny_models.CONTEXT}" in str(failed)
    assert fine[0].tokens == GREEDY.max_new_tokens


def test_the_engine_answers_in_one_event_loop_after_the_other(model_folder: Folder) -> None:
    engine = HuggingFace(str(model_folder("llama")))
    assert write(engine, [ask("So")], GREEDY) == write(engine, [ask("So")], GREEDY)


def test_a_caller_that_leaves_frees_its_rows(model_folder: Folder) -> None:
    engine = HuggingFace(str(model_folder("llama")), max_batch_size=2)

    async def first_only() -> None:
        endless = replace(SAMPLED, max_new_tokens=140)
        completions = engine.generate(ask("So", *range(40)), endless)
        await anext(completions)
        await completions.aclose()
        await asyncio.wait_for(answers(engine, ask("So"), GREEDY), 20)

    asyncio.run(first_only())
    assert engine._pump is not None
    loop: Any = engine._pump._loop
    assert not loop.busy or all(row.cancelled for row in [*loop.live, *loop.waiting])


def test_a_stream_is_the_whole_text_and_never_shows_the_beginning_of_a_stop_text(model_folder: Folder) -> None:
    engine = HuggingFace(str(model_folder("llama")))
    ((whole,),) = write(engine, [ask(QUESTIONS[1])], GREEDY)
    cut = next(at for at in range(6, len(whole.text)) if "\ufffd" not in whole.text[at : at + 3])
    end = whole.text[cut : cut + 3]
    config = replace(GREEDY, stop=(end,))

    streamed = asyncio.run(stream(engine, ask(QUESTIONS[1]), GREEDY))
    assert len(streamed.pieces[0]) > 3
    assert streamed.texts == [whole.text]
    assert asyncio.run(stream(engine, ask(QUESTIONS[1]), config)).texts == [whole.text.partition(end)[0]]


@pytest.mark.parametrize("setting", [{}, {"boundary": "a"}, {"branch_first": True}, {"token_details": True}])
def test_a_stream_ends_with_the_completions_that_are_generated_without(
    model_folder: Folder, setting: dict[str, Any]
) -> None:
    """The same texts, tokens, log-probabilities and details, of several seeds at once."""
    engine = HuggingFace(str(model_folder("llama")))
    config = replace(SAMPLED, max_new_tokens=24, **setting)
    streamed = asyncio.run(stream(engine, ask(QUESTIONS[1], 0, 1, 2), config))
    [whole] = write(engine, [ask(QUESTIONS[1], 0, 1, 2)], config)
    for ours, theirs in zip(streamed.completions, whole, strict=True):
        assert replace(ours, logprob=None, details=()) == replace(theirs, logprob=None, details=())
        assert ours.logprob == pytest.approx(theirs.logprob, abs=1e-4)
        assert len(ours.details) == len(theirs.details)


def test_who_leaves_a_stream_takes_the_rows_out_of_the_batch(model_folder: Folder) -> None:
    engine = HuggingFace(str(model_folder("llama")))

    async def first_piece_only() -> None:
        endless = replace(SAMPLED, max_new_tokens=140)
        pieces: Any = engine.stream(ask("So", *range(40)), endless)
        await anext(pieces)
        await pieces.aclose()
        await asyncio.wait_for(answers(engine, ask("So"), GREEDY), 20)

    asyncio.run(first_piece_only())
    assert engine._pump is not None
    loop: Any = engine._pump._loop
    assert not loop.busy or all(row.cancelled for row in [*loop.live, *loop.waiting])


def test_without_a_chat_template_the_contents_are_the_prompt(tmp_path: Path) -> None:
    engine = HuggingFace(str(tiny_models.write(tmp_path, chat=False)))
    assert engine.render((Message("system", "Be brief."), Message("user", "So?"))) == "Be brief.\n\nSo?"
    assert write(engine, [ask("So?")], GREEDY)[0][0].prompt_tokens > 0


def test_a_chat_template_of_ones_own_replaces_the_models(model_folder: Folder, tmp_path: Path) -> None:
    """MAIN-28."""
    template = tmp_path / "own.jinja"
    template.write_text("Q: {{ messages[0]['content'] }} A:")
    folder = str(model_folder("llama"))
    engine = HuggingFace(folder, chat_template=str(template))
    assert engine.render(ask("So?").messages) == "Q: So? A:"
    assert engine.identity != HuggingFace(folder).identity
    with pytest.raises(UserError, match="chat template cannot be read"):
        HuggingFace(folder, chat_template=str(tmp_path / "none.jinja")).render(ask("So?").messages)


def test_a_template_that_refuses_the_messages_fails_the_problem_alone(model_folder: Folder, tmp_path: Path) -> None:
    template = tmp_path / "own.jinja"
    refusal = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    template.write_text(refusal + "{{ messages[0]['content'] }}")
    engine = HuggingFace(str(model_folder("llama")), chat_template=str(template))
    assert engine.render((Message("user", "So?"),)) == "So?"
    with pytest.raises(EngineError, match="the chat template refuses these messages: no system"):
        engine.render((Message("system", "Be brief."), Message("user", "So?")))


def test_identity_context_and_settings_are_known_without_torch(model_folder: Folder) -> None:
    """Promise: a finished run is replayed without loading anything."""
    program = (
        "import sys\n"
        "from inference_kit.models.decode.huggingface import HuggingFace\n"
        f"engine = HuggingFace({str(model_folder('llama'))!r})\n"
        "print(engine.identity, engine.context_length, dict(engine.generation_defaults()))\n"
        "print(sorted({'torch', 'transformers', 'tokenizers', 'numpy'} & set(sys.modules)))\n"
    )
    home = Path(__file__).resolve().parents[3]
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=home, check=True)
    assert run.stdout.splitlines()[-1] == "[]"
    assert f" {tiny_models.CONTEXT} " in run.stdout


def test_generation_defaults_are_those_of_the_model(model_folder: Folder, tmp_path: Path) -> None:
    folder = shutil.copytree(model_folder("llama"), tmp_path / "copy")
    given = {"temperature": 0.6, "top_p": 0.95, "top_k": 20, "do_sample": True, "eos_token_id": [2, 5]}
    (folder / "generation_config.json").write_text(json.dumps(given))
    engine = HuggingFace(str(folder))
    assert engine.generation_defaults() == {"temperature": 0.6, "top_p": 0.95, "top_k": 20}
    assert engine.end_ids == {2, 5}
    (folder / "generation_config.json").write_text(json.dumps(given | {"do_sample": False}))
    assert HuggingFace(str(folder)).generation_defaults()["temperature"] == 0.0


def test_an_unknown_attention_is_named_before_anything_is_loaded(model_folder: Folder) -> None:
    """MAIN-31."""
    with pytest.raises(UserError, match="unknown attn_implementation 'flash'"):
        HuggingFace(str(model_folder("llama")), attn_implementation="flash").check(GREEDY)  # type: ignore[arg-type]


def test_capped_attention_scores_get_the_kernel_that_caps_them() -> None:
    config = {"attn_logit_softcapping": 50.0}
    assert choose_attention("auto", config) == "eager"
    assert choose_attention("auto", {}) is None
    with pytest.raises(UserError, match="cap attention scores"):
        choose_attention("sdpa", config)


def test_an_architecture_that_our_cache_misreads_is_refused_at_load(model_folder: Folder) -> None:
    """Here one that looks one token less far back wherever it has a cache."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(model_folder("llama")).eval()
    forward = model.forward

    def misread(*, attention_mask: Any = None, **inputs: Any) -> Any:
        if attention_mask is not None:
            attention_mask[..., 0] = torch.finfo(torch.float32).min
        return forward(attention_mask=attention_mask, **inputs)

    model.forward = misread
    with pytest.raises(UserError, match=r"architecture 'llama'.*its logits are \d+% off"):
        DecodeLoop(model, slots=4, end_ids=frozenset()).check()


def test_an_architecture_that_fails_with_our_cache_is_one_line() -> None:
    """Issue 13, F20: openai-gpt knows no cache and ended in a traceback."""
    from transformers import OpenAIGPTConfig, OpenAIGPTLMHeadModel

    config = OpenAIGPTConfig(vocab_size=64, n_positions=64, n_embd=16, n_layer=2, n_head=2)
    loop = DecodeLoop(OpenAIGPTLMHeadModel(config).eval(), slots=4, end_ids=frozenset())
    with pytest.raises(UserError, match="architecture 'openai-gpt' does not keep plain keys and values") as caught:
        loop.check()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", ["weights", "format"])
def test_logits_that_are_no_numbers_are_said_at_load(damage: str, model_folder: Folder) -> None:
    """Issue 13, F19: it was said that they are nan% off."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(model_folder("llama")).eval()
    weight = model.model.layers[0].mlp.down_proj.weight.data
    if damage == "weights":
        weight[3] = float("nan")
    else:
        weight *= 1e6
        model.half()
    with pytest.raises(UserError, match=r"logits are not numbers.*--dtype bfloat16"):
        DecodeLoop(model, slots=4, end_ids=frozenset()).check()


def test_a_check_that_runs_out_of_memory_says_so(model_folder: Folder) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(model_folder("llama")).eval()

    def too_large(**_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    model.forward = too_large
    with pytest.raises(UserError, match="leave no memory to write with"):
        DecodeLoop(model, slots=4, end_ids=frozenset()).check()


def test_what_ends_the_loop_reaches_every_caller_and_the_engine_lives_on(
    model_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = HuggingFace(str(model_folder("llama")))
    write(engine, [ask("So")], GREEDY)
    assert engine._pump is not None
    loop: Any = engine._pump._loop

    def broken(steps: int) -> list[Any]:
        raise ValueError("a bug")

    async def both() -> list[Any]:
        return await asyncio.gather(*(answers(engine, ask(q), GREEDY) for q in QUESTIONS), return_exceptions=True)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "advance", broken)
        assert [str(each) for each in asyncio.run(both())] == ["a bug"] * len(QUESTIONS)
    assert write(engine, [ask("So")], GREEDY)[0][0].tokens == GREEDY.max_new_tokens


def with_stop_words(folder: Path, template: Path, *stop: str) -> HuggingFace:
    """An engine with the model's own template, whose header names `stop`."""
    own = HuggingFace(str(folder)).tokenizer.chat_template
    template.write_text("{#- " + json.dumps({"stop": stop}) + " -#}" + own)
    return HuggingFace(str(folder), chat_template=str(template))


def test_a_template_brings_its_stop_words(model_folder: Folder, tmp_path: Path) -> None:
    """LF-02: a token of the tokenizer ends a reply like its own end, any other text like a stop text."""
    folder = model_folder("llama")
    plain = HuggingFace(str(folder))
    ((whole,),) = write(plain, [ask(QUESTIONS[1])], GREEDY)
    text = next(
        piece for at in range(6, 20) if "\ufffd" not in (piece := whole.text[at : at + 4]) and piece.isprintable()
    )
    assert text not in plain.tokenizer.get_vocab()
    ((found,),) = write(with_stop_words(folder, tmp_path / "a.jinja", text), [ask(QUESTIONS[1])], GREEDY)
    assert (found.text, found.finish_reason) == (whole.text.partition(text)[0], "stop")
    last = whole.token_ids[9]
    engine = with_stop_words(folder, tmp_path / "b.jinja", plain.tokenizer.convert_ids_to_tokens(last))
    ((found,),) = write(engine, [ask(QUESTIONS[1])], GREEDY)
    assert (found.tokens, found.finish_reason) == (whole.token_ids.index(last) + 1, "stop")


def test_weights_that_accelerate_spreads_say_the_same(model_folder: Folder) -> None:
    """MAIN-30: here over the one device there is."""
    folder = str(model_folder("llama"))
    prompts = [ask(question, 1, 2) for question in QUESTIONS]
    spread, plain = (write(HuggingFace(folder, device_map=each), prompts, SAMPLED) for each in ("auto", None))
    assert [[bare(each) for each in row] for row in spread] == [[bare(each) for each in row] for row in plain]


def test_a_model_that_scores_is_not_asked_to_write(tmp_path: Path) -> None:
    """Where input and output embeddings are one, such weights would load as if they could."""
    folder = tiny_models.write(tmp_path / "m", "llama", auto_class="AutoModelForSequenceClassification")
    with pytest.raises(UserError, match=r"is a LlamaForSequenceClassification, which does not write text"):
        HuggingFace(str(folder)).check(GREEDY)


def test_a_token_beyond_the_vocabulary_fails_its_prompt_alone(model_folder: Folder, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(model_folder("llama"), tmp_path / "m"))
    other = copy.deepcopy(tiny_models.tokenizer())
    other.add_tokens(["zebra"])
    other.save_pretrained(folder)
    engine = HuggingFace(str(folder))

    async def both() -> list[Any]:
        prompts = [ask("So the zebra"), ask("So")]
        return await asyncio.gather(*(answers(engine, each, GREEDY) for each in prompts), return_exceptions=True)

    failed, written = asyncio.run(both())
    n = len(tiny_models.tokenizer())
    assert f"the tokenizer made token {n} of this text, and m knows {n}" in str(failed)
    assert written[0].tokens


def test_weights_that_do_not_load_are_tried_once(model_folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred problems wait for them; each try may take minutes."""
    tries = []

    def broken(engine: HuggingFace) -> Any:
        tries.append(engine)
        raise UserError("the weights do not load")

    monkeypatch.setattr(HuggingFace, "_load_model", broken)
    engine = HuggingFace(str(model_folder("llama")))

    async def all_at_once() -> list[Any]:
        asked = (answers(engine, ask("So"), GREEDY) for _ in range(8))
        return await asyncio.gather(*asked, return_exceptions=True)

    assert [str(each) for each in asyncio.run(all_at_once())] == ["the weights do not load"] * 8
    assert len(tries) == 1


def test_what_generation_config_says_and_we_cannot_do_is_said(
    model_folder: Folder, tmp_path: Path, caplog: Any
) -> None:
    folder = Path(shutil.copytree(model_folder("llama"), tmp_path / "m"))
    own = {"no_repeat_ngram_size": 3, "num_beams": 1, "suppress_tokens": [5], "stop_strings": ["x"], "typical_p": 1.0}
    (folder / "generation_config.json").write_text(json.dumps(own))
    engine = HuggingFace(str(folder))
    sink = logger.add(caplog.handler, format="{message}")
    engine.check(GREEDY)
    logger.remove(sink)
    assert caplog.messages == [
        "generation_config.json of m sets no_repeat_ngram_size, suppress_tokens, which this engine cannot apply"
    ]
    assert engine.generation_defaults() == {"stop": ["x"]}
