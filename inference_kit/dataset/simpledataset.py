"""SimpleDataset: anyone's own file, without code.

Why: most data sets are a list of inputs with answers; this is also the example to copy for a class of one's own.
Promises: `index` and `input` are all that a row needs; other fields are kept as metadata.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast, get_args

from inference_kit.dataset import fields as values
from inference_kit.dataset.base import Dataset
from inference_kit.errors import UserError
from inference_kit.records import AnswerKind, Gold, Message, Problem, Role, message_list

ROLES, KINDS = get_args(Role), get_args(AnswerKind)
OWN_FIELDS = ("index", "input", "images", "answer", "answer_kind")


class SimpleDataset(Dataset):
    """A file of your own: `index`, `input` (what the model sees: a text or chat messages) and, to be graded, `answer`.

    `answer` is a text, a number, or a list of which any is right. Three more fields are read where they are there:
    `answer_kind` (math, number, choice or text), `choices`, the options of a multiple choice, and `images` of the last
    message: files, beside the data or from the working directory, addresses or data URLs.
    """

    fields = ("index", "input")

    def __init__(
        self,
        dataset_name: str,
        dataset_path: str,
        *,
        split: str = "test",
        subset: str | None = None,
        prompt_template: str = "plain",
    ) -> None:
        super().__init__(dataset_name, dataset_path, split=split, subset=subset, prompt_template=prompt_template)

    def problem(self, row: Mapping[str, Any], number: int) -> Problem:
        """Take the row as it is."""
        choices = values.texts(row, "choices") if "choices" in row else ()
        metadata = {name: value for name, value in row.items() if name not in OWN_FIELDS}
        return Problem(
            index=values.index(row, "index"),
            messages=self._messages(row, choices),
            answer=_answer(row),
            answer_kind=_answer_kind(row),
            metadata=metadata | {"choices": list(choices)} if choices else metadata,
        )

    def _messages(self, row: Mapping[str, Any], choices: tuple[str, ...]) -> tuple[Message, ...]:
        given = row["input"] if isinstance(row["input"], list) else [_asked(values.text(row, "input"))]
        *earlier, last = map(self._with_files, _conversation(given))
        images = (*last.images, *self._found(_images(row)))
        return (*earlier, Message(last.role, self.prompt(last.content, choices), images))

    def _with_files(self, turn: Message) -> Message:
        return replace(turn, images=self._found(turn.images)) if turn.images else turn

    def _found(self, images: tuple[str, ...]) -> tuple[str, ...]:
        """Images by their files where these lie beside the data, else as they are named."""
        if not images:
            return ()
        folder = Path(self.dataset_path).expanduser().parent
        beside = {image: folder / image for image in images if not image.startswith("data:")}
        return tuple(str(beside[image]) if image in beside and _is_file(beside[image]) else image for image in images)


def _asked(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _images(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The images of a row or a message; one of them may stand alone."""
    given = row.get("images")
    if not given or (isinstance(given, str) and not given.startswith("[")):
        return (given,) if given else ()
    return values.texts(row, "images")


def _conversation(turns: list[Any]) -> tuple[Message, ...]:
    for number, turn in enumerate(turns, start=1):
        if not (isinstance(turn, dict) and turn.get("role") in ROLES and isinstance(turn.get("content"), str)):
            raise UserError(
                f"message {number} of field 'input' is not a chat message",
                fix=f"It needs content, a text, and role, one of {', '.join(ROLES)}.",
            )
    if not turns:
        raise UserError("field 'input' holds no message")
    return message_list([{**turn, "images": _images(turn)} for turn in turns])


def _answer(row: Mapping[str, Any]) -> Gold:
    answer = row.get("answer")
    if answer is None or answer == "":
        return None
    if not isinstance(answer, list):
        return values.gold(row, "answer")
    if not answer:
        raise UserError("field 'answer' is a list of no answers", fix="Leave the field out where there is none.")
    return tuple(values.gold({"answer": each}, "answer") for each in answer)


def _answer_kind(row: Mapping[str, Any]) -> AnswerKind:
    kind = row.get("answer_kind") or "math"
    if kind not in KINDS:
        raise UserError(f"unknown answer_kind {kind!r}", fix=f"Known: {', '.join(KINDS)}.")
    return cast(AnswerKind, kind)
