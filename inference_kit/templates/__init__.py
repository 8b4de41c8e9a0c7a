"""Prompt templates: texts with `{name}` in them, found by name or path and filled literally.

Why: what a model is asked decides what it answers, so the wording is a file that anyone can read and replace.
Promises: only the given names are replaced, in one pass. Every other brace stays as it is, and what was filled in is
not searched for names. The line break that ends a file is not part of its text.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from inference_kit.errors import UserError
from inference_kit.registry import unknown

PROMPT_FOLDER = Path(__file__).parent / "prompt"
PLACEHOLDER = re.compile(r"\{(\w+)\}")


def read_prompt_templates() -> dict[str, str]:
    """Read the prompt templates that ship with the house: text by name."""
    return {path.stem: _read(path) for path in sorted(PROMPT_FOLDER.glob("*.txt"))}


def load_prompt(name_or_path: str, *, where: str = "") -> str:
    """Read the text of a prompt template, by its name or the path of a file.

    Args:
        name_or_path: A name goes before a path.
        where: The setting that gave it, for the error.

    Raises:
        UserError: where there is neither; it names the known ones and the nearest.
    """
    names = [path.stem for path in PROMPT_FOLDER.glob("*.txt")]
    if name_or_path in names:
        return _read(PROMPT_FOLDER / f"{name_or_path}.txt")
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return _read(path)
    raise unknown(name_or_path, names, "prompt template or file", where=where)


def fill(template: str, values: Mapping[str, str]) -> str:
    """Replace `{name}` in `template` for every name in `values`."""
    return PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), template)


def strip_template(template: str, names: tuple[str, ...], text: str) -> str:
    """Return the part of a filled template between what stands before its first `{name}` and behind its last.

    Args:
        template: The template before it was filled.
        names: Placeholders that count.
        text: The filled template; a text that is not made from `template` is returned whole.
    """
    before, after = _split_around(template, names)
    is_filled = len(text) >= len(before) + len(after) and text.startswith(before) and text.endswith(after)
    return text[len(before) : len(text) - len(after)] if is_filled else text


@cache
def _split_around(template: str, names: tuple[str, ...]) -> tuple[str, str]:
    """Return what stands before the first `{name}` and behind the last one."""
    spans = [found.span() for found in PLACEHOLDER.finditer(template) if found[1] in names]
    return (template[: spans[0][0]], template[spans[-1][1] :]) if spans else ("", "")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read as UTF-8 text ({error})", where=str(path)) from error
