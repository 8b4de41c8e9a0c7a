"""Weights: a folder in Hugging Face layout or a hub id; what can be known of it without loading it.

Why: a finished run is replayed, and a request is checked, without importing torch; so identity, context length and
generation settings are read from the small files alone.
Promises: what looks like a path is never tried as a hub id; what is missing is named together with what is there; the
identity changes when the configuration, the tokenizer, the chat template or the weights do, and not when the folder is
moved.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from loguru import logger

from inference_kit.errors import UserError

SMALL_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "tokenizer.model")
WEIGHT_FILES = ("*.safetensors", "pytorch_model*.bin")
PIECES, PIECE_BYTES = 256, 1 << 18
CONTEXT_NAMES = ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length", "n_ctx")


@dataclass(frozen=True)
class Weights:
    """A model by its path; `revision` is a hub's branch, tag or commit."""

    path: str
    revision: str | None = None
    flag: str = "--model-path"

    @property
    def is_local(self) -> bool:
        """Whether the path is a folder of this machine (or is meant to be one)."""
        return self.path.startswith((".", "/", "~")) or Path(self.path).expanduser().exists()

    @cached_property
    def folder(self) -> Path:
        """The folder with at least the small files; those of a hub id are fetched.

        Raises:
            UserError: naming what is missing.
        """
        folder = Path(self.path).expanduser() if self.is_local else self._from_hub(["*.json", "*.jinja", "*.model"])
        if not folder.is_dir():
            raise UserError(
                "no such folder", where=self.path, fix=f"Set {self.flag} to a folder with weights, or a hub id."
            )
        if not (folder / "config.json").is_file():
            there = ", ".join(sorted(each.name for each in folder.iterdir())[:8]) or "nothing"
            raise UserError(
                "no config.json in this folder",
                where=self.path,
                fix=f"It holds {there}; {self.flag} wants config.json, weights (*.safetensors) and tokenizer files.",
            )
        return folder

    def whole_folder(self) -> Path:
        """The folder with the weights as well; those of a hub id are fetched now.

        Raises:
            UserError: where the folder holds no weights.
        """
        folder = self.folder if self.is_local else self._from_hub(None)
        if not self._weight_files(folder):
            raise UserError(
                "no weights in this folder",
                where=str(folder),
                fix=f"Looked for *.safetensors and pytorch_model*.bin; set {self.flag} to the folder that has them.",
            )
        return folder

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """config.json; of a multimodal model its part on text."""
        config = self._json("config.json")
        text: Mapping[str, Any] = config.get("text_config") or config
        return text

    @property
    def context_length(self) -> int | None:
        """The longest sequence the model was made for, in tokens; None where config.json does not tell."""
        return next((int(self.config[name]) for name in CONTEXT_NAMES if self.config.get(name)), None)

    @cached_property
    def generation(self) -> Mapping[str, Any]:
        """generation_config.json, empty where there is none."""
        return self._json("generation_config.json") if (self.folder / "generation_config.json").is_file() else {}

    @cached_property
    def digest(self) -> str:
        """16 hex digits over small files and weights; of a file over 64 MiB its size and 256 pieces."""
        found = hashlib.sha256()
        if not self.is_local:
            found.update(f"{self.path}@{self.folder.name}".encode())
        for path in [self.folder / name for name in SMALL_FILES] + self._weight_files(self.folder) * self.is_local:
            if path.is_file():
                found.update(f"{path.name}:{path.stat().st_size}:".encode())
                found.update(_sample(path))
        return found.hexdigest()[:16]

    @property
    def name(self) -> str:
        """The last part of the path."""
        return Path(self.path).expanduser().name

    @staticmethod
    def _weight_files(folder: Path) -> list[Path]:
        return sorted(path for pattern in WEIGHT_FILES for path in folder.glob(pattern))

    def _json(self, name: str) -> Mapping[str, Any]:
        path = self.folder / name
        try:
            data: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"cannot be read: {error}", where=str(path), fix="Fetch the model again.") from error
        return data

    def _from_hub(self, patterns: list[str] | None) -> Path:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

        try:
            return Path(snapshot_download(self.path, revision=self.revision, allow_patterns=patterns))
        except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
            raise UserError(
                f"{self.path!r} is no folder here and could not be fetched as a hub id ({_first_line(error)})",
                where=self.flag,
                fix="Check the id and the network, or give a local folder.",
            ) from error


