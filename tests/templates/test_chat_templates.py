"""Chat templates by name: byte for byte what the models were trained on, in a sandbox."""

from pathlib import Path
from typing import Any

import pytest
import tiny_models

from inference_kit.errors import EngineError, UserError
from inference_kit.models.local.chat_text import render_chat, set_chat_template, split_stops
from inference_kit.records import Message
from inference_kit.templates.chat_templates import list_chat_templates, load_chat_template

TURNS = (Message("user", "Hi"), Message("assistant", "Hello!"), Message("user", "2+2?"))
SYSTEM = Message("system", "Be brief.")
VICUNA = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)
ALPACA = "Below is an instruction that describes a task. Write a response that appropriately completes the request."
QWEN = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
CHATML = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello!<|im_end|>\n<|im_start|>user\n2+2?<|im_end|>\n"

PUBLISHED = {
    "llama3": (
        "<s><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nHello!<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\n2+2?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
    ),
    "chatml": f"{CHATML}<|im_start|>assistant\n",
    "yi": f"{CHATML}<|im_start|>assistant\n",
    "qwen": f"<|im_start|>system\n{QWEN}<|im_end|>\n{CHATML}<|im_start|>assistant\n",
    "gemma": (
        "<s><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\nHello!<end_of_turn>\n"
        "<start_of_turn>user\n2+2?<end_of_turn>\n<start_of_turn>model\n"
    ),
    "llama2": "<s>[INST] Hi [/INST] Hello! </s><s>[INST] 2+2? [/INST]",
    "mistral": "<s>[INST] Hi[/INST] Hello!</s>[INST] 2+2?[/INST]",
    "phi": "<|user|>\nHi<|end|>\n<|assistant|>\nHello!<|end|>\n<|user|>\n2+2?<|end|>\n<|assistant|>\n",
    "deepseek": "<s>User: Hi\n\nAssistant: Hello!</s>User: 2+2?\n\nAssistant:",
    "vicuna": f"<s>{VICUNA} USER: Hi ASSISTANT: Hello!</s>USER: 2+2? ASSISTANT:",
    "alpaca": (
        f"{ALPACA}\n\n### Instruction:\nHi\n\n### Response:\nHello!</s>\n\n### Instruction:\n2+2?\n\n### Response:\n"
    ),
    "default": "Human: Hi</s>\nAssistant:Hello!</s>\nHuman: 2+2?</s>\nAssistant:",
    "empty": "HiHello!2+2?",
}
WITH_SYSTEM = {
    "llama3": "<s><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user",
    "chatml": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi",
    "qwen": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi",
    "gemma": "<s><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>",
    "llama2": "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST]",
    "mistral": "<s>[INST] Hi[/INST] Hello!</s>[INST] Be brief.\n\n2+2?[/INST]",
    "phi": "<|system|>\nBe brief.<|end|>\n<|user|>\nHi",
    "deepseek": "<s>Be brief.\n\nUser: Hi",
    "vicuna": "<s>Be brief. USER: Hi",
    "alpaca": "Be brief.\n\n### Instruction:\nHi",
    "default": "System: Be brief.</s>\nHuman: Hi",
    "empty": "Be brief.Hi",
    "yi": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi",
}


@pytest.fixture
def tokenizer(tmp_path: Path) -> Any:
    """One that begins with <s> and ends with </s>."""
    from transformers import AutoTokenizer

    tiny_models.tokenizer().save_pretrained(tmp_path)
    return AutoTokenizer.from_pretrained(tmp_path, bos_token="<s>", eos_token="</s>")


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_template_renders_what_was_published(name: str, tokenizer: Any) -> None:
    """LF-02."""
    set_chat_template(tokenizer, load_chat_template(name, None), "tiny")
    assert render_chat(tokenizer, TURNS) == PUBLISHED[name]
    assert render_chat(tokenizer, (SYSTEM, *TURNS)).startswith(WITH_SYSTEM[name])


def test_all_templates_are_tested() -> None:
    assert list_chat_templates() == sorted(PUBLISHED) == sorted(WITH_SYSTEM)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_tokenizer_without_ends_leaves_them_out(name: str, tokenizer: Any) -> None:
    tokenizer.bos_token = tokenizer.eos_token = None
    set_chat_template(tokenizer, load_chat_template(name, None), "tiny")
    assert render_chat(tokenizer, TURNS) == PUBLISHED[name].replace("<s>", "").replace("</s>", "")


def test_an_unknown_name_is_an_error_with_the_nearest() -> None:
    """LF-52."""
    with pytest.raises(UserError, match=r"unknown chat template 'lama3'. Did you mean 'llama3'\?.*alpaca, chatml"):
        load_chat_template("lama3", None)
    with pytest.raises(UserError, match="two chat templates"):
        load_chat_template("llama3", "own.jinja")
    assert load_chat_template(None, None) is None


