"""Heads: small layers on top of a language model, which come in the same files under names of their own.

Why: `transformers` knows the language model but not the head. The code that comes with such weights is someone else's
and is not run; the layers take two lines, so they are built here.
Promises: shapes are known from the headers of safetensors files, without torch and without reading a weight.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference_kit.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

LinearLayer = tuple["Tensor", "Tensor | None"]
"""Weight, (outputs, inputs), and bias, (outputs,)."""


class ModelWithHead:
    """A language model with a head: linear layers with ReLU between them; called like the model itself.

    Args:
        base: A `transformers` model that returns hidden states.
        layers: The head, in order; moved to the base's device and number format.
    """

    def __init__(self, base: Any, layers: Sequence[LinearLayer]) -> None:
        self.config, self.device, self.dtype = base.config, base.device, base.dtype
        self._base = base
        self._layers = [
            (weight.to(base.device, base.dtype), None if bias is None else bias.to(base.device, base.dtype))
            for weight, bias in layers
        ]

    def modules(self) -> Iterator[Any]:
        """Return the modules of the language model."""
        modules: Iterator[Any] = self._base.modules()
        return modules

    def __call__(self, **inputs: Any) -> "tuple[Tensor]":
        """Return the head's outputs for every token, (batch, tokens, outputs)."""
        from torch.nn.functional import linear, relu

        outputs = self._base(**inputs).last_hidden_state
        for number, (weight, bias) in enumerate(self._layers):
            outputs = linear(relu(outputs) if number else outputs, weight, bias)
        return (outputs,)


def count_head_outputs(folder: Path, pattern: str) -> int | None:
    """Count the outputs of a head; None where safetensors files hold no such head, or there are none of these.

    Args:
        folder: The weights.
        pattern: A regular expression for the names of the head's weights, in which a group is the layer's number.
    """
    shapes: dict[str, list[int]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        shapes |= {name: entry["shape"] for name, entry in _read_header(path).items() if re.fullmatch(pattern, name)}
    return shapes[max(shapes, key=_layer_number)][0] if shapes else None


def load_head(folder: Path, pattern: str) -> list[LinearLayer]:
    """Load the layers of a head, in order.

    Args:
        folder: The weights.
        pattern: As for `count_head_outputs`.

    Raises:
        UserError: where the files hold none.
    """
    tensors = _load_tensors(folder, pattern)
    if not tensors:
        raise UserError(
            f"these weights have no head (no {pattern!r})",
            where=str(folder),
            fix="Choose the format that the weights were made for.",
        )
    weights = sorted((name for name in tensors if name.endswith("weight")), key=_layer_number)
    return [(tensors[name], tensors.get(name.removesuffix("weight") + "bias")) for name in weights]


def _load_tensors(folder: Path, pattern: str) -> "dict[str, Tensor]":
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


def _read_header(path: Path) -> dict[str, Any]:
    """Read names and shapes from a safetensors file: 8 bytes of length, then so many bytes of JSON."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header: dict[str, Any] = json.loads(file.read(length))
    return header


def _layer_number(name: str) -> int:
    return next((int(part) for part in name.split(".") if part.isdecimal()), 0)
