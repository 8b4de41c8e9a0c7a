"""HTTP: a reward model of anyone's, behind `POST /v1/step_rewards`.

Why: a reward model may need its own libraries, machine or language; a dozen lines put it behind an address.
Source: docs/servers.md has the protocol, with an example.
"""

from collections.abc import Sequence
from typing import Any

from inference_kit.models.http.address import parse_address
from inference_kit.models.http.session import ServerSettings
from inference_kit.registry import flatten_settings
from inference_kit.reward_models.base import ScoreItem
from inference_kit.reward_models.served.remote import Outcome, RemoteRewardModel, read_list, read_scores


class HTTP(RemoteRewardModel):
    """A reward model behind an address such as http://HOST:PORT/v1 that answers /step_rewards.

    Args:
        separator: What stood between the steps that it was trained on; it is only recorded.
        api_key_env: The environment variable that holds the key.
        max_batch_size: Solutions in one request at the most.
    """

    @flatten_settings
    def __init__(
        self,
        model_path: str,
        *,
        separator: str = "\n\n",
        api_key_env: str = "REWARD_API_KEY",
        max_batch_size: int = 64,
        server: ServerSettings = ServerSettings(server_concurrency=32, request_seconds=300.0),
    ) -> None:
        self._address = parse_address(model_path, setting="reward_model_path")
        super().__init__(
            self._address,
            separator=separator,
            api_key_env=api_key_env,
            max_batch_size=max_batch_size,
            server=server,
        )
        self.identity = f"http:{self._address}"

    async def ask(self, items: Sequence[ScoreItem]) -> Sequence[Outcome]:
        """Post all items in one request and read a list of scores for each."""

        def read(data: Any) -> list[Outcome]:
            """Read the outcomes of all items from the reply."""
            lists = read_list(data, "scores", len(items))
            where = f"{self._address}/step_rewards"
            return [read_scores(each, len(steps), where=where) for each, (_, steps) in zip(lists, items, strict=True)]

        posted = [{"problem": problem.question, "steps": list(steps)} for problem, steps in items]
        return await self._session.post("/step_rewards", {"items": posted}, read)
