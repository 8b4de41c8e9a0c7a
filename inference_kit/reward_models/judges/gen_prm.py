"""GenPRM: an analysis of each step in a turn of its own, and how likely the model then boxes it as right.

Why: it reasons about a step before it judges it, with its judgements of the earlier steps before its eyes.
Source: Zhao et al. 2025, "GenPRM: Scaling Test-Time Compute of Process Reward Models via Generative Reasoning",
arXiv:2504.00891, and `genprm_inference.py` of github.com/RyanLiu112/GenPRM: a chat of steps and judgements, the
analysis, "<output>", the verdict behind "\\boxed{", Yes compared with No, several chains averaged. The Python that the
model may write to verify a step is not run here: this is the authors' `analyze` without `verify`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from inference_kit.records import Message, Prompt, StepScores
from inference_kit.reward_models.judges.verifier import Verifier, average

SYSTEM = "You are a math teacher. Your task is to review and critique the paragraphs in solution step by step."
OPENING = "<analyze>\nLet's analyze the Paragraph {number} step by step: "
END_OF_ANALYSIS = "</analyze>"
BEFORE_VERDICT = "</analyze>\n<output>\n**Judgement**: $\\boxed{"
BEHIND_VERDICT = "}$\n</output>\n"
KEPT = 4096
"""Judgements that are kept, of some thousand characters each."""
VERDICT = re.compile(r"\\boxed\{\s*(?:\\text\{\s*)?(?:(yes)|no)\b", flags=re.IGNORECASE)


class GenPRM(Verifier):
    """A chat in which each step is a turn, answered by an analysis and a verdict; a score for each step.

    The judgement that later steps see is that of the first chain, with its likelier verdict. What was written about the
    beginning of a solution is kept, so that a solution that grows costs one judgement for each new step.
    """

    kind = "gen_prm"
    words = ("Yes", "No")
    top_p = 0.95
    top_k = 20

    async def judge(self, question: str, steps: Sequence[str]) -> StepScores:
        """Judge the steps one after another; the tokens counted are those of all, however many were kept."""
        turns = [Message("system", SYSTEM)]
        judgements: list[Judgement] = []
        for number, step in enumerate(steps, start=1):
            turns.append(Message("user", step if judgements else f"Question: {question}\n\n{step}"))
            begun = (question, *steps[:number])
            judgement = self._kept.pop(begun, None)
            if judgement is None:
                judgement = await self._judge_last(turns, OPENING.replace("{number}", str(number)))
            self._keep(begun, judgement)
            judgements.append(judgement)
            turns.append(Message("assistant", judgement.text))
        return StepScores(tuple(each.score for each in judgements), sum(each.tokens for each in judgements))

    async def _judge_last(self, turns: Sequence[Message], opening: str) -> "Judgement":
        """Judge the step in the last turn."""
        if not self.local:
            chains = await self.write(Prompt(tuple(turns)))
            score = average([read_verdict(each.text) for each in chains])
            return Judgement(score, chains[0].text, sum(each.tokens for each in chains))
        prompt = Prompt(tuple(turns), prefix=opening)
        chains = await self.write(prompt, (END_OF_ANALYSIS,))
        replies = [f"{opening}{each.text}{BEFORE_VERDICT}" for each in chains]
        probabilities = await self.compare(prompt, replies)
        verdict = self.words[0] if probabilities[0] >= 0.5 else self.words[1]
        text = f"{replies[0]}{verdict}{BEHIND_VERDICT}"
        return Judgement(average(probabilities), text, sum(each.tokens for each in chains))

    def _keep(self, begun: tuple[str, ...], judgement: "Judgement") -> None:
        """Keep the judgement of the last step of a beginning; the least recently used goes first."""
        self._kept[begun] = judgement
        if len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]

    @cached_property
    def _kept(self) -> "dict[tuple[str, ...], Judgement]":
        return {}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found about one step: its score, the text that later steps see, and the tokens it cost."""

    score: float
    text: str
    tokens: int


def read_verdict(reply: str) -> float | None:
    """Read 1 for Yes and 0 for No from the last box of a reply; None without any."""
    found = list(VERDICT.finditer(reply))
    return (1.0 if found[-1][1] else 0.0) if found else None
