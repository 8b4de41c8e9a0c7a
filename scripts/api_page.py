"""Write docs/api.md: every public name of the package with its signature and what its docstring says.

Usage: python scripts/api_page.py            writes the page; a test holds that it is what this would write
"""

import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parents[1]
PAGE = HOME / "docs" / "api.md"
HEADINGS = {
    "decoders": "Decoders",
    "models": "Engines",
    "models.base": "",
    "models.http.session": "Asking a server",
    "reward_models": "Reward models",
    "reward_models.base": "",
    "dataset.base": "Data sets",
    "context": "Search methods",
    "search": "",
    "voting": "Votes",
    "solver": "Solving",
    "grader": "Grading",
    "records": "Records",
    "records.events": "What a watched search tells",
    "errors": "Errors",
}
PLAIN = (str, int, float, bool, tuple, type(None))
"""Types of defaults that are shown."""
OPENING = """# The public face

What `from inference_kit import NAME` offers, made from the docstrings by `python scripts/api_page.py`.
These names stay; the rooms in which they stand may move. How to add an engine, a reward model, a data set, a method
or a vote is told in [extending.md](extending.md).
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """Return the page as it belongs to the code of now."""
    import inference_kit

    parts = [OPENING]
    for module, names in inference_kit.EXPORTS.items():
        heading = HEADINGS[module.removeprefix("inference_kit.")]
        parts += [f"## {heading}\n"] if heading else []
        parts += [_entry(name, getattr(importlib.import_module(module), name)) for name in names]
    return "\n".join(parts)


def _entry(name: str, value: Any) -> str:
    """Return the section of one name: a registry's keys, or signature, docstring and public methods."""
    if isinstance(value, dict):
        return f"### {name}\n\nThe registry by name: {', '.join(f'`{key}`' for key in value)}.\n"
    lines = [f"### {name}\n", *_described(name, value)]
    if inspect.isclass(value):
        for method, function in _methods(value):
            lines.append(f"- `{method}{_signature(function)}`: {_first_line(function)}")
        lines.append("")
    return "\n".join(lines)


def _described(name: str, value: Any) -> list[str]:
    shown = f"{name}{_signature(value)}"
    return ["```\n" + shown + "\n```\n", _indented_as_text(inspect.getdoc(value) or "") + "\n"]


def _indented_as_text(docstring: str) -> str:
    """Return a docstring as Markdown: its `Args:` and the like as lists."""
    lines = []
    for line in docstring.splitlines():
        if line.endswith(":") and line in ("Args:", "Returns:", "Raises:", "Yields:"):
            lines.append(f"{line}\n")
        elif line.startswith("    ") and not line.startswith("     "):
            lines.append(f"- {line.strip()}")
        elif line.startswith("     "):
            lines.append(f"  {line.strip()}")
        else:
            lines.append(line)
    return "\n".join(lines)


def _methods(owner: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods that a class defines itself; those of a base stand with the base."""
    for name, function in vars(owner).items():
        if not name.startswith("_") and inspect.isfunction(function):
            yield name, function


def _signature(value: Any) -> str:
    """Return parameters and defaults without their types, which the code tells better."""
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return ""
    kept = [_bare(each) for each in signature.parameters.values() if each.name != "self" and each.name[0] != "_"]
    return str(signature.replace(parameters=kept, return_annotation=inspect.Signature.empty))


def _bare(parameter: inspect.Parameter) -> inspect.Parameter:
    """Return a parameter without its type, and with `...` for a default that no line of code could show."""
    shown = parameter.default
    if shown is not inspect.Parameter.empty and not isinstance(shown, PLAIN):
        shown = _Ellipsis()
    return parameter.replace(annotation=inspect.Parameter.empty, default=shown)


class _Ellipsis:
    """A default that is shown as three dots."""

    def __repr__(self) -> str:
        return "..."


def _first_line(function: Any) -> str:
    return (inspect.getdoc(function) or "").split("\n", 1)[0]


if __name__ == "__main__":
    sys.path.insert(0, str(HOME))
    main()
