"""Adapters: LoRA weights of a few megabytes, applied to the base model that they were trained on.

Why: fine-tuned models are shared as what changed; a folder of that kind should load like any model.
Promises: an adapter whose shapes do not fit the base is refused with both names and the first layer that does not fit;
where only the name of its base differs, there is a warning. Several adapters add up, in the order given. The digest
changes when an adapter does.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from loguru import logger

from inference_kit.errors import UserError, first_line, named
from inference_kit.models.local.hub import Fetch, fetch_from_huggingface, is_local
from inference_kit.models.local.weights import ADAPTER_CONFIG, Weights, digest_samples, read_json_object

BASE_SETTINGS = {"model_path": "base_model", "reward_model_path": "reward_base_model"}
"""The setting that names the base, by the one that an adapter was given by."""
WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")


@dataclass(frozen=True)
class Adapter:
    """A LoRA adapter by its folder or hub id."""

    path: str
    setting: str = "adapter_path"
    fetch: Fetch = fetch_from_huggingface

    @cached_property
    def folder(self) -> Path:
        """The folder with the adapter.

        Raises:
            UserError: naming what is missing and what is there.
        """
        folder = (
            Path(self.path).expanduser() if is_local(self.path) else self.fetch(self.path, None, None, self.setting)
        )
        if not folder.is_dir():
            raise UserError(
                "no such folder", where=self.path, fix=f"Set {named(self.setting)} to a folder with an adapter."
            )
        if not (folder / ADAPTER_CONFIG).is_file() or not self._find_weight_files(folder):
            there = ", ".join(sorted(each.name for each in folder.iterdir())[:8]) or "nothing"
            raise UserError(
                "no adapter in this folder",
                where=self.path,
                fix=f"It holds {there}; {named(self.setting)} wants {ADAPTER_CONFIG} and {WEIGHTS[0]}.",
            )
        return folder

    @cached_property
    def base(self) -> str:
        """The model that it was trained on, as its own configuration names it; empty where it does not.

        Raises:
            UserError: for an adapter that is no LoRA.
        """
        path = self.folder / ADAPTER_CONFIG
        config = read_json_object(path)
        kind = config.get("peft_type")
        if kind != "LORA":
            raise UserError(f"an adapter of kind {kind}; this engine loads LORA", where=str(path))
        return config.get("base_model_name_or_path") or ""

    @property
    def task(self) -> str:
        """What it was trained for, by peft's name such as SEQ_CLS; empty where it does not say."""
        return read_json_object(self.folder / ADAPTER_CONFIG).get("task_type") or ""

    @property
    def saved_layers(self) -> tuple[str, ...]:
        """The layers that come whole and not as what changed."""
        return tuple(read_json_object(self.folder / ADAPTER_CONFIG).get("modules_to_save") or ())

    @property
    def name(self) -> str:
        """The last part of the path."""
        return Path(self.path).expanduser().resolve().name if is_local(self.path) else self.path

    @cached_property
    def digest(self) -> str:
        """16 hex digits over configuration and weights."""
        found = hashlib.sha256((self.folder / ADAPTER_CONFIG).read_bytes())
        for path in self._find_weight_files(self.folder):
            found.update(digest_samples(path))
        return found.hexdigest()[:16]

    @staticmethod
    def _find_weight_files(folder: Path) -> list[Path]:
        return [folder / name for name in WEIGHTS if (folder / name).is_file()]


def resolve_adapters(
    given: Weights, adapter_path: str | None, base_model: str | None, setting: str = "base_model"
) -> tuple[Weights, tuple[Adapter, ...]]:
    """Find the base model and its adapters: `given` itself where it is one, then those of `adapter_path`.

    `setting` is the one that names a base.

    Raises:
        UserError: where an adapter does not say what its base is and nobody else does.
    """
    names = [name.strip() for name in (adapter_path or "").split(",") if name.strip()]
    adapters = [Adapter(name, fetch=given.fetch) for name in names]
    if not given.is_adapter:
        return given, tuple(adapters)
    first = Adapter(given.path, given.setting, given.fetch)
    base = base_model or first.base
    if not base:
        raise UserError(
            "this adapter does not say which model it belongs to", where=given.path, fix=f"Set {named(setting)}."
        )
    return Weights(base, setting=setting, fetch=given.fetch), (first, *adapters)


def warn_of_other_bases(base: Weights, adapters: Sequence[Adapter]) -> None:
    """Warn of each adapter that names another base; it may fit all the same, by its shapes."""
    for adapter in adapters:
        if adapter.base and Path(adapter.base).name != base.name:
            logger.warning("adapter {} was made for {}, not for {}", adapter.name, adapter.base, base.name)


