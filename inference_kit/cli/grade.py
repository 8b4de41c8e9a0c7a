"""`grade`: say of each line of a file whether its response is correct; for any program's outputs.

Why: the grader is useful without the rest of the house, and one pair explained settles an argument.
Promises: one line out for each line in, in the same order; a malformed line stops everything before a result is
written. How many are correct is on standard error, so that standard output holds result lines only.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args

from inference_kit.errors import UserError
from inference_kit.grader import GradeItem, GraderPool
from inference_kit.grader.explain import explain
from inference_kit.records import AnswerKind
from inference_kit.report.tables import format_percent
from inference_kit.setup.registries import Registries
from inference_kit.store.atomic import write_atomically

NEEDED = 'Each line is {"id": ..., "gold": ..., "response": ...}, and where it matters "kind" and "choices".'
KINDS: tuple[AnswerKind, ...] = get_args(AnswerKind)


class Line(NamedTuple):
    """One line of the file: its id as it stands there, and what is graded."""

    identity: Any
    item: GradeItem


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register `grade`."""
    parser = subparsers.add_parser("grade", help="grade lines of {id, gold, response} from any program")
    parser.add_argument("file", nargs="?", metavar="FILE.jsonl", help="the lines to grade; - reads standard input")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where the results go (default: standard output)")
    rule = parser.add_mutually_exclusive_group()
    rule.add_argument("--lenient", dest="strict", action="store_false", help="any correct box counts (default)")
    rule.add_argument("--strict", dest="strict", action="store_true", help="the last box decides")
    parser.add_argument("--explain", nargs=2, metavar=("GOLD", "RESPONSE"), help="show how one pair is graded")
    parser.add_argument(
        "--time-limit",
        type=float,
        default=1.0,
        metavar="S",
        help="seconds of processor time one comparison may take (default: 1.0)",
    )
    parser.set_defaults(execute=execute, strict=False)


def execute(arguments: argparse.Namespace, registries: Registries) -> int:
    """Grade a file, or explain one pair, and return the exit code."""
    if not 0 < arguments.time_limit < math.inf:
        raise UserError(f"{arguments.time_limit} is not a time", where="--time-limit", fix="Give seconds above 0.")
    with GraderPool(time_limit_seconds=arguments.time_limit) as pool:
        if arguments.explain:
            gold, response = arguments.explain
            print("\n".join(explain(pool, gold, response)))
            return 0
        if arguments.file is None:
            raise UserError("no file given", where="grade", fix="Name a FILE.jsonl, or use --explain GOLD RESPONSE.")
        _grade_file(pool, arguments.file, arguments.output, strict=arguments.strict)
    return 0


def _grade_file(pool: GraderPool, name: str, output: Path | None, *, strict: bool) -> None:
    """Write a result line for each line of the file, which is read and checked as a whole first, and say how many."""
    correct = 0
    lines = list(_read_lines(name, strict=strict))
    grades = pool.grade_many(line.item for line in lines)
    with write_atomically(output) if output else nullcontext(sys.stdout) as file:
        for (identity, _), grade in zip(lines, grades, strict=True):
            correct += grade.correct
            shown = {"id": identity, "correct": grade.correct, "extracted": grade.extracted, "method": grade.method}
            file.write(json.dumps(shown, ensure_ascii=False).encode("utf-8", "replace").decode() + "\n")
    total = len(lines)
    without = sum(not line.item.golds for line in lines)
    share = f"accuracy {format_percent(correct / total if total else None)}"
    note = f"; {without} without a gold answer count as not correct" if without else ""
    print(f"{correct}/{total} correct, {share}{note}", file=sys.stderr)


def _read_lines(name: str, *, strict: bool) -> Iterator[Line]:
    """Yield what each line asks for; empty lines are passed over."""
    try:
        with ExitStack() as stack:
            file = (
                sys.stdin if name == "-" else stack.enter_context(Path(name).open(encoding="utf-8", errors="replace"))
            )
            for number, line in enumerate(file, start=1):
                text = line.removeprefix("\ufeff") if number == 1 else line  # a byte order mark
                if text.strip():
                    yield _read_line(text, f"{name}:{number}", strict=strict)
    except OSError as error:
        raise UserError(error.strerror or "cannot be read", where=name, fix="Name a file of JSON lines.") from error


def _read_line(line: str, where: str, *, strict: bool) -> Line:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"not JSON ({error})", where=where, fix=NEEDED) from error
    if not isinstance(data, dict):
        raise UserError("not a JSON object", where=where, fix=NEEDED)
    for field in ("id", "gold", "response"):
        if field not in data:
            raise UserError(f"field {field!r} is missing", where=where, fix=f"{NEEDED} Yours has {', '.join(data)}.")
    response = "" if data["response"] is None else data["response"]  # null is an answer that is not there
    if not isinstance(response, str):
        raise UserError("field 'response' is not text", where=where, fix=NEEDED)
    gold = () if data["gold"] is None else _read_gold(data["gold"], where)
    kind = _read_kind(data.get("kind"), where)
    return Line(data["id"], GradeItem(gold, response, kind, _read_choices(data.get("choices"), where), strict))


def _read_gold(gold: Any, where: str) -> str | tuple[str, ...]:
    """Read a gold answer as text; a number as it is written, a list as several acceptable answers."""
    if isinstance(gold, list) and gold:
        return tuple(str(_read_gold(each, where)) for each in gold)
    if isinstance(gold, str | int | float) and not isinstance(gold, bool):
        return str(gold)
    raise UserError("field 'gold' is neither text nor a list of texts", where=where, fix=NEEDED)


def _read_kind(kind: Any, where: str) -> AnswerKind:
    if kind is None:
        return "math"
    if kind not in KINDS:
        raise UserError(f"field 'kind' is {kind!r}", where=where, fix=f"It is one of {', '.join(KINDS)}.")
    return cast(AnswerKind, kind)


def _read_choices(choices: Any, where: str) -> tuple[str, ...]:
    """Read the options of a choice in the order of their letters; a number as it is written."""
    if choices is None:
        return ()
    if not isinstance(choices, list) or not all(isinstance(each, str | int | float) for each in choices):
        raise UserError("field 'choices' is not a list of texts", where=where, fix=NEEDED)
    return tuple(map(str, choices))
