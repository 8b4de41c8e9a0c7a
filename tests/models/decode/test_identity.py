"""Identity: whatever changes what a model says has another one, and what changes nothing has not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_models

from inference_kit.errors import UserError
from inference_kit.models.decode.huggingface import HuggingFace
from inference_kit.models.vllm.engine import VLLM
from inference_kit.records import GenerationConfig, Message

QUESTION = (Message("user", "So?"),)
THINKING = (
    "{% if enable_thinking is defined and not enable_thinking %}<quick>{% endif %}"
    "{{ reasoning_effort | default('medium') }} {{ strftime_now('%d %b %Y') }} {{ messages[0]['content'] }}"
)


def change(folder: Path, name: str, **settings: Any) -> None:
    path = folder / name
    path.write_text(json.dumps((json.loads(path.read_text()) if path.is_file() else {}) | settings))


def test_an_end_that_only_generation_config_names_is_part_of_it(copy: Path) -> None:
    """Issue 13, F12: a run in the same folder reported the replies of before."""
    before = HuggingFace(str(copy)).identity
    change(copy, "generation_config.json", eos_token_id=2)
    assert HuggingFace(str(copy)).identity == before
    assert HuggingFace(str(copy)).former_identity == ""
    change(copy, "generation_config.json", eos_token_id=[2, 7])
    changed = HuggingFace(str(copy))
    assert changed.identity != before
    assert changed.former_identity == before
    change(copy, "generation_config.json", eos_token_id=[9, 2])
    assert HuggingFace(str(copy)).identity not in (before, changed.identity)


@pytest.mark.parametrize("name", ["vocab.json", "merges.txt", "added_tokens.json", "special_tokens_map.json"])
def test_files_of_older_tokenizers_are_part_of_it_where_they_are_read(name: str, copy: Path) -> None:
    """Issue 13, F13; `transformers` reads these where tokenizer.json, or the list of added tokens, is missing."""
    old = name in ("vocab.json", "merges.txt")
    if old:
        (copy / "tokenizer.json").unlink()
    (copy / name).write_text("{}")
    before = HuggingFace(str(copy))
    known, former = before.identity, before.former_identity
    (copy / name).write_text('{"So": 7}')
    after = HuggingFace(str(copy))
    assert after.identity != known
    assert after.former_identity == former != ""
    if old:
        (copy / "tokenizer.json").write_text("{}")
    else:
        change(copy, "tokenizer_config.json", added_tokens_decoder={})
    assert HuggingFace(str(copy)).former_identity == ""


def test_code_of_its_own_is_part_of_it_where_it_is_run(copy: Path) -> None:
    plain = HuggingFace(str(copy)).identity
    (copy / "modeling_own.py").write_text("A = 1")
    assert HuggingFace(str(copy)).identity == plain
    trusted = HuggingFace(str(copy), trust_remote_code=True).identity
    (copy / "modeling_own.py").write_text("A = 2")
    assert len({plain, trusted, HuggingFace(str(copy), trust_remote_code=True).identity}) == 3


def test_a_tokenizer_that_an_adapter_brings_is_part_of_it(model_folder: Callable[[], Path], tmp_path: Path) -> None:
    base, adapter = model_folder(), tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(
        json.dumps({"peft_type": "LORA", "base_model_name_or_path": str(base)})
    )
    (adapter / "adapter_model.safetensors").write_bytes(b"weights")
    alone = HuggingFace(str(adapter)).identity
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(base / name, adapter)
    assert HuggingFace(str(adapter)).identity == alone
    (adapter / "chat_template.jinja").write_text("{{ messages[0]['content'] }} Answer:")
    assert HuggingFace(str(adapter)).identity != alone


@pytest.mark.parametrize("engine", [HuggingFace, VLLM])
def test_template_variables_are_settings_and_part_of_it(engine: type[HuggingFace | VLLM], copy: Path) -> None:
    """Issue 13, F24: Qwen3 without thinking needed a Jinja file of one's own."""
    (copy / "chat_template.jinja").write_text(THINKING)
    path = str(copy)
    prompts = {
        engine(path): "medium 26 Jul 2024 So?",
        engine(path, thinking=False): "<quick>medium 26 Jul 2024 So?",
        engine(path, thinking=True): "medium 26 Jul 2024 So?",
        engine(path, reasoning_effort="low"): "low 26 Jul 2024 So?",
        engine(path, chat_template_kwargs={"reasoning_effort": "high"}): "high 26 Jul 2024 So?",
        engine(path, template_date="2026-11-30"): "medium 30 Nov 2026 So?",
    }
    assert {each: each.render(QUESTION) for each in prompts} == prompts
    assert len({each.identity for each in prompts}) == len(prompts)
    assert {each.former_identity for each in prompts} == {""}, "earlier versions wrote the day's date"


