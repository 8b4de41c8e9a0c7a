"""Prompts: from an instruction, a text or a Jinja template, and a record to the messages that a model is asked.

Why: the instruction is the user's, the record may be anybody's; both are filled in here and nowhere else.
Promises: a template is checked before any model is asked; it runs in a sandbox, within bounds of time and size, so a
loop over a billion ends as an error; an undefined name is an error with its line. A template that shows the record's
text nowhere gets it behind a blank line.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference_kit.errors import UserError, named
from inference_kit.records import Message

if TYPE_CHECKING:
    from jinja2 import Environment, Template

TEMPLATE_SUFFIXES = (".j2", ".jinja", ".jinja2", ".txt", ".md")
"""What ends the name of a file; an instruction that ends so is no text."""

MOST_CHARACTERS = 1 << 28
"""What a prompt may hold: more than the largest record."""
MOST_STEPS = 1_000_000
"""Rounds of loops that one filling of a template may take."""
MOST_POWER = 64
_PARTS = ("record", "code", "content")


@dataclass(frozen=True)
class PromptTemplate:
    """An instruction, ready to be filled.

    `target` is the field that is transformed; `name` is the template's file, empty where it is a text; `variables` are
    the user's own.
    """

    text: str
    target: str
    name: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    system: str = ""

    def fill(self, record: Mapping[str, Any], content: str) -> tuple[Message, ...]:
        """Fill in a record, whose field holds `content`.

        Raises:
            UserError: naming file and line: an undefined name, a forbidden attribute, a template that does not end.
        """
        text = self._render(record, content)
        if not self._shows_content:
            text = f"{text}\n\n{content}"
        asked = Message("user", text)
        return (Message("system", self.system), asked) if self.system else (asked,)

    def _render(self, record: Mapping[str, Any], content: str) -> str:
        from jinja2 import TemplateError

        own = {self.target: content} if self.target.isidentifier() else {}
        values = {**own, **self.variables, "record": record, "code": content, "content": content}
        values["range"] = _Rounds().range
        try:
            pieces, size = [], 0
            for piece in self._template.generate(values):
                pieces.append(piece)
                size += len(piece)
                if size > MOST_CHARACTERS:
                    raise _TooMuch(f"the prompt is longer than {MOST_CHARACTERS >> 20} million characters")
            return "".join(pieces)
        except (TemplateError, _TooMuch, ArithmeticError, TypeError, ValueError, LookupError, AttributeError) as error:
            raise UserError(str(error) or type(error).__name__, where=self._find_place(error)) from error
        except (RecursionError, MemoryError) as error:
            raise UserError("the template does not end", where=self._find_place(error)) from error

    @cached_property
    def _environment(self) -> "Environment":
        return _make_environment()

    @cached_property
    def _template(self) -> "Template":
        from jinja2 import TemplateSyntaxError

        try:
            return self._environment.from_string(self.text)
        except TemplateSyntaxError as error:
            raise UserError(f"not a template: {error.message}", where=self._name_line(error.lineno)) from error
        except RecursionError as error:
            raise UserError("not a template: nested too deep", where=self._name_line(1)) from error

    @cached_property
    def _shows_content(self) -> bool:
        from jinja2 import meta

        names = meta.find_undeclared_variables(self._environment.parse(self.text))
        return bool(names & {*_PARTS, self.target})

    def _find_place(self, error: BaseException) -> str:
        """Name the template and the line of it in which an error was raised."""
        line, trace = 0, error.__traceback__
        while trace:
            if trace.tb_frame.f_code.co_filename == "<template>":
                line = trace.tb_lineno
            trace = trace.tb_next
        return self._name_line(line)

    def _name_line(self, line: int) -> str:
        return f"{self.name or named('instruction')}{f':{line}' if line else ''}"


def read_instruction(given: str, *, base: Path | None = None) -> tuple[str, str]:
    """Read an instruction: the text of a file, if one is there, or the text itself.

    Args:
        given: The text, or the path of a file.
        base: Where relative paths are looked for first.

    Returns:
        Its text, and the path of its file or an empty text.

    Raises:
        UserError: where it looks like a file and none is there, or it is no text.
    """
    for path in (base / given if base else Path(given), Path(given).expanduser()):
        try:
            if path.is_file():
                return path.read_text(encoding="utf-8-sig").removesuffix("\n"), str(path)
        except (OSError, ValueError) as error:
            if len(given) < 200 and "\n" not in given and given.endswith(TEMPLATE_SUFFIXES):
                raise UserError(f"cannot be read as UTF-8 text ({error})", where=given) from error
    if given.endswith(TEMPLATE_SUFFIXES) and "\n" not in given:
        raise UserError("no such file", where=named("instruction"), fix=f"Check the path {given!r}.")
    if not given.strip():
        raise UserError("it is empty", where=named("instruction"), fix="Say what is to be done with each record.")
    return given, ""


class _TooMuch(Exception):
    """A template has done more than any prompt needs."""


class _Rounds:
    """Counts the rounds of all loops over ranges while a template is filled."""

    def __init__(self) -> None:
        self.n = 0

    def range(self, *bounds: int) -> range:
        """Return a range, if the template may still go round so often."""
        found = range(*bounds)
        self.n += len(found)
        if self.n > MOST_STEPS:
            raise _TooMuch(f"its loops go round more than {MOST_STEPS} times")
        return found


def _make_environment() -> "Environment":
    """Make the sandbox: no files, no attributes below the surface, strict about names, and with an end."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Sandbox(ImmutableSandboxedEnvironment):
        """Refuses what would fill memory: huge powers, repetitions and widths."""

        intercepted_binops = frozenset({"*", "**"})

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            """Apply `*` or `**`, unless the result would be huge."""
            if (abs(right) > MOST_POWER) if operator == "**" else _repeats_much(left, right):
                raise _TooMuch(f"{operator} makes too much of it")
            return super().call_binop(context, operator, left, right)

        def call(self, context: Any, target: Any, *arguments: Any, **keywords: Any) -> Any:
            """Call, unless a number, such as a width, would make the result huge."""
            _check_numbers(arguments)
            return super().call(context, target, *arguments, **keywords)

    environment = Sandbox(undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters = {name: _guard(each) for name, each in environment.filters.items()}
    environment.filters["tojson"] = lambda value, indent=None: json.dumps(value, ensure_ascii=False, indent=indent)
    environment.globals = {name: each for name, each in environment.globals.items() if name != "lipsum"}
    return environment


def _guard(function: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse numbers, such as a width, that would make a filter fill memory."""

    @wraps(function)
    def call(*arguments: Any, **keywords: Any) -> Any:
        """Look at the numbers behind what is filtered, and call."""
        _check_numbers([*arguments[1:], *keywords.values()])
        return function(*arguments, **keywords)

    return call


def _check_numbers(arguments: Any) -> None:
    if any(isinstance(each, int) and abs(each) > MOST_STEPS for each in arguments):
        raise _TooMuch(f"a number above {MOST_STEPS} is too large here")


def _repeats_much(left: Any, right: Any) -> bool:
    """Return whether a product is a text or a list that is repeated too often."""
    sizes = [len(each) if hasattr(each, "__len__") else each for each in (left, right)]
    return (sizes[0] is not left or sizes[1] is not right) and sizes[0] * sizes[1] > MOST_STEPS
