"""Evaluation: stored candidates to votes, grades, metrics and final files; loads no model.

Why: an answer is judged after the fact, so a new vote, a stricter reading or a better grader costs no new token.
Promises: the same records give the same final file; each candidate is graded once for all votes; a failed problem
counts as not correct and is counted apart.
"""

import pickle
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from loguru import logger

from inference_kit.estimates import pass_at_k, wilson_interval
from inference_kit.grader import Grade, GradeItem, GraderPool, is_parsed
from inference_kit.grader.finding.boxes import find_boxes
from inference_kit.grader.finding.thoughts import drop_thinking
from inference_kit.grader.similarity import measure_similarity
from inference_kit.records import Candidate, Record, Usage
from inference_kit.store.results import write_final
from inference_kit.voting import FALLBACK, VOTES, Need, explain_lacks, find_known_fields, find_lack

Vote = str | None
"""A vote's name; None takes the first candidate, as for greedy and vanilla."""

OwnMetrics = Callable[[Sequence[Mapping[str, Any]]], Mapping[str, Any]]
"""A data set's own metrics, computed from the result entries without their candidates."""

RECORDS_AT_ONCE = 256
LIMITS = ("timeout", "too_large", "out_of_memory")
"""Ways in which a comparison is given up and counts as not equal."""
MANY_BOXES = 3
"""A response with more distinct boxes than this is counted: boxing every option wins under lenient grading."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One problem, judged: each vote's winner by place, the winner's grade, and the verdict on every candidate.

    `similarity` says how like the gold answer the winner's is, 1 where it is right. `winners` is empty where there is
    no candidate, the next three also where there is no gold answer. `many_boxes` holds the votes whose winner boxes
    more than `MANY_BOXES` different answers. `lacks` holds the votes that weigh what none of the candidates has, with
    what that is; there the majority decided.
    """

    winners: Mapping[Vote, int] = field(default_factory=dict)
    grades: Mapping[Vote, Grade] = field(default_factory=dict)
    similarity: Mapping[Vote, float] = field(default_factory=dict)
    correct: tuple[bool, ...] = ()
    many_boxes: frozenset[Vote] = frozenset()
    unparsed_gold: bool = False
    lacks: Mapping[Vote, Need] = field(default_factory=dict)


def judge(records: Iterable[Record], votes: Sequence[Vote], grader: GraderPool) -> Iterator[tuple[Record, Judged]]:
    """Take each vote over each record's candidates, and grade them all.

    A vote that weighs what none of a record's candidates has, such as step scores, is the majority's there.
    """
    stream = iter(records)
    while batch := [_ignore_cut_thoughts(record) for record in islice(stream, RECORDS_AT_ONCE)]:
        items = [_list_grade_items(record, record.candidates) for record in batch]
        grades = grader.grade_many(chain.from_iterable(items))
        for record, own in zip(batch, items, strict=True):
            yield record, _judge_record(record, votes, list(islice(grades, len(own))))


def write_finals(
    records: Callable[[], Iterable[Record]],
    paths: Mapping[Vote, Path],
    header: Mapping[str, Any],
    grader: GraderPool,
    *,
    strict: bool = False,
    own_metrics: OwnMetrics | None = None,
    write: bool = True,
) -> dict[Vote, dict[str, Any]]:
    """Judge a run and write one final file for each vote in `paths` that can be taken; return each one's metrics.

    A vote that no problem has anything for is left out, and one that some have nothing for is said.

    Verdicts wait in a file of this process's own, so that memory does not grow with the run.

    Args:
        records: Gives the records in data set order; called once to judge and once more for each file, so that a large
            run need not be in memory.
        paths: Where the file of each vote goes.
        header: What the files say before their metrics and results.
        grader: Compares answers.
        strict: Only the last box counts.
        own_metrics: Those of the data set's own class.
        write: Where false, no file is written, and only the metrics are returned.
    """
    tallies = {vote: Tally(vote, strict=strict, own_metrics=own_metrics) for vote in paths}
    with TemporaryFile() as aside:
        for record, judged in judge(records(), list(paths), grader):
            pickle.dump(judged, aside)
            for tally in tallies.values():
                tally.add(record, judged)
        metrics = {vote: tallies[vote].metrics() for vote in _leave_out_impossible(tallies, paths)}
        for vote in metrics if write else ():
            aside.seek(0)
            entries = (
                build_result_entry(_ignore_cut_thoughts(record), pickle.load(aside), vote, strict=strict)
                for record in records()
            )
            write_final(paths[vote], {**header, "vote": vote, "metrics": metrics[vote]}, entries)
    return metrics


def _leave_out_impossible(tallies: Mapping[Vote, "Tally"], paths: Mapping[Vote, Path]) -> list[Vote]:
    """Return the votes that can be taken, and say which cannot, and which are the majority's in some problems."""
    impossible = {vote: tally.lack for vote, tally in tallies.items() if vote and tally.lack and not tally.weighed}
    if impossible:
        folder = paths[next(iter(impossible))].parent
        logger.warning("{}: votes that are not taken: {}", folder, explain_lacks(impossible))
    for vote, tally in tallies.items():
        if vote and tally.lack and tally.weighed:
            lack, count = explain_lacks({vote: tally.lack}), tally.lacking
            logger.warning("{}: in {} of {} problems the majority decides: {}", paths[vote], count, tally.total, lack)
    return [vote for vote in tallies if vote not in impossible]


