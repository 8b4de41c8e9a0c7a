"""Dataset: where problems come from, and what they are asked and judged by.

Why: data sets differ in their fields and in little else, so a family writes one method, `problem`.
Promises: nothing is read before the first problem is asked for; problems come as a stream, in the order of the data,
and no two have the same index; what is wrong with the data is one line that names place and field.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

from inference_kit.dataset import fields as values
from inference_kit.dataset.fields import Row
from inference_kit.dataset.files import Placed
from inference_kit.dataset.sources import Source, source_of
from inference_kit.errors import UserError
from inference_kit.records import Index, Message, Problem
from inference_kit.templates import fill, filled_in, load_prompt

QUESTION_NAMES = ("question", "input", "problem")


class Dataset(ABC):
    """A data set. `fields` are what each row must have, `other_names` the names that a field has elsewhere.

    `index_field` holds a row's own unique index, where the family has one; else a row's index is its number, from 0.
    `metadata_fields` are kept with the results. Nothing is read before the first problem is asked for.

    Args:
        dataset_name: Its name in results.
        dataset_path: A file (.json .jsonl .csv .parquet), or a hub id.
        split: Part of a hub data set.
        subset: Configuration of a hub data set.
        prompt_template: What stands around a question: a name in templates/prompt, or a file.
    """

    fields: ClassVar[tuple[str, ...]] = ()
    other_names: ClassVar[Mapping[str, str]] = {}
    index_field: ClassVar[str | None] = None
    metadata_fields: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        dataset_name: str,
        dataset_path: str,
        *,
        split: str = "test",
        subset: str | None = None,
        prompt_template: str = "cot_boxed",
    ) -> None:
        self.dataset_name, self.dataset_path = dataset_name, dataset_path
        self.split, self.subset, self.prompt_template = split, subset, prompt_template

    @abstractmethod
    def problem(self, row: Mapping[str, Any], number: int) -> Problem:
        """Make the problem of one row, which has all `fields`; `number` counts from 0.

        Raises:
            UserError: without `where`; the place is added.
        """

    def evaluate(self, results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Compute metrics of the data set's own; they are merged over those of the house.

        Args:
            results: The `results` of a final file (index, gold, prediction, response, correct, ...) without candidates.
        """
        return {}

    @property
    def own_metrics(self) -> Callable[[Sequence[Mapping[str, Any]]], dict[str, Any]] | None:
        """The family's `evaluate`, None where it has none of its own."""
        return None if type(self).evaluate is Dataset.evaluate else self.evaluate

    def problems(self) -> Iterator[Problem]:
        """Read the problems one by one.

        Raises:
            UserError: a row that is malformed, lacks a field, or has the index of an earlier one.
        """
        names: set[str] = set()
        for placed, problem in self._placed_problems():
            name = str(problem.index)  # so 1 and "1" are one index: --index could not tell them apart
            if name in names:
                first = next(place.place for place, each in self._placed_problems() if str(each.index) == name)
                raise UserError(f"index {problem.index!r} is there twice, first at {first}", where=placed.place)
            names.add(name)
            yield problem

    def digest(self) -> str:
        """The sha256 of the data: of the file's bytes, or of a hub data set's rows."""
        return self._digest

    @property
    def location(self) -> str:
        """Where the data is, as error lines call it."""
        return self._source.location

    @cached_property
    def template(self) -> str:
        """The text of the prompt template."""
        template = load_prompt(self.prompt_template, where="--prompt-template")
        if not any(f"{{{name}}}" in template for name in QUESTION_NAMES):
            raise UserError(
                "the prompt template has no {question}",
                where=self.prompt_template,
                fix="Write {question} where it belongs.",
            )
        return template

    def messages(self, question: str, choices: Sequence[str] = ()) -> tuple[Message, ...]:
        """Set a question, and the options of a multiple choice, into the prompt template."""
        return (Message("user", self.prompt(question, choices)),)

    def prompt(self, question: str, choices: Sequence[str] = ()) -> str:
        """The text of `messages`; options show where the template has `{choices}`."""
        texts = dict.fromkeys(QUESTION_NAMES, question)
        if choices:
            texts["choices"] = lettered(choices)
        return fill(self.template, texts)

    def index_of(self, row: Mapping[str, Any], number: int) -> Index:
        """The row's own index where it has one, else its number."""
        if self.index_field is None or row.get(self.index_field) is None:
            return number
        return values.index(row, self.index_field)

    def metadata_of(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """What of a row is kept with the results."""
        return {name: row[name] for name in self.metadata_fields if name in row}

    def _placed_problems(self) -> Iterator[tuple[Placed, Problem]]:
        for number, placed in enumerate(self._source.rows()):
            yield placed, self._problem_of(placed, number)

    def _problem_of(self, placed: Placed, number: int) -> Problem:
        row = self._renamed(placed.row)
        try:
            for field in self.fields:
                if field not in row:
                    raise values.missing(field, placed.row, self.fields)
            return self._with_bare_question(self.problem(row, number))
        except UserError as error:
            if error.where:
                raise
            raise UserError(error.what, where=placed.place, fix=error.fix) from error

    def _with_bare_question(self, problem: Problem) -> Problem:
        """Keep the question without the template around it, for reward models that want it so."""
        names = (*QUESTION_NAMES, "choices")
        bare = filled_in(self.template, names, problem.question).strip()
        return problem if bare == problem.question else replace(problem, bare_question=bare)

    def _renamed(self, row: Row) -> Row:
        found = {name: row[other] for other, name in self.other_names.items() if name not in row and other in row}
        return {**row, **found} if found else row

    @cached_property
    def _source(self) -> Source:
        return source_of(self.dataset_path, subset=self.subset, split=self.split)

    @cached_property
    def _digest(self) -> str:
        return self._source.digest()


def lettered(choices: Sequence[str]) -> str:
    """The options of a multiple choice, each on its line: `(A) ...`."""
    return "\n".join(f"({chr(ord('A') + number)}) {choice}" for number, choice in enumerate(choices))
