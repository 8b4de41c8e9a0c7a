"""VllmHTTP: a reward model that `vllm serve` runs, over its pooling endpoints.

Why: vLLM serves process and outcome reward models at full speed and needs no code for it.
Source: vLLM's pages on pooling models (/pooling with the task token_classify, /classify); the chat is the one of
Qwen/Qwen2.5-Math-PRM-7B unless tag and system message say otherwise.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Any

from inference_kit.errors import EngineError
from inference_kit.flow import all_of
from inference_kit.models.http.address import parse_address
from inference_kit.models.http.blocking import run_blocking
from inference_kit.models.http.kinds import Server, contact
from inference_kit.models.http.refusals import Refused
from inference_kit.models.http.session import ServerSettings
from inference_kit.models.http.untrusted_json import Malformed, shorten
from inference_kit.records import StepScores
from inference_kit.registry import flatten_settings
from inference_kit.reward_models.base import ScoreItem
from inference_kit.reward_models.served.remote import Outcome, RemoteRewardModel, read_list, read_scores

TAG = "<extra_0>"
SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."
NO_STEPS = """Start the server with --pooler-config '{"tok_pooling_type": "STEP", "step_tag_id": ID_OF_THE_TAG}'."""


class VllmHTTP(RemoteRewardModel):
    """A process or outcome reward model served by vLLM, by its address such as http://HOST:PORT.

    Args:
        separator: Text between the steps in what an outcome reward model reads.
        outcome: The model scores the whole solution (/classify) instead of its steps (/pooling).
        tag: What stands behind each step and is replaced by its score.
        system: The system message; an empty one is left out.
        good_class: The number of the class that means good, where there are several.
        api_model: The model's name on the server; the first one served where it is not given.
        api_key_env: The environment variable that holds the key.
        server_concurrency: Requests under way at once, one for each solution.
    """

    @flatten_settings
    def __init__(
        self,
        model_path: str,
        *,
        separator: str = "\n\n",
        outcome: bool = False,
        tag: str = TAG,
        system: str = SYSTEM,
        good_class: Annotated[int, 0] = 1,
        api_model: str | None = None,
        api_key_env: str = "REWARD_API_KEY",
        server: ServerSettings = ServerSettings(server_concurrency=64, request_seconds=300.0),
    ) -> None:
        self._address = parse_address(model_path, setting="reward_model_path", default_path="").removesuffix("/v1")
        super().__init__(
            self._address,
            separator=separator,
            api_key_env=api_key_env,
            max_batch_size=1,
            server=server,
        )
        self._outcome, self._tag, self._system, self._good_class = outcome, tag, system, good_class
        self._api_model, self._key_env = api_model, api_key_env

    @cached_property
    def identity(self) -> str:  # type: ignore[override]
        """Address, name of the model, and what is read of it."""
        read = f"outcome:{self.separator!r}" if self._outcome else f"steps:{self._tag}"
        return f"vllm_http:{self._address}:{self._server.model}:{read}:{self._system}:{self._good_class}"

    def check(self) -> None:
        """Refuse a server that does not answer or does not serve the model.

        Raises:
            UserError: naming the address, or the models that it serves.
        """
        _ = self._server

    @cached_property
    def _server(self) -> Server:
        return run_blocking(
            contact(f"{self._address}/v1", self._api_model, key_env=self._key_env, setting="reward_model_path")
        )

    async def ask(self, items: Sequence[ScoreItem]) -> Sequence[Outcome]:
        """Post each item as a chat, in a request of its own."""
        return await all_of([self._post(item) for item in items])

    async def _post(self, item: ScoreItem) -> Outcome:
        problem, steps = item
        solution = self.separator.join(steps) if self._outcome else "".join(step + self._tag for step in steps)
        if not self._outcome and solution.count(self._tag) != len(steps):
            raise EngineError(f"a step holds the reward model's own tag {self._tag!r}")
        system = [{"role": "system", "content": self._system}] if self._system else []
        turns = [("user", problem.question), ("assistant", solution)]
        body: dict[str, Any] = {
            "model": self._server.model,
            "messages": [*system, *({"role": role, "content": text} for role, text in turns)],
            "add_generation_prompt": False,
        }
        try:
            if self._outcome:
                return await self._session.post("/classify", body, self._read_whole)
            return await self._session.post(
                "/pooling", body | {"task": "token_classify"}, lambda data: self._read_steps(data, len(steps))
            )
        except Refused as refusal:
            raise EngineError(
                f"the reward model's server refuses: {refusal.what}",
                where=self._address,
                fix="It must be vllm serve with --runner pooling.",
            ) from refusal

    def _read_whole(self, data: Any) -> Outcome:
        probs = _read_entry(data).get("probs")
        if not isinstance(probs, list) or not probs:
            raise Malformed(f"it has no probs: {shorten(repr(data), 80)}")
        return self._add_usage(read_scores([self._pick_good(probs)], 1, where=f"{self._address}/classify"), data)

    def _read_steps(self, data: Any, n_steps: int) -> Outcome:
        rows = _read_entry(data).get("data")
        if not isinstance(rows, list):
            raise Malformed(f"it has no rows: {shorten(repr(data), 80)}")
        where = f"{self._address}/pooling"
        if len(rows) != n_steps:
            return EngineError(f"{len(rows)} rows came back for {n_steps} steps", where=where, fix=NO_STEPS)
        return self._add_usage(read_scores([self._pick_good(row) for row in rows], n_steps, where=where), data)

    def _pick_good(self, row: Any) -> Any:
        """Pick the probability of the good class from a row; a single number is that, and anything else stays."""
        if not isinstance(row, list):
            return row
        return row[0] if len(row) == 1 else row[self._good_class] if self._good_class < len(row) else row

    def _add_usage(self, outcome: Outcome, data: Any) -> Outcome:
        """Add the number of tokens that the server says it read."""
        usage = data.get("usage") or {}
        tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else None
        if not isinstance(outcome, StepScores) or not isinstance(tokens, int):
            return outcome
        return StepScores(outcome.scores, max(0, tokens))


def _read_entry(data: Any) -> dict[str, Any]:
    [entry] = read_list(data, "data", 1)
    if not isinstance(entry, dict):
        raise Malformed(f"an entry is {shorten(repr(entry), 40)}")
    return entry
