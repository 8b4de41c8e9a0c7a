"""Write a trained model as a folder in Hugging Face layout, small enough to live in the repository.

Why: users should find a model that runs without a download.
Promises: `AutoModelForCausalLM` and `AutoTokenizer` load the folder as it is; the weights are bfloat16. A CARD.md in it
stays.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

BUNDLED = Path(__file__).parents[1] / "inference_kit" / "bundled"
POLICY = BUNDLED / "abacus"
REWARD_MODEL = BUNDLED / "abacus_prm"
MAX_NEW_TOKENS = 192


def publish(model: "LlamaForCausalLM", tokenizer: "PreTrainedTokenizerFast", folder: Path) -> None:
    """Save weights, configuration, sampling defaults and tokenizer."""
    from transformers import GenerationConfig

    model.generation_config = GenerationConfig(
        do_sample=True,
        temperature=1.0,
        top_k=0,
        max_new_tokens=MAX_NEW_TOKENS,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model.bfloat16().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
