"""Heads: small layers on top of a language model that come in the same files, under names of their own.

Why: `transformers` knows the language model but not the head, and the code that comes with such weights is someone
else's; the layers are two lines, so they are built here.
Promises: shapes are known from the files' own tables, without torch and without reading a weight; no code that comes
with weights is run.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference_kit.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

Layer = tuple["Tensor", "Tensor | None"]
"""Weight and bias of a linear layer."""


class Headed:
    """A language model with a head: linear layers with ReLU between them; called like the model it stands on."""

    def __init__(self, base: Any, layers: Sequence[Layer]) -> None:
        self.config, self.device, self.dtype = base.config, base.device, base.dtype
        self._base = base
        self._layers = [
            (weight.to(base.device, base.dtype), None if bias is None else bias.to(base.device, base.dtype))
            for weight, bias in layers
        ]

    def __call__(self, **inputs: Any) -> "tuple[Tensor]":
        """The head's outputs of every token, (batch, tokens, outputs)."""
        from torch.nn.functional import linear, relu

        outputs = self._base(**inputs).last_hidden_state
        for number, (weight, bias) in enumerate(self._layers):
            outputs = linear(relu(outputs) if number else outputs, weight, bias)
        return (outputs,)


def head_outputs(folder: Path, pattern: str) -> int | None:
    """How many outputs a head has, from the tables of its files; None where there is no such head or no such table.

    Args:
        folder: The weights.
        pattern: A regular expression for the names of the head's weights, in which a group is the layer's number.
    """
    shapes: dict[str, list[int]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        shapes |= {name: entry["shape"] for name, entry in _table(path).items() if re.fullmatch(pattern, name)}
    return shapes[max(shapes, key=_layer_number)][0] if shapes else None


def load_head(folder: Path, pattern: str) -> list[Layer]:
    """The layers of a head, in order.

    Raises:
        UserError: where the files hold none.
    """
    tensors = _tensors(folder, pattern)
    if not tensors:
        raise UserError(
            f"these weights have no head (no {pattern!r})",
            where=str(folder),
            fix="Choose the format that the weights were made for.",
        )
    weights = sorted((name for name in tensors if name.endswith("weight")), key=_layer_number)
    return [(tensors[name], tensors.get(name.removesuffix("weight") + "bias")) for name in weights]


def _tensors(folder: Path, pattern: str) -> "dict[str, Tensor]":
    import torch
    from safetensors import safe_open

    wanted = re.compile(pattern.removesuffix("weight") + "(?:weight|bias)")
    found: dict[str, Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            found |= {name: file.get_tensor(name) for name in file.keys() if wanted.fullmatch(name)}  # noqa: SIM118
    for path in sorted(folder.glob("pytorch_model*.bin")) if not found else []:
        stored = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        found |= {name: tensor.clone() for name, tensor in stored.items() if wanted.fullmatch(name)}
    return found


def _table(path: Path) -> dict[str, Any]:
    """The names and shapes at the beginning of a safetensors file."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        table: dict[str, Any] = json.loads(file.read(size))
    return table


def _layer_number(name: str) -> int:
    return next((int(part) for part in name.split(".") if part.isdecimal()), 0)
