"""Templates: texts with `{name}` in them, found by name or path and filled literally.

Why: what a model is asked decides what it answers, so the wording is a file that anyone can read and replace.
Promises: only the names asked for are replaced, once, from left to right; every other brace stays as it is, and what is
filled in is never looked at again. The line break that ends a file is not part of its text.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from inference_kit.errors import UserError
from inference_kit.registry import unknown

PROMPT_FOLDER = Path(__file__).parent / "prompt"
PLACEHOLDER = re.compile(r"\{(\w+)\}")


def prompt_templates() -> dict[str, str]:
    """The prompt templates that ship with the house: name and text."""
    return {path.stem: _read(path) for path in sorted(PROMPT_FOLDER.glob("*.txt"))}


def load_prompt(name_or_path: str, *, where: str = "") -> str:
    """Return the text of a prompt template, by its name or by the path of a file; `where` names the setting in errors.

    Raises:
        UserError: where there is neither, naming the known ones and the nearest.
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


def filled_in(template: str, names: tuple[str, ...], text: str) -> str:
    """What stands in `text` from the template's first `{name}` to its last; all of it where it is not of `template`."""
    before, after = _around(template, names)
    is_filled = len(text) >= len(before) + len(after) and text.startswith(before) and text.endswith(after)
    return text[len(before) : len(text) - len(after)] if is_filled else text


@cache
def _around(template: str, names: tuple[str, ...]) -> tuple[str, str]:
    """What stands before the first `{name}` and after the last one."""
    places = [found.span() for found in PLACEHOLDER.finditer(template) if found[1] in names]
    return (template[: places[0][0]], template[places[-1][1] :]) if places else ("", "")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read as UTF-8 text ({error})", where=str(path)) from error