def load_tokenizer(weights: Weights, *, trust_remote_code: bool = False) -> Any:
    """The tokenizer of `weights`.

    Raises:
        UserError: where it does not load.
    """
    from transformers import AutoTokenizer

    folder = weights.folder if weights.is_local else weights.whole_folder()
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
    except (OSError, ValueError, ImportError) as error:
        raise UserError(f"the tokenizer does not load: {_first_line(error)}", where=str(folder)) from error
    tokenizer.model_max_length = (
        sys.maxsize
    )  # lengths are checked against the model, with an error instead of a warning
    return tokenizer


def load_model(
    weights: Weights,
    auto_class: str,
    *,
    dtype: str = "auto",
    device: str = "auto",
    device_map: str | None = None,
    attention: str = "auto",
    trust_remote_code: bool = False,
) -> Any:
    """A model of `weights` by the `transformers` auto class of that name, ready to run.

    Raises:
        UserError: where the weights, the device or the number format are not to be had.
    """
    import transformers
    from safetensors import SafetensorError

    folder = weights.whole_folder()
    place = choose_device(device)
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model = getattr(transformers, auto_class).from_pretrained(
            folder,
            dtype=choose_dtype(dtype, place, weights.config),
            attn_implementation=choose_attention(attention, weights.config),
            device_map=device_map,
            trust_remote_code=trust_remote_code,
        )
    except (OSError, ValueError, ImportError, SafetensorError) as error:
        raise UserError(f"the weights do not load: {_first_line(error)}", where=str(folder)) from error
    if device_map is None:
        model.to(place)
    logger.info("{} is loaded: {}, {}", weights.name, model.device, model.dtype)
    return model.eval()


def choose_device(wanted: str) -> str:
    """The device to use: `auto` takes CUDA, then MPS, then the CPU.

    Raises:
        UserError: where the wanted one is not there.
    """
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(name for name, available in there.items() if available)
    if not there.get(wanted.partition(":")[0], False):
        available = ", ".join(name for name, is_there in there.items() if is_there)
        raise UserError(f"device {wanted!r} is not here", where="--device", fix=f"Available: {available}.")
    return wanted


def choose_attention(wanted: str, config: Mapping[str, Any]) -> str | None:
    """The attention kernel by `transformers`' name; `auto` (None) is sdpa where the architecture has it, else eager.

    Raises:
        UserError: for an unknown kernel, and for sdpa with soft-capped attention scores, which it would leave uncapped.
    """
    capped = config.get("attn_logit_softcapping") is not None
    if wanted == "sdpa" and capped:
        raise UserError(
            "sdpa cannot cap attention scores, as this model needs",
            where="--attn-implementation",
            fix="Use auto or eager.",
        )
    if wanted == "auto":
        return "eager" if capped else None
    if wanted in ("sdpa", "eager"):
        return wanted
    raise UserError(
        f"unknown attn_implementation {wanted!r}",
        where="--attn-implementation",
        fix="Known: auto, sdpa, eager; sdpa takes PyTorch's own fused kernels.",
    )


def choose_dtype(wanted: str, device: str, config: Mapping[str, Any]) -> Any:
    """The torch type of the weights: `auto` takes the model's own on an accelerator and float32 on the CPU."""
    import torch

    types = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
    if wanted in types:
        return types[wanted]
    if wanted != "auto":
        raise UserError(f"unknown dtype {wanted!r}", where="--dtype", fix=f"Known: auto, {', '.join(types)}.")
    own = str(config.get("dtype") or config.get("torch_dtype") or "bfloat16")
    return torch.float32 if device == "cpu" else types.get(own, torch.bfloat16)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]


def _sample(path: Path) -> bytes:
    """The digest of a file; of a large one, of pieces at even distances, which lie in every layer."""
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