def apply_adapters(model: Any, base: Weights, adapters: Sequence[Adapter], *, merge: bool) -> Any:
    """Apply adapters to a model: added into its weights, or computed beside them where not `merge`.

    Returns:
        The model to run, which is another object than `model`.

    Raises:
        UserError: for an adapter that was made for another model.
    """
    from peft import PeftModel

    _check_saved_layers(adapters)
    names = [f"adapter_{number}" for number in range(len(adapters))]
    adapted: Any = None
    for name, adapter in zip(names, adapters, strict=True):
        layers = _check_layers(model, base, adapter)
        try:
            if adapted is None:
                adapted = PeftModel.from_pretrained(model, str(adapter.folder), adapter_name=name)
            else:
                adapted.load_adapter(str(adapter.folder), adapter_name=name)
        except (RuntimeError, ValueError) as error:  # such as for a vocabulary that was enlarged, saved whole beside it
            reason = str(error).strip().split("\n")
            raise _explain_misfit(base, adapter, reason[min(1, len(reason) - 1)].strip()) from error
        if without := _find_adapted_layers(adapted, name) - layers:
            raise _explain_misfit(base, adapter, f"the base has {min(without)}, and the adapter has nothing for it")
        logger.info("adapter {} is on {}", adapter.name, base.name)
    adapted.base_model.set_adapter(names)
    if not merge:
        return adapted.base_model.model
    _prepare_to_merge(adapted)
    return adapted.merge_and_unload()


def _check_saved_layers(adapters: Sequence[Adapter]) -> None:
    """Refuse two adapters that each bring the whole of one layer, such as a head: these cannot add up."""
    owners: dict[str, Adapter] = {}
    for adapter in adapters:
        for layer in adapter.saved_layers:
            if layer in owners:
                raise UserError(
                    f"adapters {owners[layer].name} and {adapter.name} each bring a whole {layer}; one can hold",
                    where=named(adapter.setting),
                    fix="Leave one of them out.",
                )
            owners[layer] = adapter


def _prepare_to_merge(adapted: Any) -> None:
    """Give each adapted layer what its adapter changes: a weight that no other layer reads, and room for a bias."""
    import torch

    wrapped = [module for module in adapted.modules() if hasattr(module, "get_base_layer")]
    bases = [module.get_base_layer() for module in wrapped]
    n_owners = Counter(id(each) for module in adapted.modules() for each in module._parameters.values())
    for layer, base in zip(wrapped, bases, strict=True):
        if "weight" in base._parameters and n_owners[id(base.weight)] > 1:  # embeddings that are the head as well
            n_owners[id(base.weight)] -= 1
            base.weight = torch.nn.Parameter(base.weight.detach().clone(), requires_grad=False)
        if any(layer.lora_bias.values()) and base.bias is None:
            base.bias = torch.nn.Parameter(base.weight.new_zeros(layer.out_features), requires_grad=False)


def _check_layers(model: Any, base: Weights, adapter: Adapter) -> set[str]:
    """Compare each matrix of an adapter with its layer of the base, and return the names of these layers.

    Of a layer that maps `in` numbers to `out`, LoRA learns B A with A of (rank, in) and B of (out, rank).
    """
    from peft import load_peft_weights
    from safetensors import SafetensorError

    layers: set[str] = set()
    try:
        stored = load_peft_weights(str(adapter.folder), device="cpu")
    except (OSError, RuntimeError, SafetensorError, UnpicklingError) as error:
        raise UserError(
            f"the adapter's weights do not load: {first_line(error)}",
            where=str(adapter.folder),
            fix="Fetch the adapter again.",
        ) from error
    for key, tensor in stored.items():
        layer, found, matrix = key.removeprefix("base_model.model.").partition(".lora_")
        if not found or matrix[0] not in "AB":
            continue
        layers.add(layer)
        if _find_parameters(model, layer):  # such as experts, which are one parameter; peft compares these itself
            continue
        wanted = _find_sizes(model, layer)
        size = tensor.shape[1] if matrix[0] == "A" else tensor.shape[0]
        if wanted is None or size != wanted["AB".index(matrix[0])]:
            there = "the base has no such layer" if wanted is None else f"the base's layer is {list(wanted)}"
            raise _explain_misfit(base, adapter, f"{layer}.lora_{matrix[0]} is {list(tensor.shape)} and {there}")
    return layers


def _find_adapted_layers(adapted: Any, name: str) -> set[str]:
    """Find the layers that peft prepared for the adapter of that name."""
    layers = adapted.base_model.model.named_modules()
    return {layer for layer, module in layers if name in getattr(module, "lora_A", ())}


def _find_parameters(model: Any, layer: str) -> bool:
    """Tell whether a layer has parameters of its own and no weight; adapters of two of them are nested."""
    try:
        module = model.get_submodule(layer.removesuffix(".base_layer"))
    except AttributeError:
        return False
    return bool(module._parameters) and "weight" not in module._parameters


def _find_sizes(model: Any, layer: str) -> tuple[int, int] | None:
    """Return how many numbers go into a layer and come out of it; None where there is no such layer."""
    try:
        module = model.get_submodule(layer)
    except AttributeError:
        return None
    if hasattr(module, "in_features"):
        return module.in_features, module.out_features
    return tuple(module.weight.shape)


def _explain_misfit(base: Weights, adapter: Adapter, reason: str) -> UserError:
    made_for = f"It was made for {adapter.base}: set that as" if adapter.base else "Set the model it was made for as"
    return UserError(
        f"adapter {adapter.name} does not fit {base.name}: {reason}",
        where=named(adapter.setting),
        fix=f"{made_for} {named(BASE_SETTINGS.get(adapter.setting, 'model_path'))}.",
    )
