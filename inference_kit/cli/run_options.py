"""The flags of `run` and `chat` that do not depend on what is chosen, with their defaults.

Why: one table feeds the command line, config files, the help and `--explain`.
"""

from collections.abc import Callable
from typing import Any

from inference_kit.cli.options import Option, read_boolean, read_integer, read_list, read_number, read_stops
from inference_kit.records import GenerationConfig

DEFAULTS: dict[str, Any] = {
    "model": "abacus",
    "dataset": "abacus",
    "method": "best_of_n",
    "seed": 0,
    "work_dir": "results",
    "exp_name": "default",
    "replicas": 1,
    "distributed": "processes",
    "resume": True,
    "overwrite": False,
    "grading": "lenient",
    "aggregate": "last",
    "step_tokens": 0,
    "keep_trees": False,
    "show_tree": False,
    "explain": False,
    "dry_run": False,
    "json": False,
}

_GENERATION_HELP = {
    "max_new_tokens": "tokens of one completion at the most",
    "temperature": "0 is greedy",
    "top_p": "sample from the likeliest tokens that together have this probability",
    "top_k": "sample from the k likeliest tokens; 0 is off",
    "min_p": "drop tokens less likely than this share of the likeliest",
    "repetition_penalty": "above 1 makes tokens of prompt and reply less likely to come again",
    "frequency_penalty": "taken off for each time a token was written",
    "presence_penalty": "taken off once a token was written",
    "stop": "text that ends a completion and is cut from it; several as a JSON list",
    "token_details": "ask how sure the model is of each token; votes and methods that need it turn it on",
}
_GENERATION_READERS: dict[str, Callable[[str], Any]] = {
    "max_new_tokens": read_integer,
    "top_k": read_integer,
    "stop": read_stops,
    "token_details": read_boolean,
}


def _shown(name: str) -> str:
    """The library's own default of a generation setting, which every other level beats."""
    default = getattr(GenerationConfig(), name)
    return f"{default}, unless model or config file say otherwise" if default != () else "none"


RUN_OPTIONS: tuple[Option, ...] = (
    Option("model", str, "a registered model, an engine's name, a folder or a hub id", "abacus"),
    Option("model_path", str, "weights folder or hub id", "the registry's"),
    Option("reward_model", str, "a registered reward model, or none", "none; NAME_prm where it is registered"),
    Option("reward_model_path", str, "weights folder or hub id", "the registry's"),
    Option("dataset", str, "a registered data set", "abacus"),
    Option("dataset_path", str, "a file (.jsonl .json .csv .parquet) or hub id", "the registry's"),
    Option("limit", read_integer, "the first problems only", "all"),
    Option("index", str, "these problems only, such as 3,7,10-20", "all"),
    Option("shuffle_seed", read_integer, "take the limited problems at random, by this seed", "in order"),
    Option("method", str, "the search method", "best_of_n"),
    Option(
        "vote", read_list, "how candidates become one answer; several with commas, or all", "best_last or majority_vote"
    ),
    Option("aggregate", str, "what one score is made of step scores by: last, min, mean or prod", "last"),
    Option("step_tokens", read_integer, "end a step after so many tokens, not at the separator; 1 is token level", "0"),
    Option("max_tokens_per_problem", read_integer, "tokens after which a search returns its best so far", "no limit"),
    Option("max_calls_per_problem", read_integer, "completions after which it does, cached ones counted", "no limit"),
    Option("evaluate", read_boolean, "vote and grade at the end", "where there are gold answers"),
    Option("grading", str, "lenient (any correct box counts) or strict (the last box)", "lenient"),
    Option("seed", read_integer, "the run's seed", "0"),
    Option("system", str, "a system message before every problem or turn", "none"),
    *(
        Option(name, _GENERATION_READERS.get(name, read_number), text, _shown(name), "generation")
        for name, text in _GENERATION_HELP.items()
    ),
    Option("do_sample", read_boolean, "false is temperature 0", "from the temperature", "generation"),
    Option("config", str, "a YAML file with any of these settings", "none", "how to run"),
    Option("work_dir", str, "where results go", "results", "how to run"),
    Option("exp_name", str, "the experiment's name", "default", "how to run"),
    Option("resume", read_boolean, "go on from what is there", "true", "how to run"),
    Option("overwrite", read_boolean, "start anew", "false", "how to run"),
    Option("concurrency", read_integer, "problems in flight", "chosen by the engine", "how to run"),
    Option("replicas", read_integer, "copies of the engine, which share the GPUs or else the cores", "1", "how to run"),
    Option("distributed", str, "where copies live: processes, on this machine, or ray", "processes", "how to run"),
    Option("shard", str, "this part of the problems, such as 2/4; `evaluate` merges all parts", "all", "how to run"),
    Option(
        "max_tokens_total", read_integer, "stop the run after so many tokens, to go on later", "no limit", "how to run"
    ),
    Option("max_seconds", read_number, "stop the run after so many seconds, to go on later", "no limit", "how to run"),
    Option("max_cost", read_number, "stop the run after so many dollars, to go on later", "no limit", "how to run"),
    Option("keep_trees", read_boolean, "store every node of every search", "false", "how to run"),
    Option("show_tree", read_boolean, "draw the search tree of the first problem", "false", "how to run"),
    Option("explain", read_boolean, "print every setting with its source, and stop", "", "how to run"),
    Option("dry_run", read_boolean, "check everything, show the first prompt, and stop", "", "how to run"),
    Option("json", read_boolean, "print the summary as one JSON object", "", "how to run"),
    Option("debug", read_boolean, "tracebacks, and everything in the log", "", "how to run"),
    Option("log_level", str, "ERROR, WARNING, INFO or DEBUG", "INFO, or LOG_LEVEL", "how to run"),
)

OF_THE_SEARCH = (
    "seed",
    "aggregate",
    "step_tokens",
    "max_tokens_per_problem",
    "max_calls_per_problem",
    "keep_trees",
)
"""Settings of every method alike, which change what is stored."""

OF_THE_PROCESS = frozenset(
    {"work_dir", "exp_name", "resume", "overwrite", "concurrency", "explain", "dry_run", "json", "debug", "log_level"}
    | {"config", "evaluate", "vote", "max_tokens_total", "max_seconds", "max_cost", "show_tree"}
    | {"replicas", "distributed", "shard"}
)
"""Settings that say how or where a run is done, and change nothing in its results."""