def test_a_template_that_does_not_suit_the_tokenizer_is_said(tokenizer: Any, caplog: Any) -> None:
    """LF-02."""
    from loguru import logger

    said: list[str] = []
    sink = logger.add(said.append, level="WARNING", format="{message}")
    set_chat_template(tokenizer, load_chat_template("qwen", None), "tiny")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    set_chat_template(tokenizer, load_chat_template("qwen", None), "tiny")
    logger.remove(sink)
    assert [line.strip() for line in said] == [
        "template qwen does not match this model: the tokenizer of tiny has no <|im_start|>, <|im_end|>"
    ]


def test_stop_words_are_tokens_where_the_tokenizer_has_them_and_texts_where_not(tokenizer: Any) -> None:
    template = load_chat_template("llama3", None)
    assert split_stops(tokenizer, template) == (frozenset(), ("<|eot_id|>", "<|eom_id|>"))
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|eot_id|>"]})
    assert split_stops(tokenizer, template) == ({tokenizer.convert_tokens_to_ids("<|eot_id|>")}, ("<|eom_id|>",))
    assert split_stops(tokenizer, None) == (frozenset(), ())


def test_a_file_is_a_template_with_or_without_a_header(tokenizer: Any, tmp_path: Path) -> None:
    """MAIN-28."""
    own = tmp_path / "own.jinja"
    own.write_text('{#- {"stop": ["END"]} -#}\nQ: {{ messages[0].content }}\n')
    template = load_chat_template(None, str(own))
    assert template is not None
    assert template.stop == ("END",)
    set_chat_template(tokenizer, template, "tiny")
    assert render_chat(tokenizer, TURNS) == "Q: Hi"
    for text in ("{# a remark #}x", "{# [1] #}x", "x"):
        own.write_text(text)
        found = load_chat_template(None, str(own))
        assert found is not None
        assert (found.stop, found.tokens) == ((), ())


def test_a_file_that_is_no_template_is_one_line(tokenizer: Any, tmp_path: Path) -> None:
    own = tmp_path / "own.jinja"
    own.write_text("ok\n{% if %}")
    with pytest.raises(UserError, match=r"own\.jinja:2: the chat template is no Jinja"):
        set_chat_template(tokenizer, load_chat_template(None, str(own)), "tiny")
    own.write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(UserError, match="cannot be read: it is not UTF-8"):
        load_chat_template(None, str(own))
    with pytest.raises(UserError, match="cannot be read: No such file"):
        load_chat_template(None, str(tmp_path / "none.jinja"))


def test_a_template_from_the_internet_reaches_no_python(tokenizer: Any, tmp_path: Path) -> None:
    """BEY-11."""
    own = tmp_path / "own.jinja"
    own.write_text("{{ messages.__class__.__mro__[1].__subclasses__() }}")
    with pytest.raises(UserError, match=r"own\.jinja: the chat template is not let out of its sandbox: .*__class__"):
        set_chat_template(tokenizer, load_chat_template(None, str(own)), "tiny")
    tokenizer.chat_template = own.read_text()
    with pytest.raises(UserError, match=r"tiny: the chat template is not let out of its sandbox"):
        set_chat_template(tokenizer, None, "tiny")


@pytest.mark.parametrize(
    "text",
    [
        "{{ 1 / 0 }}",
        "{{ messages + 3 }}",
        "{% include '/etc/passwd' %}",
        "{{ messages[0].role.no.such }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% for i in range(10 ** 9) %}x{% endfor %}",
        "{{ messages[7].content | int(base=99) }}",
        "{{ raise_exception('not this') }}",
    ],
)
def test_a_template_that_fails_is_one_line_for_its_problem(text: str, tokenizer: Any, tmp_path: Path) -> None:
    own = tmp_path / "own.jinja"
    own.write_text(text)
    set_chat_template(tokenizer, load_chat_template(None, str(own)), "tiny")
    with pytest.raises(EngineError, match=r"the chat template refuses these messages: .") as caught:
        render_chat(tokenizer, TURNS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("header", ['{"stop": 5}', '{"tokens": "abc"}', '{"stop": [""]}', '{"stop": [null]}'])
def test_a_header_that_holds_something_else_is_refused(header: str, tmp_path: Path) -> None:
    own = tmp_path / "own.jinja"
    own.write_text(f"{{# {header} #}}x")
    with pytest.raises(UserError, match=r"own\.jinja:1: (stop|tokens) must be a list of texts"):
        load_chat_template(None, str(own))
