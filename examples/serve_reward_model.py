"""A reward model behind an address: `python examples/serve_reward_model.py 8001`."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def step_scores(problem: str, steps: list[str]) -> list[float]:
    """Your reward model goes here; this one prefers short steps."""
    return [1 / (1 + len(step.split()) / 20) for step in steps]


class StepRewards(BaseHTTPRequestHandler):
    """Answers POST /v1/step_rewards."""

    def do_POST(self) -> None:
        """Score each item."""
        items = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["items"]
        body = json.dumps({"scores": [step_scores(item["problem"], item["steps"]) for item in items]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), StepRewards).serve_forever()