def judge_answer(record: Record, vote: Vote, grader: GraderPool, *, strict: bool) -> bool | None:
    """Say whether one problem's answer under `vote` is right; None without a gold answer."""
    if record.gold is None:
        return None
    if not record.candidates:
        return False
    winner = record.candidates[_choose_winner(record, vote, find_lack(vote, find_known_fields(record.candidates)))]
    [grade] = grader.grade_many(_list_grade_items(record, [winner]))
    return _is_correct(grade, strict=strict)


def build_result_entry(record: Record, judged: Judged, vote: Vote, *, strict: bool) -> dict[str, Any]:
    """Build one element of a final file's `results`."""
    winner = record.candidates[judged.winners[vote]] if judged.winners else None
    grade = judged.grades.get(vote)
    stored = record.to_json()
    if judged.correct:
        for candidate, correct in zip(stored["candidates"], judged.correct, strict=True):
            candidate["correct"] = correct
    return {
        "index": record.index,
        "input": record.input,
        "gold": record.gold,
        "prediction": winner.answer if winner else None,
        "response": winner.text if winner else None,
        "correct": _is_correct(grade, strict=strict) if record.gold is not None else None,
        "grades": {"lenient": grade.correct, "strict": grade.strict, "method": grade.method} if grade else None,
        "similarity": judged.similarity.get(vote),
        "votes": {name: record.candidates[place].answer for name, place in judged.winners.items() if name},
    } | {key: stored[key] for key in stored if key not in ("schema", "index", "input", "gold")}


@dataclass(slots=True)
class Tally:
    """The metrics of a run under one vote, added up problem by problem.

    `weighed` counts the problems with candidates in which the vote found what it weighs, `lacking` the others, which
    are said by the `lack` of the first.
    """

    vote: Vote
    strict: bool = False
    own_metrics: OwnMetrics | None = None
    total: int = 0
    graded: int = 0
    failed: int = 0
    no_answer: int = 0
    cut_off: int = 0
    withheld: int = 0
    grading_limits: int = 0
    many_boxes: int = 0
    unparsed_golds: int = 0
    lack: Need | None = None
    lacking: int = 0
    weighed: int = 0
    similarity: float = 0.0
    correct: dict[str, int] = field(default_factory=lambda: {"lenient": 0, "strict": 0})
    candidates: int = 0
    one_step: int = 0
    samples: Counter[tuple[int, int]] = field(default_factory=Counter)
    usage: Usage = field(default_factory=Usage)
    run_seconds: float = 0.0
    _entries: list[Mapping[str, Any]] = field(default_factory=list)

    def add(self, record: Record, judged: Judged) -> None:
        """Count one problem."""
        winner = record.candidates[judged.winners[self.vote]] if judged.winners else None
        grade = judged.grades.get(self.vote)
        self.total += 1
        self.graded += record.gold is not None
        self.failed += record.error is not None
        self.no_answer += record.error is None and (winner is None or winner.answer is None)
        self.cut_off += winner is not None and winner.finish_reason == "length"
        self.withheld += winner is not None and winner.finish_reason == "withheld"
        self.grading_limits += grade is not None and grade.method in LIMITS
        self.many_boxes += self.vote in judged.many_boxes
        self.unparsed_golds += judged.unparsed_gold
        if lack := judged.lacks.get(self.vote):
            self.lack, self.lacking = self.lack or lack, self.lacking + 1
        elif winner is not None:
            self.weighed += 1
        self.similarity += judged.similarity.get(self.vote, 0.0)
        self.correct["lenient"] += grade is not None and grade.correct
        self.correct["strict"] += grade is not None and grade.strict
        self.candidates += len(record.candidates)
        self.one_step += sum(len(candidate.steps) < 2 for candidate in record.candidates)
        if record.gold is not None:
            self.samples[len(record.candidates), sum(judged.correct)] += 1
        self.usage += record.usage
        self.run_seconds = max(self.run_seconds, record.run_seconds)
        if self.own_metrics:
            entry = build_result_entry(record, judged, self.vote, strict=self.strict)
            self._entries.append({key: value for key, value in entry.items() if key != "candidates"})

    @property
    def headline(self) -> int:
        """Problems whose answer is right by the rule asked for."""
        return self.correct["strict" if self.strict else "lenient"]

    def metrics(self) -> dict[str, Any]:
        """Return the `metrics` of a final file; accuracies are None where no problem has a gold answer."""

        def share(count: int) -> float | None:
            return count / self.graded if self.graded else None

        return {
            "accuracy": share(self.headline),
            "correct": self.headline,
            "total": self.total,
            "graded": self.graded,
            "failed": self.failed,
            "ci95": list(wilson_interval(self.headline, self.graded)) if self.graded else None,
            "grading": "strict" if self.strict else "lenient",
            "lenient_accuracy": share(self.correct["lenient"]),
            "strict_accuracy": share(self.correct["strict"]),
            "no_answer": self.no_answer,
            "cut_off": self.cut_off,
            **({"withheld": self.withheld} if self.withheld else {}),
            "grading_limits": self.grading_limits,
            "many_boxes": self.many_boxes,
            "unparsed_golds": self.unparsed_golds,
            "similarity": self.similarity / self.graded if self.graded else None,
            "candidates": self.candidates,
            "one_step": self.one_step,
            "pass_at": _estimate_pass_at(self.samples),
            "generated_tokens": self.usage.generated_tokens,
            "cached_tokens": self.usage.cached_tokens,
            "prompt_tokens": self.usage.prompt_tokens,
            "reward_tokens": self.usage.reward_tokens,
            "engine_calls": self.usage.calls - self.usage.cached_calls,
            "cached_calls": self.usage.cached_calls,
            "reward_calls": self.usage.reward_calls - self.usage.cached_reward_calls,
            "cached_reward_calls": self.usage.cached_reward_calls,
            "seconds": self.run_seconds,
        } | self._compute_own_metrics()

    def _compute_own_metrics(self) -> dict[str, Any]:
        """Return the data set's own metrics and, as `own_metrics`, their names; nothing where it has none."""
        own = dict(self.own_metrics(self._entries)) if self.own_metrics else {}
        return own | {"own_metrics": list(own)} if own else {}


