"""GenPRM: an analysis of each step in a turn of its own, and how likely the model then boxes it as right.

Why: it reasons about a step before it judges it, with its judgements of the earlier steps before its eyes.
Source: Zhao et al. 2025, "GenPRM: Scaling Test-Time Compute of Process Reward Models via Generative Reasoning",
arXiv:2504.00891, and `genprm_inference.py` of github.com/RyanLiu112/GenPRM: a chat of steps and judgements, the
analysis, "<output>", the verdict behind "\\boxed{", Yes compared with No, several chains averaged. The Python that the
model may write to verify a step is not run here: this is the authors' `analyze` without `verify`.
"""

import re
from collections.abc import Sequence

from inference_kit.records import Message, Prompt, StepScores
from inference_kit.reward_models.judges.verifier import Verifier, average

SYSTEM = "You are a math teacher. Your task is to review and critique the paragraphs in solution step by step."
OPENING = "<analyze>\nLet's analyze the Paragraph {number} step by step: "
END_OF_ANALYSIS = "</analyze>"
BEFORE_VERDICT = "</analyze>\n<output>\n**Judgement**: $\\boxed{"
BEHIND_VERDICT = "}$\n</output>\n"
VERDICT = re.compile(r"\\boxed\{\s*(?:\\text\{\s*)?(?:(yes)|no)\b", flags=re.IGNORECASE)


class GenPRM(Verifier):
    """A chat in which each step is a turn, answered by an analysis and a verdict; a score for each step.

    The judgement that later steps see is that of the first chain, with its likelier verdict.
    """

    kind = "gen_prm"
    words = ("Yes", "No")
    top_p = 0.95
    top_k = 20

    async def judge(self, question: str, steps: Sequence[str]) -> StepScores:
        """Judge the steps one after another."""
        turns = [Message("system", SYSTEM)]
        scores: list[float] = []
        tokens = 0
        for number, step in enumerate(steps, start=1):
            turns.append(Message("user", step if scores else f"Question: {question}\n\n{step}"))
            score, judgement, written = await self._judge_step(turns, OPENING.replace("{number}", str(number)))
            turns.append(Message("assistant", judgement))
            scores.append(score)
            tokens += written
        return StepScores(tuple(scores), tokens)

    async def _judge_step(self, turns: Sequence[Message], opening: str) -> tuple[float, str, int]:
        """Return the score of the last turn's step, the judgement of the first chain, and the tokens written."""
        if not self.local:
            chains = await self.write(Prompt(tuple(turns)))
            score = average([read_verdict(each.text) for each in chains])
            return score, chains[0].text, sum(each.tokens for each in chains)
        prompt = Prompt(tuple(turns), prefix=opening)
        chains = await self.write(prompt, (END_OF_ANALYSIS,))
        replies = [f"{opening}{each.text}{BEFORE_VERDICT}" for each in chains]
        probabilities = await self.compare(prompt, replies)
        verdict = self.words[0] if probabilities[0] >= 0.5 else self.words[1]
        return average(probabilities), f"{replies[0]}{verdict}{BEHIND_VERDICT}", sum(each.tokens for each in chains)


def read_verdict(reply: str) -> float | None:
    """Read 1 for Yes and 0 for No from the last box of a reply; None without any."""
    found = list(VERDICT.finditer(reply))
    return (1.0 if found[-1][1] else 0.0) if found else None
