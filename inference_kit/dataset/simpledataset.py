"""SimpleDataset: a file of the user's own, without code.

Why: most data sets are a list of inputs with answers. This is also the example to copy for a class of one's own.
Promises: `input` is all that a row needs; one without an `index` has its number. Other fields are kept as metadata.
Source: docs/datasets.md has the fields.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast, get_args

from inference_kit.dataset.base import Dataset
from inference_kit.dataset.fields import missing_field, read_gold, read_text, read_texts
from inference_kit.errors import UserError, named
from inference_kit.records import AnswerKind, Gold, Message, Problem, Role, message_list

ROLES, KINDS = get_args(Role), get_args(AnswerKind)
OWN_FIELDS = ("index", "images", "answer_kind")


class SimpleDataset(Dataset):
    """A file of your own: `input` (what the model sees: a text or chat messages) and, to be graded, `answer`.

    `answer` is a text, a number, or a list of which any is right. Four more fields are read where they are there:
    `index`, `answer_kind` (math, number, choice or text), `choices`, the options of a multiple choice, and `images` of
    the last message: files, beside the data or from the working directory, addresses or data URLs.

    Args:
        input_field: The name of the field `input` in your file.
        answer_field: The name of the field `answer` in your file.
    """

    index_field = "index"

    def __init__(
        self,
        dataset_name: str,
        dataset_path: str,
        *,
        split: str = "test",
        subset: str | None = None,
        prompt_template: str = "plain",
        input_field: str | None = None,
        answer_field: str | None = None,
    ) -> None:
        super().__init__(dataset_name, dataset_path, split=split, subset=subset, prompt_template=prompt_template)
        self._input_field, self._answer_field = input_field or "input", answer_field or "answer"

    def problem(self, row: Mapping[str, Any], number: int) -> Problem:
        """Take the row as it is; fields that are not its own become metadata."""
        choices = read_texts(row, "choices") if "choices" in row else ()
        own = (*OWN_FIELDS, self._input_field, self._answer_field)
        metadata = {name: value for name, value in row.items() if name not in own}
        return Problem(
            index=self.index_of(row, number),
            messages=self._build_messages(row, choices),
            answer=_read_answer(row, self._answer_field),
            answer_kind=_read_answer_kind(row),
            metadata=metadata | {"choices": list(choices)} if choices else metadata,
        )

    def _build_messages(self, row: Mapping[str, Any], choices: tuple[str, ...]) -> tuple[Message, ...]:
        name = self._input_field
        if name not in row:
            error = missing_field(name, row, [name], asked=name != "input")
            raise UserError(error.what, fix=f"{error.fix} {named('input_field')} NAME says which one is meant.")
        given = row[name] if isinstance(row[name], list) else [_user_turn(read_text(row, name))]
        *earlier, last = map(self._resolve_images, _read_conversation(given, name))
        images = (*last.images, *self._find_files(_read_images(row)))
        return (*earlier, Message(last.role, self.prompt(last.content, choices), images))

    def _resolve_images(self, turn: Message) -> Message:
        return replace(turn, images=self._find_files(turn.images)) if turn.images else turn

    def _find_files(self, images: tuple[str, ...]) -> tuple[str, ...]:
        """Return the paths of images that lie beside the data file, and the others as they are named."""
        if not images:
            return ()
        folder = Path(self.dataset_path).expanduser().parent
        beside = {image: folder / image for image in images if not image.startswith("data:")}
        return tuple(str(beside[image]) if image in beside and _is_file(beside[image]) else image for image in images)


def _user_turn(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _read_images(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Read the images of a row or a message: a list, or a single one."""
    given = row.get("images")
    if not given or (isinstance(given, str) and not given.startswith("[")):
        return (given,) if given else ()
    return read_texts(row, "images")


def _read_conversation(turns: list[Any], field: str) -> tuple[Message, ...]:
    for number, turn in enumerate(turns, start=1):
        if not (isinstance(turn, dict) and turn.get("role") in ROLES and isinstance(turn.get("content"), str)):
            raise UserError(
                f"message {number} of field {field!r} is not a chat message",
                fix=f"It needs content, a text, and role, one of {', '.join(ROLES)}.",
            )
    if not turns:
        raise UserError(f"field {field!r} holds no message")
    return message_list([{**turn, "images": _read_images(turn)} for turn in turns])


def _read_answer(row: Mapping[str, Any], field: str) -> Gold:
    answer = row.get(field)
    if answer is None or answer == "":
        return None
    if not isinstance(answer, list):
        return read_gold(row, field)
    if not answer:
        raise UserError(f"field {field!r} is a list of no answers", fix="Leave the field out where there is none.")
    return tuple(read_gold({field: each}, field) for each in answer)


def _read_answer_kind(row: Mapping[str, Any]) -> AnswerKind:
    kind = row.get("answer_kind") or "math"
    if kind not in KINDS:
        raise UserError(f"unknown answer_kind {kind!r}", fix=f"Known: {', '.join(KINDS)}.")
    return cast(AnswerKind, kind)
