"""Job: everything a transformation needs, chosen and checked before anything is loaded, asked or written.

Why: 300,000 records are the wrong place to find a misspelt variable or an output that is an input.
Promises: a job is checked against the first records of every file; nothing is written, and no model is asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

from inference_kit.budget import RunBudget
from inference_kit.config import Level, Resolved, generation_config, resolve, resolve_generation
from inference_kit.dataset.json_spans import DECODER
from inference_kit.errors import UserError, named
from inference_kit.models.base import Engine
from inference_kit.records import GenerationConfig
from inference_kit.registry import open_entry, unknown
from inference_kit.setup.build import build_part, plan_part
from inference_kit.setup.options import Option, list_settings
from inference_kit.transform.options import DEFAULTS, TransformOptions, list_options, read_options
from inference_kit.transform.plan import FilePlan, plan_files
from inference_kit.transform.prompt import PromptTemplate, read_instruction
from inference_kit.transform.providers import Provider, choose_engine_settings, find_path, find_provider, give_key
from inference_kit.transform.rows import BadRecord, RowReader

LOOKED_AT = 1000
"""Records of a file after which a field that none of them has counts as misspelt."""
DEFAULT_OUTPUT = "outputs"


@dataclass(frozen=True)
class Job:
    """What is transformed, by what, and how; `dry` says that nothing is asked or written."""

    options: TransformOptions
    engine: Engine
    provider: Provider
    generation: GenerationConfig
    template: PromptTemplate
    files: Sequence[FilePlan]
    settings: Mapping[str, Resolved]
    dry: bool

    @property
    def backup(self) -> str:
        """The field that keeps the original."""
        return self.options.backup_field or f"original_{self.options.field}"

    @property
    def in_flight(self) -> int:
        """Records that are asked for at once: those that keep a batch full, or the requests of a service."""
        batches = not self.provider.address
        return self.options.concurrency * self.options.batch_size if batches else self.options.concurrency

    def list_dependencies(self) -> dict[str, Any]:
        """List what an output depends on, by name; long texts by their digests."""
        options = self.options
        return {
            "model": self.engine.identity,
            "instruction": _digest(self.template.text),
            "system_prompt": options.system_prompt,
            "template_var": dict(options.template_var or {}),
            "use_chat_template": options.use_chat_template,
            "field": options.field,
            "backup_field": self.backup,
            "strip_fences": options.strip_fences,
            "seed": options.seed,
            "dedup": options.dedup,
            **self.generation.to_json(),
        }

    def build_budget(self) -> RunBudget:
        """Return what the job may cost.

        Raises:
            UserError: where tokens have no prices and cost is limited.
        """
        budget = RunBudget(self.options.max_tokens_total, self.options.max_cost, self.engine.prices)
        budget.check_prices(str(self.options.model))
        return budget


def list_known(values: Mapping[str, Any]) -> list[Option]:
    """List every setting there is for what `values` choose: those of a transformation, and those of its engine."""
    own = list_options()
    names = {each.name for each in own}
    provider = find_provider(str(values.get("provider") or TransformOptions.provider))
    engine = list_settings(open_entry(provider.entry)[0], "provider", "model")
    return [*own, *(each for each in engine if each.name not in names)]


def choose_job(levels: Sequence[Level], *, base: Path | None = None) -> Job:
    """Choose a job.

    Args:
        levels: Settings, strongest first.
        base: The folder of the config file, where paths are looked for first; those of words are not in it.

    Raises:
        UserError: for whatever is wrong with the settings, the files or the template.
    """
    names = [each.name for each in list_options()]
    settings = resolve(names, levels)
    options = read_options({name: settings[name].value for name in settings if hasattr(TransformOptions, name)})
    _check_needed(options)
    provider = find_provider(options.provider)
    chosen = Level("transform", choose_engine_settings(provider, options), told=True)
    entry = give_key(provider.entry, options.api_key)
    plan = plan_part(entry, "model", find_path(provider, options), [*levels, chosen])
    engine: Engine = build_part(plan.build, "model")
    generation = resolve_generation(*levels, Level("default", DEFAULTS))
    dry = options.dry_run or (options.provider == "echo" and not options.output and not options.inplace)
    output = None if options.inplace else Path(options.output or DEFAULT_OUTPUT).expanduser()
    source = Path(str(options.input)).expanduser()
    text, name = read_instruction(str(options.instruction), base=base)
    system = "" if options.system_prompt.lower() in ("", "none") else options.system_prompt
    template = PromptTemplate(text, options.field, name, dict(options.template_var or {}), system)
    files = plan_files(source, options.glob, output)
    return Job(options, engine, provider, generation_config(generation), template, files, settings, dry)


def check_job(job: Job) -> None:
    """Look at the first records of every file: whether the field is there, and whether the template fits.

    Raises:
        UserError: where no record has the field, or the template does not fit the first that has.
    """
    job.engine.check(job.generation)
    fields: dict[str, None] = {}
    checked = False
    for plan in job.files:
        try:
            for row in islice(RowReader(plan.source), LOOKED_AT):
                record = _read_record(row.text)
                fields.update(dict.fromkeys(record))
                content = record.get(job.options.field)
                if isinstance(content, str) and content.strip():
                    if not checked:
                        job.template.fill(record, content)
                        checked = True
                    break
        except BadRecord:
            continue  # said where the file is transformed
    if fields and job.options.field not in fields:
        raise unknown(job.options.field, fields, "field", where=str(job.options.input))


def _read_record(text: str) -> dict[str, Any]:
    try:
        found = DECODER.decode(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _check_needed(options: TransformOptions) -> None:
    """Refuse a request that lacks what it needs, or contradicts itself."""
    for name in ("input", "instruction", "model"):
        if getattr(options, name) is None:
            raise UserError("it is needed", where=named(name), fix=_NEEDED[name])
    if options.inplace and options.output:
        raise UserError("two places for the outputs", where=named("output"), fix=f"Drop it, or {named('inplace')}.")
    if options.backup_field == options.field:
        raise UserError("it is the field itself", where=named("backup_field"), fix="Name another one.")


_NEEDED = {
    "input": "Name a .json or .jsonl file, or a folder of them.",
    "instruction": "Say what is to be done with each record, or name a template.",
    "model": "Name the provider's model; for echo any word.",
}


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
