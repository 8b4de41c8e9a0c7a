"""Train the policy, inference_kit/bundled/abacus: a language model that is weak on purpose.

Why: search can only show what it is worth on a model that is often wrong and sometimes right. So training stops early,
and sampling at temperature 1 stays diverse.
"""

from training.loop import Recipe, train
from training.publish import POLICY, publish
from training.tokenizer import build_tokenizer

RECIPE = Recipe(seed=1, tokens=8_000_000)

if __name__ == "__main__":
    tokenizer = build_tokenizer()
    publish(train(RECIPE, tokenizer), tokenizer, POLICY)
