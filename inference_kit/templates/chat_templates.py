"""Chat templates by name or file: Jinja that turns messages into the text format a model was trained on.

Why: a model without a chat template, or with the wrong one, answers badly and reports nothing. The usual ones should be
a word on the command line.
Promises: a template that ships renders what its models' authors published. Its first line may be a comment with a JSON
object: `stop`, the texts that end a reply, and `tokens`, which the tokenizer must have. The tokenizer renders it, in a
sandbox.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference_kit.errors import UserError, named
from inference_kit.registry import unknown

CHAT_FOLDER = Path(__file__).parent / "chat"
HEADER = re.compile(r"\A\{#-?(.*?)-?#\}", flags=re.DOTALL)


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """A chat template: Jinja text, texts that end a reply besides the model's own end, and tokens that it needs."""

    name: str
    text: str
    stop: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that identify the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


def list_chat_templates() -> list[str]:
    """List the names of the templates that ship with the house."""
    return sorted(path.stem for path in CHAT_FOLDER.glob("*.jinja"))


def load_chat_template(name: str | None, path: str | None) -> ChatTemplate | None:
    """Read the template of a name or a file; None where neither is given, which means the tokenizer's own.

    Raises:
        UserError: where both are given, the name is unknown, or the file is no template.
    """
    if name and path:
        raise UserError(
            "two chat templates are given",
            where=named("chat_template"),
            fix=f"Leave out {named('template')} or {named('chat_template')}.",
        )
    if name:
        if name not in list_chat_templates():
            raise unknown(name, list_chat_templates(), "chat template", where=named("template"))
        return _read(CHAT_FOLDER / f"{name}.jinja", name)
    return _read(Path(path).expanduser(), path) if path else None


def _read(path: Path, name: str) -> ChatTemplate:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UserError(f"the chat template cannot be read: {reason}", where=name) from error
    header = HEADER.match(text)
    try:
        given = json.loads(header[1]) if header else {}
    except ValueError:
        given = {}  # a comment of another kind
    if not isinstance(given, dict):
        given = {}
    return ChatTemplate(name, text, _read_texts(given, "stop", name), _read_texts(given, "tokens", name))


def _read_texts(header: Mapping[str, Any], key: str, name: str) -> tuple[str, ...]:
    given = header.get(key, [])
    if not isinstance(given, list) or not all(isinstance(each, str) and each for each in given):
        raise UserError(f"{key} must be a list of texts that are not empty, got {given!r}", where=f"{name}:1")
    return tuple(given)
