"""Options: what a transformation may be told, as one typed record; and what the environment says.

Why: flags, keys of a YAML file, defaults and help follow from one declaration of each option.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any

from inference_kit.config import Level
from inference_kit.errors import UserError
from inference_kit.registry import Above, read_settings
from inference_kit.setup.options import Option, list_generation, show_value
from inference_kit.setup.run_options import HOW, WHAT, option
from inference_kit.setup.values import choose_reader, read_boolean, read_integer, read_number, read_pair

SYSTEM = "You are a coding assistant. Output only the final code."
ENVIRONMENT = {
    "MODEL_PATH": "model",
    "DEVICE": "device",
    "LOCAL_FILES_ONLY": "local_files_only",
    "MAX_NEW_TOKENS": "max_new_tokens",
    "TEMPERATURE": "temperature",
    "DRY_RUN": "dry_run",
}
"""Variables of the environment, and the option that each of them sets."""

DEFAULTS = {"max_new_tokens": 128, "temperature": 0.0}
"""Generation settings that hold where nobody says anything."""


@dataclass(frozen=True, kw_only=True)
class TransformOptions:
    """What is transformed, by what, and how.

    Args:
        input: a file, .json or .jsonl (.gz and .zst of them), or a folder of them
        glob: which files of the folder, such as *.jsonl; with a slash a pattern of paths
        output: the folder for outputs, which mirrors the input
        inplace: replace the input files
        field: the field to transform
        backup_field: the field that keeps the original
        instruction: what is to be done, as a text or a Jinja template's path
        template_var: a variable of the template, NAME=VALUE; several times
        system_prompt: the system message; none switches it off
        strip_fences: take the code out of the fences around it
        use_chat_template: show the prompt in the model's chat template
        provider: what answers: echo, ollama, openai, hf, modelscope, or any engine
        model: the model's name or path
        base_url: the address of the service
        api_key: the key of the service; better in a variable of the environment
        device: cpu or cuda
        local_files_only: download nothing
        concurrency: requests under way at once
        batch_size: records in one forward pass at the most, where the provider makes batches
        retry: how often what failed is tried again
        timeout: seconds that one request may take
        cache_dir: where answers are kept
        resume: go on with what is there, and read the cache
        dedup: let equal records share an answer above temperature 0 as well
        seed: the seed of what is drawn
        again: transform records that are done again, from their backup
        skip_bad_lines: leave a record that cannot be read as it is, instead of ending its file
        limit: the first records of each file only
        dry_run: check everything, show the first prompt, and ask nobody
        max_tokens_total: stop after so many tokens, to go on later
        max_cost: stop after so many dollars, to go on later
        config: a YAML file with any of these settings
        debug: tracebacks, and everything in the log
        log_level: ERROR, WARNING, INFO or DEBUG
    """

    input: str | None = option(None, "choice", "run", unset="required", group=WHAT)
    glob: str | None = option(None, "choice", "run", unset="all .json and .jsonl", group=WHAT)
    output: str | None = option(None, "process", "run", unset="outputs/; nothing with echo", group=WHAT)
    inplace: bool = option(False, "process", "run", group=WHAT)
    field: str = option("code", "results", "run", group=WHAT)
    backup_field: str | None = option(None, "results", "run", unset="original_<field>", group=WHAT)
    instruction: str | None = option(None, "choice", "run", unset="required", group=WHAT)
    template_var: Mapping[str, str] | None = option(None, "choice", "run", unset="none", group=WHAT)
    system_prompt: str = option(SYSTEM, "choice", "run", group=WHAT)
    strip_fences: bool = option(True, "results", "run", group=WHAT)
    use_chat_template: bool = option(True, "choice", "run", group=WHAT)
    provider: str = option("echo", "choice", "run", group=WHAT)
    model: str | None = option(None, "choice", "run", unset="required", group=WHAT)
    base_url: str | None = option(None, "choice", "run", unset="the provider's", group=WHAT)
    api_key: str | None = option(None, "process", "run", unset="the provider's variable", group=WHAT)
    device: str = option("cpu", "process", "run", group=HOW)
    local_files_only: bool | None = option(None, "process", "run", unset="true; false for modelscope", group=HOW)
    concurrency: int = option(4, "process", "run", group=HOW)
    batch_size: int = option(8, "process", "run", group=HOW)
    retry: Annotated[int, 0] = option(3, "results", "run", group=HOW)
    timeout: Annotated[float, Above(0)] = option(600.0, "process", "run", group=HOW)
    cache_dir: str = option(".cache", "process", "run", group=HOW)
    resume: bool = option(True, "process", "run", group=HOW)
    dedup: bool = option(False, "results", "run", group=HOW)
    seed: Annotated[int, 0] = option(0, "results", "run", group=HOW)
    again: bool = option(False, "process", "run", group=HOW)
    skip_bad_lines: bool = option(False, "process", "run", group=HOW)
    limit: int | None = option(None, "process", "run", unset="all", group=HOW)
    dry_run: bool = option(False, "process", "run", group=HOW)
    max_tokens_total: int | None = option(None, "process", "run", unset="no limit", group=HOW)
    max_cost: Annotated[float | None, Above(0)] = option(None, "process", "run", unset="no limit", group=HOW)
    config: str | None = option(None, "process", "run", unset="none", group=HOW)
    debug: bool = option(False, "process", "run", group=HOW)
    log_level: str | None = option(None, "process", "run", unset="INFO, or LOG_LEVEL", group=HOW)


def read_environment(environment: Mapping[str, str]) -> Level:
    """Read the variables of the environment that set an option.

    Raises:
        UserError: naming a variable whose value is none.
    """
    readers: dict[str, Any] = {
        "local_files_only": read_boolean,
        "dry_run": read_boolean,
        "max_new_tokens": read_integer,
        "temperature": read_number,
    }
    values: dict[str, Any] = {}
    for variable, name in ENVIRONMENT.items():
        if text := environment.get(variable):
            try:
                values[name] = readers.get(name, str)(text)
            except ValueError as error:
                raise UserError(str(error), where=f"environment variable {variable}") from error
    return Level("environment", values)


def list_options() -> list[Option]:
    """List the options of a transformation and the generation settings."""
    declared = read_settings(TransformOptions)
    found = []
    for each in fields(TransformOptions):
        setting = declared[each.name]
        read = read_pair if each.name == "template_var" else choose_reader(setting, text=str)
        assert read, f"{each.name} has a type that no flag can hold"
        default = show_value(each.default) if each.default is not None else each.metadata["unset"]
        found.append(Option(each.name, read, setting.help, default, each.metadata["group"], each.name))
    shown = {name: show_value(value) for name, value in DEFAULTS.items()}
    return [*found, *(replace(each, default=shown.get(each.name, each.default)) for each in list_generation())]


def read_options(values: Mapping[str, Any]) -> TransformOptions:
    """Return the options among values as a record, each checked.

    Raises:
        UserError: for a number out of range.
    """
    for name, setting in read_settings(TransformOptions).items():
        if values.get(name) is not None:
            setting.check(values[name])
    return TransformOptions(**{name: value for name, value in values.items() if value is not None})