def _ignore_cut_thoughts(record: Record) -> Record:
    """Return a record in which a thought that was cut off has no answer; earlier versions took one out of it."""
    cut = [
        each.answer is not None and not drop_thinking(each.text, cut_off=each.finish_reason == "length").strip()
        for each in record.candidates
    ]
    if not any(cut):
        return record
    candidates = (
        replace(each, answer=None, group=-1) if is_cut else each
        for each, is_cut in zip(record.candidates, cut, strict=True)
    )
    return replace(record, candidates=tuple(candidates))


def _list_grade_items(record: Record, candidates: Sequence[Candidate]) -> list[GradeItem]:
    if record.gold is None:
        return []
    gold = tuple(record.gold) if isinstance(record.gold, list) else record.gold
    choices = tuple(record.metadata.get("choices", ()))
    return [
        GradeItem(gold, each.text, record.answer_kind, choices, cut_off=each.finish_reason == "length")
        for each in candidates
    ]


def _judge_record(record: Record, votes: Sequence[Vote], grades: Sequence[Grade]) -> Judged:
    unparsed = _is_mathematical(record) and not all(is_parsed(gold) for gold in _list_golds(record))
    if not record.candidates:
        return Judged(unparsed_gold=unparsed)
    known = find_known_fields(record.candidates)
    lacks = {name: lack for name in votes if (lack := find_lack(name, known))}
    winners = {name: _choose_winner(record, name, lacks.get(name)) for name in votes}
    places = set(winners.values())
    boxing = {place for place in places if len(set(find_boxes(record.candidates[place].text))) > MANY_BOXES}
    judged = Judged(
        winners,
        many_boxes=frozenset(name for name, place in winners.items() if place in boxing),
        unparsed_gold=unparsed,
        lacks=lacks,
    )
    if not grades:
        return judged
    golds, kind = _list_golds(record), record.answer_kind
    similarity = {
        place: measure_similarity(golds, record.candidates[place].answer, kind, correct=grades[place].correct)
        for place in places
    }
    return replace(
        judged,
        grades={name: grades[place] for name, place in winners.items()},
        similarity={name: similarity[place] for name, place in winners.items()},
        correct=tuple(grade.correct for grade in grades),
    )


def _list_golds(record: Record) -> Sequence[str]:
    """List the acceptable answers, none where there is no gold answer."""
    if record.gold is None:
        return []
    return record.gold if isinstance(record.gold, list) else [record.gold]


def _is_mathematical(record: Record) -> bool:
    return record.answer_kind in ("math", "number")


def _choose_winner(record: Record, name: Vote, lack: Need | None) -> int:
    """Return the place of the winner; where the vote has nothing to weigh, that of the majority."""
    if name is None:
        return 0
    return VOTES[FALLBACK if lack else name].choose(record.candidates)


def _is_correct(grade: Grade | None, *, strict: bool) -> bool:
    if grade is None:
        return False
    return grade.strict if strict else grade.correct


def _estimate_pass_at(samples: Counter[tuple[int, int]]) -> dict[str, float]:
    """Estimate pass@k for k = 1, 2, 4, ... up to the fewest candidates of a problem that has any.

    A failed problem counts 0. `samples` counts the problems of so many candidates, so many of them correct.
    """
    most = min((n for n, _ in samples if n), default=0)
    powers = [1 << exponent for exponent in range(most.bit_length())]
    ks = [k for k in powers if k < most] + ([most] if most else [])
    problems = samples.total()
    return {
        str(k): sum(count * pass_at_k(n, correct, k) for (n, correct), count in samples.items() if n) / problems
        for k in ks
    }
