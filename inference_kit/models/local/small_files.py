"""Small files beside the weights: what else a reply depends on, and the text of the chat template.

Why: a few models have code, tokenizers or templates in files that most models do not have, or do not read.
Promises: what is not there, or is not read, leaves no trace, so the identity of most models is what it was before these
files counted; a hub's commit stands for all of its files, and a GGUF file for itself.
"""

import hashlib
import json
from collections.abc import Iterator

from inference_kit.models.local.gguf import read_gguf_template
from inference_kit.models.local.weights import TOKENIZER_FILES, Weights, digest_samples, read_json_object

SLOW_TOKENIZER_FILES = ("vocab.json", "merges.txt")
"""What a tokenizer is made of where there is no tokenizer.json."""
ADDED_TOKEN_FILES = ("added_tokens.json", "special_tokens_map.json")
"""Where added tokens stand if tokenizer_config.json has no list of them."""
TEMPLATE_FILES = ("chat_template.jinja", "chat_template.json", "tokenizer_config.json")
"""Where a chat template stands, the first of them that has one."""


def read_chat_template(weights: Weights) -> str:
    """Read the text of the chat template, or of all where there are several; empty where there is none."""
    if weights.gguf:
        return read_gguf_template(weights.gguf)
    for path in map(weights.any_folder.joinpath, TEMPLATE_FILES):
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            given = read_json_object(path).get("chat_template") if path.suffix == ".json" else text
            if given:
                return given if isinstance(given, str) else json.dumps(given)
    return ""


def digest_further_files(weights: Weights) -> str:
    """Digest files of older tokenizers and templates that are read, as 16 hex digits; empty where there are none."""
    return _digest(weights, _list_further_files(weights))


def digest_code(weights: Weights) -> str:
    """Digest the code that comes with the weights, as 16 hex digits; empty where there is none."""
    names = sorted(path.name for path in weights.folder.glob("*.py")) if weights.is_local else []
    return _digest(weights, iter(names))


def digest_tokenizer(weights: Weights) -> str:
    """Digest the tokenizer and its chat template, as 16 hex digits; empty where there are none."""
    return _digest(weights, iter((*TOKENIZER_FILES, "chat_template.jinja")))


def _list_further_files(weights: Weights) -> Iterator[str]:
    folder = weights.any_folder
    config = folder / "tokenizer_config.json"
    if not (folder / "tokenizer.json").is_file():
        yield from SLOW_TOKENIZER_FILES
    if not config.is_file() or "added_tokens_decoder" not in read_json_object(config):
        yield from ADDED_TOKEN_FILES
    if not (folder / "chat_template.jinja").is_file():
        yield "chat_template.json"


def _digest(weights: Weights, names: Iterator[str]) -> str:
    """Digest those of the files that are there."""
    if not weights.is_local or weights.gguf:
        return ""
    found = hashlib.sha256()
    paths = [path for path in map(weights.any_folder.joinpath, names) if path.is_file()]
    for path in paths:
        found.update(f"{path.name}:{path.stat().st_size}:".encode() + digest_samples(path))
    return found.hexdigest()[:16] if paths else ""
