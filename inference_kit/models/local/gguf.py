"""GGUF: one file that holds weights, configuration, tokenizer and chat template, as llama.cpp reads them.

Why: many small models are published in this form only. The reader of `transformers` unpacks the weights into plain
numbers, and from there on such a model is one like any other.
Promises: a missing package, a damaged file, a part of a model and an architecture that the reader does not know are one
line each; nothing but the file itself is read, whatever lies beside it.
"""

import struct
from collections.abc import Mapping
from importlib.util import find_spec
from os import SEEK_CUR
from pathlib import Path
from typing import Any, BinaryIO

from loguru import logger

from inference_kit.errors import UserError, named

SUFFIX = ".gguf"
MAGIC = b"GGUF"
PROJECTOR = "mmproj"
"""How the names of files begin that hold what reads images, and no language model."""
OF_ARCHITECTURE = {
    "max_position_embeddings": "context_length",
    "attn_logit_softcapping": "attn_logit_softcapping",
}
"""Names of config.json, and those of the metadata behind the architecture's name."""
END_TOKENS = ("tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id")
"""The tokens that end a text, and those that end a turn of a chat."""
NUMBERS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
TEXT, LIST = 8, 9
LONGEST_TEXT = 1 << 26
"""What kinds of values metadata have, of numbers how they are packed; and how many bytes a text has at the most."""


def find_gguf(path: Path, setting: str) -> Path | None:
    """Return the GGUF file that `path` is, or the one in a folder without other weights; None where there is none.

    Raises:
        UserError: where a folder holds several, or the file is a part of a model.
    """
    if path.suffix.lower() == SUFFIX and not path.is_dir():
        found = [path]
    else:
        found = [each for each in sorted(path.glob(f"*{SUFFIX}")) if not each.name.startswith(PROJECTOR)]
    if not found:
        return None
    if "-of-" in found[0].name:
        raise UserError(
            "is a part of a model, and parts of GGUF files cannot be read",
            where=str(found[0]),
            fix="Merge them (llama-gguf-split --merge FIRST_PART OUTPUT), and give the whole file.",
        )
    if len(found) > 1:
        names = ", ".join(each.name for each in found[:8])
        raise UserError("several GGUF files in this folder", where=str(path), fix=f"Give one of them: {names}.")
    return _check_file(found[0], setting)


def _check_file(file: Path, setting: str) -> Path:
    """Refuse what is no GGUF file, such as a name without a file or the pointer of a repository."""
    if not file.is_file():
        raise UserError("no such file", where=str(file), fix=f"Set {named(setting)} to a GGUF file, or a folder.")
    with file.open("rb") as opened:
        if opened.read(len(MAGIC)) != MAGIC:
            raise UserError("is no GGUF file: it begins otherwise", where=str(file), fix="Fetch it again.")
    return file


def read_gguf_config(file: Path) -> Mapping[str, Any]:
    """Read from a file's metadata what has to be known before the weights load, by the names of config.json.

    The reader of `transformers` knows the rest, but takes many seconds for a large vocabulary.

    Raises:
        UserError: where the file is damaged.
    """
    try:
        metadata = _read_metadata(file)
        kind = metadata["general.architecture"]
        own = {name: metadata.get(f"{kind}.{key}") for name, key in OF_ARCHITECTURE.items()}
    except (struct.error, UnicodeDecodeError, KeyError, RecursionError) as error:
        raise UserError("this GGUF file is damaged", where=str(file), fix="Fetch it again.") from error
    ends = [metadata[key] for key in END_TOKENS if key in metadata]
    vocabulary = metadata.get("tokenizer.ggml.tokens")
    quantized = {"quant_method": "gguf"}
    return {"model_type": kind, **own, "vocab_size": vocabulary, "eos_token_id": ends, "quantization_config": quantized}


def read_gguf_template(file: Path) -> str:
    """Read the chat template in a file's metadata; empty where there is none."""
    return str(_read_metadata(file).get("tokenizer.chat_template") or "")


def _read_metadata(file: Path) -> dict[str, Any]:
    """Read a file's metadata; of a list only its length.

    The layout: magic, version, number of tensors, number of entries; then each entry as name, kind and value.
    """
    with file.open("rb") as opened:
        _, _, _, entries = struct.unpack("<4sIQQ", opened.read(24))
        return {_read_text(opened): _read_value(opened, *_unpack(opened, "<I")) for _ in range(entries)}


def _read_value(opened: BinaryIO, kind: int) -> Any:
    if kind in NUMBERS:
        return _unpack(opened, NUMBERS[kind])[0]
    if kind == TEXT:
        return _read_text(opened)
    if kind != LIST:
        raise KeyError(kind)
    kind, length = _unpack(opened, "<IQ")
    if kind in NUMBERS:
        opened.seek(length * struct.calcsize(NUMBERS[kind]), SEEK_CUR)
    else:
        for _ in range(length):
            _read_value(opened, kind)
    return length


def _read_text(opened: BinaryIO) -> str:
    (length,) = _unpack(opened, "<Q")
    if length > LONGEST_TEXT:  # a damaged length, for which the memory would not do
        raise KeyError(length)
    return opened.read(length).decode()


def _unpack(opened: BinaryIO, layout: str) -> tuple[Any, ...]:
    return struct.unpack(layout, opened.read(struct.calcsize(layout)))


def require_gguf(file: Path) -> None:
    """Refuse a file that cannot be read because the package is missing.

    Raises:
        UserError: with the command that installs it.
    """
    if find_spec("gguf") is None:
        raise UserError(
            "a GGUF file needs the package gguf, which is not installed",
            where=str(file),
            fix="Install it: pip install -r requirements-gguf.txt.",
        )


def build_gguf_setting(file: Path | None) -> dict[str, Any]:
    """Build the settings of `from_pretrained` that read a GGUF file into plain weights; none for other weights."""
    if file is None:
        return {}
    from transformers import GgufConfig, modeling_gguf_pytorch_utils

    # The only progress bar of `transformers` that its own switch does not turn off.
    vars(modeling_gguf_pytorch_utils)["tqdm"] = lambda items, **_: items
    return {"gguf_file": file.name, "quantization_config": GgufConfig(dequantize=True)}


def say_unpacked(file: Path, model: Any) -> None:
    """Say into which numbers the weights of a file were unpacked, and what they take up now."""
    there, here = file.stat().st_size, sum(each.numel() * each.element_size() for each in model.parameters())
    logger.info("{}, {:.0f} MB, is unpacked to {}: {:.0f} MB", file.name, there / 1e6, model.dtype, here / 1e6)
