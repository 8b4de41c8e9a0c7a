"""Dataset: the base of families of data sets, which turns rows into problems.

Why: data sets differ in their fields and in little else, so a family writes one method, `problem`.
Promises: nothing is read before the first problem is asked for. Problems are a stream in the order of the data, and no
two have the same index. What is wrong with the data is one line that names file, line and field.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

from inference_kit.dataset.fields import Row, missing_field, read_index
from inference_kit.dataset.files import LocatedRow
from inference_kit.dataset.sources import Source, resolve_source
from inference_kit.errors import UserError, named
from inference_kit.records import Index, Message, Problem
from inference_kit.records.indices import canonical_index
from inference_kit.templates import fill, load_prompt, strip_template

QUESTION_NAMES = ("question", "input", "problem")
"""Placeholders of a prompt template that stand for the question."""


class Dataset(ABC):
    """A data set. `fields` are what each row must have, `other_names` the names that a field has elsewhere.

    `index_field` holds a row's own unique index, where the family has one; else a row's index is its number, from 0.
    `metadata_fields` are kept with the results. Nothing is read before the first problem is asked for.

    Args:
        dataset_name: Its name in results.
        dataset_path: A file (.json .jsonl .csv .tsv .parquet, perhaps .gz or .zst), a hub id, or a snapshot of one.
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
        """Build the problem of one row.

        Args:
            row: Has all `fields`.
            number: Of the row, from 0.

        Raises:
            UserError: without `where`, which becomes the row's location.
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
            UserError: where a row is malformed, lacks a field, or has the index of an earlier one.
        """
        indices: set[Index] = set()
        for located, problem in self._read_problems():
            index = canonical_index(problem.index)
            if index in indices:
                first = next(
                    row.location for row, each in self._read_problems() if canonical_index(each.index) == index
                )
                raise UserError(f"index {problem.index!r} is there twice, first at {first}", where=located.location)
            indices.add(index)
            yield problem

    def digest(self) -> str:
        """Compute the sha256 of the data: of the file's bytes, or of a hub data set's rows; once."""
        return self._digest

    @property
    def location(self) -> str:
        """Where the data is, as error lines call it."""
        return self._source.location

    @cached_property
    def template(self) -> str:
        """The text of the prompt template."""
        template = load_prompt(self.prompt_template, where=named("prompt_template"))
        if not any(f"{{{name}}}" in template for name in QUESTION_NAMES):
            raise UserError(
                "the prompt template has no {question}",
                where=self.prompt_template,
                fix="Write {question} where it belongs.",
            )
        return template

    def messages(self, question: str, choices: Sequence[str] = ()) -> tuple[Message, ...]:
        """Fill the prompt template with a question and, in multiple choice, its options."""
        return (Message("user", self.prompt(question, choices)),)

    def prompt(self, question: str, choices: Sequence[str] = ()) -> str:
        """Fill the prompt template and return its text; options show where the template has `{choices}`."""
        texts = dict.fromkeys(QUESTION_NAMES, question)
        if choices:
            texts["choices"] = format_choices(choices)
        return fill(self.template, texts)

    def index_of(self, row: Mapping[str, Any], number: int) -> Index:
        """Return the row's own index where it has one, else its number."""
        if self.index_field is None or row.get(self.index_field) in (None, ""):
            return number
        return read_index(row, self.index_field)

    def metadata_of(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of a row that are kept with the results."""
        return {name: row[name] for name in self.metadata_fields if name in row}

    def _read_problems(self) -> Iterator[tuple[LocatedRow, Problem]]:
        for number, located in enumerate(self._source.read_rows()):
            yield located, self._build_problem(located, number)

    def _build_problem(self, located: LocatedRow, number: int) -> Problem:
        row = self._rename_fields(located.row)
        try:
            for field in self.fields:
                if field not in row:
                    raise missing_field(field, located.row, self.fields)
            return self._add_bare_question(self.problem(row, number))
        except UserError as error:
            if error.where:
                raise
            raise UserError(error.what, where=located.location, fix=error.fix) from error

    def _add_bare_question(self, problem: Problem) -> Problem:
        """Add the question without the prompt template around it, for reward models that show it so."""
        names = (*QUESTION_NAMES, "choices")
        bare = strip_template(self.template, names, problem.question).strip()
        return problem if bare == problem.question else replace(problem, bare_question=bare)

    def _rename_fields(self, row: Row) -> Row:
        found = {name: row[other] for other, name in self.other_names.items() if name not in row and other in row}
        return {**row, **found} if found else row

    @cached_property
    def _source(self) -> Source:
        return resolve_source(self.dataset_path, subset=self.subset, split=self.split)

    @cached_property
    def _digest(self) -> str:
        return self._source.compute_digest()


def format_choices(choices: Sequence[str]) -> str:
    """Format the options of a multiple choice, each on its line: `(A) ...`."""
    return "\n".join(f"({chr(ord('A') + number)}) {choice}" for number, choice in enumerate(choices))
