"""Inputs: a text and a prompt template as a problem for the solver.

Why: whoever calls a library passes what they have; what is wrong with it should be said by name.
Promises: only the literal `{input}` is replaced; equal prompts have equal indices, hence equal seeds.
"""

import hashlib

from inference_kit.decoders.settings import BadArgument
from inference_kit.records import AnswerKind, Message, Problem

INPUT = "{input}"


def check_template(template: str | None) -> None:
    """Refuse a template without a place for the input.

    Raises:
        BadArgument: naming the argument.
    """
    if template is not None and (not isinstance(template, str) or INPUT not in template):
        raise BadArgument(f"the template has no {INPUT}", where="prompt_template", fix="Put it where the input goes.")


def make_problem(text: str, template: str | None, answer_kind: AnswerKind) -> Problem:
    """Make a problem of an input, whose index is the digest of its prompt.

    Raises:
        BadArgument: for an input that is no text, and like `check_template`.
    """
    check_template(template)
    if not isinstance(text, str):
        raise BadArgument(f"must be a text, got {text!r:.80}", where="input_text")
    prompt = text if template is None else template.replace(INPUT, text)
    index = hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return Problem(index, (Message("user", prompt),), answer_kind=answer_kind, bare_question=text)
