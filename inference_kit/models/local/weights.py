"""Weights: a folder in Hugging Face layout, a GGUF file or a hub id; what can be known of it without loading it.

Why: a finished run is replayed, and a request is checked, without importing torch; so identity, context length and
generation settings are read from the small files alone.
Promises: what looks like a path is never tried as a hub id; what is missing is named together with what is there; the
identity changes when the configuration, the tokenizer, the chat template or the weights do, and not when the folder is
moved.
"""

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from inference_kit.errors import EngineError, UserError, named
from inference_kit.models.local.gguf import SUFFIX, find_gguf, read_gguf_config, require_gguf
from inference_kit.models.local.hub import SMALL_PATTERNS, Fetch, fetch_from_huggingface, is_local, locate

SMALL_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "tokenizer.model")
"""What is digested besides the weights."""
INDEX_FILES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
WEIGHT_FILES = ("*.safetensors", "pytorch_model*.bin")
WHOLE_FILES = ("model.safetensors", "pytorch_model.bin")
PIECES, PIECE_BYTES = 256, 1 << 18
"""How much of a large file is digested."""
ADAPTER_CONFIG = "adapter_config.json"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json")
CONTEXT_NAMES = ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length", "n_ctx")
"""What architectures call the longest sequence."""


@dataclass(frozen=True)
class Weights:
    """A model by its path; `revision` is a hub's branch, tag or commit."""

    path: str
    revision: str | None = None
    setting: str = "model_path"
    fetch: Fetch = fetch_from_huggingface

    @property
    def is_local(self) -> bool:
        """Whether the path is a folder of this machine (or is meant to be one)."""
        return is_local(self.path)

    @cached_property
    def gguf(self) -> Path | None:
        """The GGUF file that is the model, or that is in its folder and all the weights there; None for others."""
        if not self.is_local:
            return None
        path = locate(self.path)
        return None if path.is_dir() and self._find_weight_files(path) else find_gguf(path, self.setting)

    @cached_property
    def any_folder(self) -> Path:
        """The folder, whatever is in it, and that of a GGUF file; of a hub id the small files are fetched."""
        if self.gguf:
            return self.gguf.parent
        folder = locate(self.path) if self.is_local else self._fetch(SMALL_PATTERNS)
        if not folder.is_dir():
            raise UserError(
                "no such folder",
                where=self.path,
                fix=f"Set {named(self.setting)} to a folder with weights, a GGUF file, or a hub id.",
            )
        return folder

    @property
    def is_adapter(self) -> bool:
        """Whether there is an adapter and no model."""
        if self.gguf:
            return False
        return (self.any_folder / ADAPTER_CONFIG).is_file() and not (self.any_folder / "config.json").is_file()

    @property
    def has_tokenizer(self) -> bool:
        """Whether a tokenizer comes with it."""
        return self.gguf is not None or any((self.any_folder / name).is_file() for name in TOKENIZER_FILES)

    @cached_property
    def folder(self) -> Path:
        """The folder with at least the small files.

        Raises:
            UserError: naming what is missing.
        """
        folder = self.any_folder
        if not self.gguf and not (folder / "config.json").is_file():
            there = ", ".join(sorted(each.name for each in folder.iterdir())[:8]) or "nothing"
            raise UserError(
                "no config.json in this folder",
                where=self.path,
                fix=f"It holds {there}; {named(self.setting)} wants config.json, weights (*.safetensors) and "
                f"tokenizer.json, or a GGUF file, or {ADAPTER_CONFIG} and an adapter.",
            )
        return folder

    def fetch_all(self) -> Path:
        """Return the folder with the weights as well; of a hub id they are fetched now.

        Raises:
            UserError: where the folder holds no weights, or not all, or the package for a GGUF file is missing.
        """
        if self.gguf:
            require_gguf(self.gguf)
            return self.folder
        folder = self.folder if self.is_local else self._fetch(None)
        if not self._find_weight_files(folder):
            raise UserError(
                "no weights in this folder",
                where=str(folder),
                fix=f"Looked for *.safetensors and pytorch_model*.bin; set {named(self.setting)} to the folder that "
                "has them.",
            )
        index = next((folder / name for name in INDEX_FILES if (folder / name).is_file()), None)
        if index is not None and not (folder / "model.safetensors").is_file():
            self._check_parts(index)
        if index is None and not any((folder / name).is_file() for name in WHOLE_FILES):
            self._check_no_parts(folder)
        return folder

    def fetch_tokenizer(self) -> Path:
        """Return the folder with the tokenizer; of a hub id all files are fetched now.

        Raises:
            UserError: where there is none.
        """
        folder = self.any_folder if self.is_local else self._fetch(None)
        if not self.has_tokenizer:
            raise UserError(
                f"no tokenizer in this folder (none of {', '.join(TOKENIZER_FILES)})",
                where=str(folder),
                fix="Put the model's own beside the weights.",
            )
        return folder

    def _check_no_parts(self, folder: Path) -> None:
        """Refuse the parts of weights where no index says what is in each."""
        parts = [path for path in self._find_weight_files(folder) if "-of-" in path.name]
        if parts:
            index = INDEX_FILES[parts[0].suffix == ".bin"]
            raise UserError(
                f"{parts[0].name} is a part of weights, and no index says what is in each",
                where=str(folder),
                fix=f"Fetch {index} of this model, which belongs beside them.",
            )

    def _check_parts(self, index: Path) -> None:
        """Refuse weights of which a file is missing that the index names."""
        named = set(self._read_json(index.name).get("weight_map", {}).values())
        missing = sorted(name for name in named if not (index.parent / name).is_file())
        if missing or not named:
            found = f"{len(missing)} of {len(named)} files are missing, such as {missing[0]}" if missing else "is empty"
            raise UserError(found, where=str(index), fix="Fetch the model again.")

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """config.json; of a multimodal model its part on text."""
        text: Mapping[str, Any] = self.whole_config.get("text_config") or self.whole_config
        return text

    @cached_property
    def whole_config(self) -> Mapping[str, Any]:
        """config.json, or what a GGUF file has in its place."""
        return read_gguf_config(self.gguf) if self.gguf else self._read_json("config.json")

    @property
    def architectures(self) -> tuple[str, ...]:
        """The names of the model's classes; empty where config.json does not tell."""
        return tuple(self.whole_config.get("architectures") or ())

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of a classification head's labels; two where config.json does not tell, as in `transformers`."""
        names: Mapping[str, str] = self.whole_config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
        return tuple(names[number] for number in sorted(names, key=int))

    @property
    def context_length(self) -> int | None:
        """The longest sequence the model was made for, in tokens; None where config.json does not tell.

        YaRN and dynamic NTK stretch positions by a factor: the former what `original_max_position_embeddings` names,
        where it is there. Other kinds of scaling are in the length that the configuration gives.
        """
        length = next((int(self.config[name]) for name in CONTEXT_NAMES if self.config.get(name)), None)
        rope = self.config.get("rope_parameters") or self.config.get("rope_scaling") or {}
        rope = rope.get("full_attention") or rope
        kind = rope.get("rope_type") or rope.get("type")
        if length is None or kind not in ("yarn", "dynamic"):
            return length
        unscaled = int((kind == "yarn" and rope.get("original_max_position_embeddings")) or length)
        return max(length, int(unscaled * float(rope.get("factor") or 1)))

    @property
    def vocabulary(self) -> int:
        """How many tokens the model knows; no limit where config.json does not tell."""
        return int(self.config.get("vocab_size") or sys.maxsize)

    def check_ids(self, ids: Sequence[int]) -> None:
        """Refuse a text with tokens that are not in the model's vocabulary.

        Raises:
            EngineError: with both sizes.
        """
        if ids and max(ids) >= self.vocabulary:
            raise EngineError(
                f"the tokenizer made token {max(ids)} of this text, and {self.name} knows {self.vocabulary}",
                fix="Use the tokenizer that belongs to the weights.",
            )

    @cached_property
    def generation(self) -> Mapping[str, Any]:
        """generation_config.json, empty where there is none."""
        if self.gguf:
            return {}
        return self._read_json("generation_config.json") if (self.folder / "generation_config.json").is_file() else {}

    @cached_property
    def digest(self) -> str:
        """16 hex digits over small files and weights; of a file over 64 MiB its size and 256 pieces."""
        found = hashlib.sha256()
        if not self.is_local:
            found.update(f"{self.path}@{self.folder.name}".encode())
        for path in self._list_digested():
            if path.is_file():
                found.update(f"{path.name}:{path.stat().st_size}:".encode())
                found.update(digest_samples(path))
        return found.hexdigest()[:16]

    def _list_digested(self) -> list[Path]:
        """List the files that the identity depends on, where they are there."""
        if self.gguf:
            return [self.gguf]
        return [self.folder / name for name in SMALL_FILES] + self._find_weight_files(self.folder) * self.is_local

    @property
    def name(self) -> str:
        """The last part of the path, without the suffix of a GGUF file."""
        return name_weights(self.path)

    @staticmethod
    def _find_weight_files(folder: Path) -> list[Path]:
        found = (path for pattern in WEIGHT_FILES for path in folder.glob(pattern))
        return sorted(path for path in found if not path.name.startswith("adapter_model"))

    def _read_json(self, name: str) -> Mapping[str, Any]:
        return read_json_object(self.folder / name)

    def _fetch(self, patterns: Sequence[str] | None) -> Path:
        return self.fetch(self.path, self.revision, patterns, self.setting)


def name_weights(path: str) -> str:
    """Return what a model is called by its path: the last part, without the suffix of a GGUF file."""
    place = Path(path).expanduser()
    return place.stem if place.suffix.lower() == SUFFIX else place.name


def read_json_object(path: Path) -> Mapping[str, Any]:
    """Read the JSON object in one of a model's small files.

    Raises:
        UserError: where there is none.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"cannot be read: {error}", where=str(path), fix="Fetch the model again.") from error
    if not isinstance(data, dict):
        raise UserError("holds no JSON object", where=str(path), fix="Fetch the model again.")
    return data


def digest_samples(path: Path) -> bytes:
    """Digest a file; of a large one, pieces at even distances, so that each layer is in it."""
    size = path.stat().st_size
    found = hashlib.sha256()
    with path.open("rb") as file:
        if size <= PIECES * PIECE_BYTES:
            found.update(file.read())
        else:
            for number in range(PIECES):
                file.seek((size - PIECE_BYTES) * number // (PIECES - 1))
                found.update(file.read(PIECE_BYTES))
    return found.digest()
