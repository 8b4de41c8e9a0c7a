"""Conversations as a model reads them: the chat template that holds, and messages rendered with it.

Why: engines and reward models show the same conversation; they should agree to the letter on how.
Promises: a template that the tokenizer does not fit is said once; templates run in a sandbox; a template that refuses
messages fails that problem alone.
"""

from collections.abc import Sequence
from typing import Any

from loguru import logger

from inference_kit.errors import EngineError, UserError
from inference_kit.records import Message
from inference_kit.templates.chat_templates import ChatTemplate


def dress(tokenizer: Any, template: ChatTemplate | None, model_name: str) -> None:
    """Give the tokenizer the template that was asked for.

    Raises:
        UserError: where it is no Jinja.
    """
    from jinja2 import TemplateError, TemplateSyntaxError

    if template is None:
        if not tokenizer.chat_template:
            logger.info("{} has no chat template: prompts are sent as plain text; --template names one", model_name)
        return
    missing = [token for token in template.tokens if token not in tokenizer.get_vocab()]
    if missing:
        logger.warning(
            "template {} does not match this model: the tokenizer of {} has no {}",
            template.name,
            model_name,
            ", ".join(missing),
        )
    tokenizer.chat_template = template.text
    try:
        tokenizer.apply_chat_template([{"role": "user", "content": ""}], tokenize=False)
    except TemplateError as error:
        if isinstance(error, TemplateSyntaxError):  # anything else may be about this message alone
            where = f"{template.name}:{error.lineno}"
            raise UserError(f"the chat template is no Jinja: {error.message}", where=where) from error


def stop_ids(tokenizer: Any, template: ChatTemplate | None) -> tuple[frozenset[int], tuple[str, ...]]:
    """What ends a reply in this template: ids of special tokens, and the texts that are no token."""
    vocabulary = tokenizer.get_vocab()
    stops = template.stop if template else ()
    return (
        frozenset(vocabulary[stop] for stop in stops if stop in vocabulary),
        tuple(stop for stop in stops if stop not in vocabulary),
    )


def chat_text(tokenizer: Any, messages: Sequence[Message]) -> str:
    """The prompt as the model reads it: the chat template applied, or the contents one a paragraph without one.

    Raises:
        EngineError: where the template refuses the messages, such as a system message that the model does not know.
    """
    from jinja2 import TemplateError

    if not tokenizer.chat_template:
        return "\n\n".join(message.content for message in messages)
    turns = [{"role": message.role, "content": message.content} for message in messages]
    try:
        text: str = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    except (TemplateError, TypeError) as error:
        raise EngineError(
            f"the chat template refuses these messages: {error}",
            fix="Leave the system message out, or use another template (--template).",
        ) from error
    return text
