"""ThinkPRM: a chain of thought about all steps, and one score, how likely it then calls the solution correct.

Why: it writes about each step before it judges, and needs no head.
Source: Khalifa et al. 2025, "Process Reward Models That Think", arXiv:2504.16828, and `thinkprm_api.py` and `helper.py`
of github.com/mukhal/ThinkPRM: the chain is stopped at "Is the solution correct?", this is written behind it, and Yes is
compared with No; the score of several chains is the mean.
"""

import re
from collections.abc import Sequence

from inference_kit.models.local.devices import Placement
from inference_kit.records import Message, Prompt, StepScores
from inference_kit.registry import flatten_settings
from inference_kit.reward_models.judges.verifier import ChainSettings, Verifier, average
from inference_kit.templates import fill

TEMPLATE = """You are given a math problem and a proposed step-by-step solution:

[Math Problem]

{problem}

[Solution]

{solution}

Review and critique each step in the proposed solution to determine whether each step is correct. \
If the solution is incomplete, only verify the provided steps."""
OPENING = "\nLet's verify step by step:"
QUESTION = "Is the solution correct?"
END_OF_THINKING = "</think>"
OWN_NUMBER = re.compile(r"^(?:#+ *)?Step \d+: *")
"""What a policy may call its steps, which are numbered here."""
STEP_VERDICT = re.compile(r"\\boxed\{\s*(?:\\text\{\s*)?(in)?correct\s*\}", flags=re.IGNORECASE)
VERDICT = re.compile(rf"{re.escape(QUESTION)}\W*(?:(yes)|no)\b", flags=re.IGNORECASE)


class ThinkPRM(Verifier):
    r"""The solution's steps, numbered, in one question; one score for the solution so far, P(Yes) against P(No).

    Args:
        opening: How the chain begins, of weights on this machine.
        per_step: A score for each step instead: the share of chains that box it as correct, \boxed{correct}.
    """

    kind = "think_prm"
    words = (" Yes", " No")

    @flatten_settings
    def __init__(
        self,
        model_path: str,
        *,
        opening: str = OPENING,
        per_step: bool = False,
        chains: ChainSettings = ChainSettings(verdict_tokens=4096, temperature=0.0),
        placement: Placement = Placement(),
    ) -> None:
        super().__init__(model_path, chains=chains, placement=placement)
        self._opening, self._per_step = opening, per_step

    @property
    def identity(self) -> str:  # type: ignore[override]
        """The model's identity, how its chains are written, and whether steps have scores of their own."""
        return f"{super().identity}:{self._opening!r}{':steps' if self._per_step else ''}"

    async def judge(self, question: str, steps: Sequence[str]) -> StepScores:
        """Write chains about the whole solution and read their verdicts."""
        bare = [OWN_NUMBER.sub("", step.strip()) for step in steps]
        numbered = "\n".join(f"Step {number}: {step}" for number, step in enumerate(bare, start=1))
        asked = Message("user", fill(TEMPLATE, {"problem": question, "solution": numbered}))
        prompt = Prompt((asked,), prefix=self._opening if self.local else "")
        stop = (QUESTION, END_OF_THINKING) if self.local else ()
        chains = await self.write(prompt, stop)
        tokens = sum(each.tokens for each in chains)
        if self._per_step:
            verdicts = [read_step_verdicts(each.text, len(steps)) for each in chains]
            return StepScores(tuple(average(each) for each in zip(*verdicts, strict=True)), tokens)
        if self.local:
            replies = [f"{self._opening}{each.text}\n{QUESTION}" for each in chains]
            return StepScores((average(await self.compare(prompt, replies)),), tokens)
        return StepScores((average([read_verdict(each.text) for each in chains]),), tokens)


def read_step_verdicts(chain: str, n_steps: int) -> list[float | None]:
    """Read 1 or 0 for each step from the boxes of a chain, in order.

    Chains end at the first wrong step, as those that the model was trained on do, so what follows it is wrong, too.
    None stands for a step that a chain did not come to.
    """
    found = [0.0 if box[1] else 1.0 for box in STEP_VERDICT.finditer(chain)][:n_steps]
    rest = [0.0 if 0.0 in found else None] * (n_steps - len(found))
    return [*found, *rest]


def read_verdict(reply: str) -> float | None:
    """Read 1 for Yes and 0 for No from the last answer to whether the solution is correct; None without any."""
    found = list(VERDICT.finditer(reply))
    return (1.0 if found[-1][1] else 0.0) if found else None
