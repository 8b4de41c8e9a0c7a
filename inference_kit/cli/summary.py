"""The closing summary of a run, as the table that people read."""

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from inference_kit.report.tables import format_accuracies, format_percent
from inference_kit.search import METHODS


def format_summary(summary: Mapping[str, Any]) -> str:
    """Format the table of accuracies, what they cost, where the files are, and what to do next."""
    metrics, this_time = summary["metrics"], summary["this_time"]
    rows = [("greedy (stored)", summary["greedy"])] if summary["greedy"] else []
    rows += summary["votes"].items()
    most = max(map(int, metrics["pass_at"]), default=0)
    passed = [f"pass@{most} (any is right)", format_percent(metrics["pass_at"].get(str(most))), "", "", "", ""]
    cost = (
        f"{metrics['generated_tokens']:,} tokens generated and {metrics['cached_tokens']:,} taken from earlier runs, "
        f"{metrics['reward_tokens']:,} read by the reward model; {metrics['engine_calls']:,} engine calls, "
        f"{metrics['seconds']:.1f} s"
    )
    cost += "" if summary["dollars"] is None else f"; ${summary['dollars']:,.4f}"
    now = (
        f"this time: {this_time['problems']} problems, {this_time['generated_tokens']:,} tokens generated, "
        f"{this_time['seconds']:.1f} s"
    )
    title = f"{summary['dataset']} · {summary['model']} + {summary['reward_model']} · {summary['method']}"
    title += f" · shard {summary['shard']}" if summary["shard"] else ""
    lines = [
        title,
        "",
        format_accuracies(rows, [passed] if most > 1 else []),
        "",
        cost,
        now,
        *_list_remarks(summary),
        f"files: {summary['folder']}",
    ]
    return "\n".join([*lines, f"next:  {_suggest_command(summary)}"])


def _list_remarks(summary: Mapping[str, Any]) -> list[str]:
    """List what a reader of the accuracies should know; nothing where all went well."""
    metrics = summary["metrics"]
    remarks = {
        "failed": "problems failed and count as not correct; the same command tries them again",
        "no_answer": "problems got an answer in which no final answer was found",
        "cut_off": "chosen answers were cut off at max_new_tokens",
        "withheld": "chosen answers were stopped by the server's content filter, or refused by the model",
        "grading_limits": "comparisons hit the grader's time limit and count as not equal",
        "unparsed_golds": "gold answers are not understood as mathematics; only their own writing equals them",
        "many_boxes": "chosen responses have more than 3 different boxes, of which lenient grading takes any",
    }
    found = [f"note:  {metrics[name]} {text}" for name, text in remarks.items() if metrics.get(name)]
    if summary["reward_model"] != "none" and 0 < metrics["candidates"] == metrics["one_step"]:
        found.append(
            f"note:  the step separator {summary['separator']!r} stands in none of {metrics['candidates']} candidates, "
            "so every answer is one step; set --separator to what ends a step of this model"
        )
    if summary["not_taken"]:
        found.append(f"note:  {', '.join(summary['not_taken'])} had nothing to weigh, and no file")
    if summary["greedy_note"]:
        found.append(f"note:  {summary['greedy_note']}")
    if metrics["lenient_accuracy"] != metrics["strict_accuracy"]:
        found.append(
            f"note:  lenient accuracy {format_percent(metrics['lenient_accuracy'])} (any box counts), "
            f"strict {format_percent(metrics['strict_accuracy'])} (the last box)"
        )
    return found


def _suggest_command(summary: Mapping[str, Any]) -> str:
    first = next(iter(summary["files"].values()))
    if summary["shard"]:
        every = re.sub(r"\+shard-\d+-of-", "+shard-*-of-", _shorten(summary["folder"]))
        return f"once all shards are done: python main.py evaluate {every}"
    if summary["greedy"]:
        return f"python main.py compare {_shorten(summary['greedy_file'])} {_shorten(first)}"
    if METHODS[summary["method"]].one_solution:
        return shlex.join(["python", "main.py", "run", *_drop_method(summary["command"]), "--method", "best_of_n"])
    return f"python main.py evaluate {_shorten(summary['folder'])} --vote all"


def _shorten(path: str) -> str:
    return min(os.path.relpath(path), path, key=len)


def _drop_method(command: Sequence[str]) -> list[str]:
    """Return the words of a command line without those that choose the method."""
    kept: list[str] = []
    words = iter(command)
    for word in words:
        name, equals, _ = word.replace("_", "-").partition("=")
        if name not in ("--method", "--cot-method"):
            kept.append(word)
        elif not equals:
            next(words, None)
    return kept