def test_a_template_that_reads_no_clock_takes_no_date_into_it(copy: Path) -> None:
    assert HuggingFace(str(copy), template_date="2026-11-30").identity == HuggingFace(str(copy)).identity
    with pytest.raises(UserError, match=r"--template-date: 'today' is no date. It looks like 2024-07-26"):
        HuggingFace(str(copy), template_date="today")


@pytest.mark.parametrize(
    ("settings", "flag"),
    [
        ({"thinking": False}, "--thinking: the chat template of model has no variable enable_thinking"),
        ({"reasoning_effort": "low"}, "--reasoning-effort: .* no variable reasoning_effort"),
        ({"chat_template_kwargs": {"documents": []}}, "--chat-template-kwargs: .* no variable documents"),
    ],
)
def test_a_variable_that_the_template_does_not_read_is_refused(settings: dict[str, Any], flag: str, copy: Path) -> None:
    with pytest.raises(UserError, match=flag):
        HuggingFace(str(copy), **settings).check(GenerationConfig(max_new_tokens=8))


def test_a_template_that_knows_one_name_of_thinking_is_enough(copy: Path) -> None:
    for name in ("enable_thinking", "thinking"):
        template = f"{{% if {name} %}}Hm.{{% endif %}}{{{{ messages[0]['content'] }}}}"
        (copy / "chat_template.jinja").write_text(template)
        engine = HuggingFace(str(copy), thinking=True)
        engine.check(GenerationConfig(max_new_tokens=8))
        assert engine.render(QUESTION) == "Hm.So?"


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 4242\n"


def test_a_template_that_never_shows_the_question_is_refused(copy: Path) -> None:
    """Issue 13, F26: such as a pointer of Git LFS in the place of the file."""
    (copy / "chat_template.jinja").write_text(POINTER)
    with pytest.raises(
        UserError, match="the chat template never shows the question; it makes 'version https://git-lfs"
    ):
        HuggingFace(str(copy)).render(QUESTION)


def test_templates_without_a_default_are_named_once(copy: Path) -> None:
    """Issue 13, F22: each problem failed, with a hint at the system message."""
    (copy / "chat_template.jinja").unlink()
    named = [{"name": name, "template": tiny_models.TEMPLATE} for name in ("tool_use", "rag")]
    change(copy, "tokenizer_config.json", chat_template=named)
    with pytest.raises(UserError, match=r"has the chat templates rag, tool_use, and none is the default.*--template"):
        HuggingFace(str(copy)).render(QUESTION)
    assert HuggingFace(str(copy), template="chatml").render(QUESTION).startswith("<|im_start|>user\nSo?")


@pytest.mark.parametrize(
    "content", ["{}", "[]", '{"model": {"type": "BPE"}}', "null", '{"model": 1, "added_tokens": 2}']
)
def test_a_tokenizer_that_is_none_is_one_line(content: str, copy: Path) -> None:
    """Issue 13, F21."""
    (copy / "tokenizer.json").write_text(content)
    with pytest.raises(UserError, match="the tokenizer does not load") as caught:
        HuggingFace(str(copy)).render(QUESTION)
    assert "\n" not in str(caught.value)
