"""The reward model server of docs/servers.md, asked by the reward model `http`."""

import asyncio
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from examples.serve_reward_model import StepRewards
from inference_kit.records import Message, Problem, StepScores
from inference_kit.reward_models.served.http import HTTP

ROOT = Path(__file__).resolve().parents[2]


def test_it_scores_what_the_reward_model_posts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StepRewards, "log_message", lambda *_: None)

    async def scores(model: HTTP) -> StepScores:
        try:
            return await model.scores(Problem(1, (Message("user", "What is 3 + 4?"),)), ["one word " * 10, "seven"])
        finally:
            await model.close()

    with ThreadingHTTPServer(("127.0.0.1", 0), StepRewards) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        model = HTTP(f"http://127.0.0.1:{server.server_port}")
        model.check()
        assert asyncio.run(scores(model)) == StepScores((0.5, 1 / (1 + 1 / 20)))
        server.shutdown()


def test_the_page_prints_the_file() -> None:
    page = (ROOT / "docs" / "servers.md").read_text(encoding="utf-8")
    assert (ROOT / "examples" / "serve_reward_model.py").read_text(encoding="utf-8") in page
