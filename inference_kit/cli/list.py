"""`list`: what is registered, with one line each."""

import argparse
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from inference_kit.models import ENGINES
from inference_kit.registry import Entry, lookup, open_entry, summarize_entry
from inference_kit.report.tables import format_table
from inference_kit.reward_models import REWARD_MODELS
from inference_kit.search import METHODS
from inference_kit.setup.registries import Registries
from inference_kit.templates import read_prompt_templates
from inference_kit.templates.chat_templates import list_chat_templates
from inference_kit.voting import VOTES


def add_parser(subparsers: Any) -> None:
    """Register `list`."""
    parser = subparsers.add_parser("list", help="what is registered, with one line each")
    parser.add_argument(
        "kind", nargs="?", default="all", help="models, reward_models, datasets, methods, votes, templates"
    )
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace, registries: Registries) -> int:
    """Print one table for each kind asked for."""
    kinds: Mapping[str, Callable[[], list[list[str]]]] = {
        "models": lambda: [
            *_list_rows(registries.models),
            *([f"{name} (engine)", summarize_entry(e)] for name, e in ENGINES.items()),
        ],
        "reward_models": lambda: [
            *_list_rows(registries.reward_models),
            *([f"{name} (format)", summarize_entry(each)] for name, each in REWARD_MODELS.items()),
        ],
        "datasets": lambda: _list_rows(registries.datasets),
        "methods": lambda: [[name, summarize_entry(method.function)] for name, method in METHODS.items()],
        "votes": lambda: [[name, vote.summary] for name, vote in VOTES.items()],
        "templates": lambda: [
            *([name, text.rsplit("\n", 1)[-1]] for name, text in read_prompt_templates().items()),
            *([f"{name} (chat)", "the turns of a conversation, for --template"] for name in list_chat_templates()),
        ],
    }
    wanted = list(kinds) if arguments.kind == "all" else [arguments.kind.replace("-", "_")]
    shown = [format_table((kind, "what it is"), lookup(kinds, kind, "kind")(), left=2) for kind in wanted]
    print("\n\n".join(shown))
    return 0


def _list_rows(entries: Mapping[str, Entry]) -> list[list[str]]:
    return [[name, f"{_find_place(entry)}{summarize_entry(entry)}"] for name, entry in entries.items()]


def _find_place(entry: Entry) -> str:
    """Find the path of a registry entry, shortened to what tells it apart."""
    _, arguments, keywords = open_entry(entry)
    named = [value for key, value in keywords.items() if key.endswith("_path")]
    path = str(next(iter([*arguments, *named]), ""))
    return f"{os.path.relpath(path) if Path(path).is_absolute() else path}: " if path else ""
