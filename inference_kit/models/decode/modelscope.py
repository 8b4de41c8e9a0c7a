"""ModelScope: models of modelscope.cn by id, run by the Hugging Face engine.

Why: the weights are in the same layout; only where they are fetched from differs.
Promises: what was fetched before, and a local folder, need neither the network nor the package.
"""

from inference_kit.models.decode.huggingface import HuggingFace
from inference_kit.models.local.hub import fetch_from_modelscope, find_of_modelscope


class ModelScope(HuggingFace):
    """A model of ModelScope by its id, or a local folder; everything else is as with `huggingface`."""

    fetch = staticmethod(fetch_from_modelscope)
    find = staticmethod(find_of_modelscope)
