"""Conversations as a model reads them: its chat template, and messages rendered with it.

Why: engines and reward models show the same conversation; they should agree to the letter on how.
Promises: a template with tokens that the tokenizer lacks is warned of once; templates run in a sandbox; a template that
refuses messages fails that problem alone; one that never shows a question is refused.
"""

from collections.abc import Sequence
from typing import Any

from loguru import logger

from inference_kit.errors import EngineError, UserError, named
from inference_kit.models.local.template_variables import TemplateVariables
from inference_kit.records import Message
from inference_kit.templates.chat_templates import ChatTemplate

MISHAPS = (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError)
"""What the expressions of a template may end in, besides Jinja's own errors."""
PROBE = "Is this question shown"
"""What a template is tried with."""


def set_chat_template(
    tokenizer: Any, template: ChatTemplate | None, model_name: str, variables: TemplateVariables = TemplateVariables()
) -> None:
    """Give the tokenizer the template that was asked for, and try the one that it has then.

    Raises:
        UserError: where it is no Jinja, reaches for what the sandbox keeps from it, or never shows the question; and
            where there are several templates and none is the default.
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
    given = tokenizer.chat_template
    if isinstance(given, dict) and "default" not in given:
        raise UserError(
            f"{name} has the chat templates {', '.join(sorted(given))}, and none is the default",
            where=named("model_path"),
            fix=f"Name one with {named('template')}, or give a file with {named('chat_template')}.",
        )
    try:
        turns = [{"role": "user", "content": PROBE}]
        text = tokenizer.apply_chat_template(turns, tokenize=False, **variables.arguments)
        if PROBE.casefold() not in text.casefold():
            raise UserError(
                f"the chat template never shows the question; it makes {text[:60]!r} of one",
                where=name,
                fix=f"Fetch the model again, or give a template with {named('template')} or {named('chat_template')}.",
            )
    except TemplateSyntaxError as error:
        where = f"{name}:{error.lineno}"
        raise UserError(f"the chat template is no Jinja: {error.message}", where=where) from error
    except SecurityError as error:
        raise UserError(f"the chat template is not let out of its sandbox: {error}", where=name) from error
    except (TemplateError, *MISHAPS) as error:
        logger.debug("{} refuses a short question, which may be about this one alone: {}", name, error)


def split_stops(tokenizer: Any, template: ChatTemplate | None) -> tuple[frozenset[int], tuple[str, ...]]:
    """Split what ends a reply in this template into ids of special tokens and texts that are no token."""
    vocabulary = tokenizer.get_vocab()
    stops = template.stop if template else ()
    return (
        frozenset(vocabulary[stop] for stop in stops if stop in vocabulary),
        tuple(stop for stop in stops if stop not in vocabulary),
    )


def render_chat(
    tokenizer: Any,
    messages: Sequence[Message],
    *,
    add_generation_prompt: bool = True,
    variables: TemplateVariables = TemplateVariables(),
) -> str:
    """Render messages as the model reads them: by the chat template, or one a paragraph where there is none.

    Args:
        tokenizer: The model's, with its chat template.
        messages: The conversation.
        add_generation_prompt: End the text where the model's reply begins.
        variables: What the template is given besides.

    Raises:
        EngineError: where the template refuses the messages, such as a system message that the model does not know.
    """
    from jinja2 import TemplateError

    if not tokenizer.chat_template:
        return "\n\n".join(message.content for message in messages)
    turns = [{"role": message.role, "content": message.content} for message in messages]
    try:
        text: str = tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=add_generation_prompt, **variables.arguments
        )
    except (TemplateError, *MISHAPS) as error:
        raise EngineError(
            f"the chat template refuses these messages: {str(error) or type(error).__name__}",
            fix=f"Leave the system message out, or use another template ({named('template')}).",
        ) from error
    return text
