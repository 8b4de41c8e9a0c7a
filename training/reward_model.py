"""Train the reward model, inference_kit/bundled/abacus_prm: the same kind of language model, trained further.

Why: a classification head on a tiny causal model hardly learns to tell right steps from wrong ones, but the
likelihood under a better language model does. After step t the score is exp(beta * sum of ln p over all tokens of steps
1..t), in (0, 1].
Source: generative and implicit process rewards, Yuan et al. 2024, "Free Process Rewards without Process Labels",
arXiv:2412.01981, here with a uniform reference model.
"""

from training.loop import Recipe, train
from training.publish import REWARD_MODEL, publish
from training.tokenizer import build_tokenizer

FIRST = Recipe(seed=2, tokens=17_000_000, decay_share=0.5)
SECOND = Recipe(seed=3, tokens=14_000_000, decay_share=0.5, threads=2)
"""A second round from the first one's weights: learning rates rise again and fall, on problems of another seed."""

if __name__ == "__main__":
    tokenizer = build_tokenizer()
    publish(train(SECOND, tokenizer, start=train(FIRST, tokenizer)), tokenizer, REWARD_MODEL)
