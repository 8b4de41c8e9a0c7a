"""The user's three registries and where they stand, as `main.py` hands them in.

Why: the house imports nothing that stands above it, so what users edit comes in as an argument.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from inference_kit.registry import Entry


@dataclass(frozen=True, slots=True)
class Registries:
    """`sft_model_groups`, `reward_model_groups` and `supported_dataset`, and the folder of `main.py`."""

    models: Mapping[str, Entry]
    reward_models: Mapping[str, Entry]
    datasets: Mapping[str, Entry]
    home: Path
