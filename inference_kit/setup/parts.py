"""Parts: what runs, chosen and checked before anything is loaded.

Why: the files of a run, its resume check and its summary all follow from the same choice; so does a chat, a library
call or a server.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from inference_kit.config import Resolved
from inference_kit.context import Method, Rules
from inference_kit.dataset.base import Dataset
from inference_kit.models.base import Engine
from inference_kit.records import GenerationConfig
from inference_kit.reward_models.base import RewardModel
from inference_kit.setup.run_options import RunOptions


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a run; `settings` holds every value with its source, those of a part behind the part's name.

    Engine and reward model are borrowed: who had them opened closes them.
    """

    model_name: str
    reward_model_name: str
    dataset_name: str
    method_name: str
    votes: tuple[str | None, ...]
    engine: Engine
    reward_model: RewardModel | None
    dataset: Dataset | None
    method: Method
    generation: GenerationConfig
    options: RunOptions
    settings: Mapping[str, Resolved]

    @property
    def rules(self) -> Rules:
        """What holds for every problem, whatever the method."""
        return Rules(
            seed=self.options.seed,
            aggregate=self.options.aggregate,
            step_tokens=self.options.step_tokens,
            max_tokens=self.options.max_tokens_per_problem,
            max_calls=self.options.max_calls_per_problem,
        )

    def check(self) -> None:
        """Refuse what engine or reward model cannot do; a server may be asked, and no weights are loaded.

        Raises:
            UserError: naming the setting.
        """
        self.engine.check(self.generation)
        if self.reward_model is not None:
            self.reward_model.check()
