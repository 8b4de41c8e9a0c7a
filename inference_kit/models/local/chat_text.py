"""Conversations as a model reads them: its chat template, and messages rendered with it.

Why: engines and reward models show the same conversation; they should agree to the letter on how.
Promises: a template with tokens that the tokenizer lacks is warned of once; templates run in a sandbox; a template that
refuses messages fails that problem alone.
"""

from collections.abc import Sequence
from typing import Any

from loguru import logger

from inference_kit.errors import EngineError, UserError, named
from inference_kit.records import Message
from inference_kit.templates.chat_templates import ChatTemplate

MISHAPS = (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError)
"""What the expressions of a template may end in, besides Jinja's own errors."""


def set_chat_template(tokenizer: Any, template: ChatTemplate | None, model_name: str) -> None:
    """Give the tokenizer the template that was asked for, and try the one that it has then.

    Raises:
        UserError: where it is no Jinja, or reaches for what the sandbox keeps from it.
    """
    from jinja2 import TemplateError, TemplateSyntaxError
    from jinja2.exceptions import SecurityError

    if template is None and not tokenizer.chat_template:
        logger.info("{} has no chat template: prompts are sent as plain text; --template names one", model_name)
        return
    name = template.name if template else model_name
    if template and (missing := [token for token in template.tokens if token not in tokenizer.get_vocab()]):
        logger.warning(
            "template {} does not match this model: the tokenizer of {} has no {}", name, model_name, ", ".join(missing)
        )
    if template:
        tokenizer.chat_template = template.text
    try:
        tokenizer.apply_chat_template([{"role": "user", "content": ""}], tokenize=False)
    except TemplateSyntaxError as error:
        where = f"{name}:{error.lineno}"
        raise UserError(f"the chat template is no Jinja: {error.message}", where=where) from error
    except SecurityError as error:
        raise UserError(f"the chat template is not let out of its sandbox: {error}", where=name) from error
    except (TemplateError, *MISHAPS) as error:
        logger.debug("{} refuses an empty message, which may be about this message alone: {}", name, error)


def split_stops(tokenizer: Any, template: ChatTemplate | None) -> tuple[frozenset[int], tuple[str, ...]]:
    """Split what ends a reply in this template into ids of special tokens and texts that are no token."""
    vocabulary = tokenizer.get_vocab()
    stops = template.stop if template else ()
    return (
        frozenset(vocabulary[stop] for stop in stops if stop in vocabulary),
        tuple(stop for stop in stops if stop not in vocabulary),
    )


def render_chat(tokenizer: Any, messages: Sequence[Message], *, add_generation_prompt: bool = True) -> str:
    """Render messages as the model reads them: by the chat template, or one a paragraph where there is none.

    Args:
        tokenizer: The model's, with its chat template.
        messages: The conversation.
        add_generation_prompt: End the text where the model's reply begins.

    Raises:
        EngineError: where the template refuses the messages, such as a system message that the model does not know.
    """
    from jinja2 import TemplateError

    if not tokenizer.chat_template:
        return "\n\n".join(message.content for message in messages)
    turns = [{"role": message.role, "content": message.content} for message in messages]
    try:
        text: str = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=add_generation_prompt)
    except (TemplateError, *MISHAPS) as error:
        raise EngineError(
            f"the chat template refuses these messages: {str(error) or type(error).__name__}",
            fix=f"Leave the system message out, or use another template ({named('template')}).",
        ) from error
    return text
