"""The user's three registries and where they stand, as whoever asks hands them in.

Why: the house imports nothing that stands above it, so what users edit comes in as an argument.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from inference_kit.registry import Entry


@dataclass(frozen=True, slots=True)
class Registries:
    """Models, reward models and data sets by name; `home` is the folder in which models may have config files."""

    models: Mapping[str, Entry]
    reward_models: Mapping[str, Entry]
    datasets: Mapping[str, Entry] = field(default_factory=dict)
    home: Path | None = None
