"""The library face: what programs that import `Greedy`, `BestOfN`, `SelfImprove` and `Decoder` rely on."""

import asyncio
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from fakes import FailingEngine, Likes, SeededEngine
from loguru import logger
from mock_server import Body, MockServer

from examples.RewardSQL.sql_decoders import FirstLine, SQLBestOfN
from inference_kit import BestOfN, Decoder, Greedy, InferenceBase, SelfImprove
from inference_kit.decoders.settings import Options
from inference_kit.errors import EngineError, UserError
from inference_kit.models.base import Capabilities, Engine
from inference_kit.records import Completion, GenerationConfig, Problem, Prompt
from inference_kit.reward_models.base import RewardModel
from inference_kit.search import METHODS

ROOT = Path(__file__).resolve().parents[1]
DECODERS = (Greedy, BestOfN, SelfImprove, InferenceBase, partial(Decoder, "self_consistency"))
DOCUMENTED = {
    "max_tokens": 200,
    "temperature": 0.7,
    "top_p": 0.9,
    "frequency_penalty": 0.0,
    "presence_penalty": 0.0,
    "stop": ["\n\n"],
    "n": 5,
    "max_iterations": 3,
    "improvement_threshold": 0.05,
    "critique_template": "自定义评估模板...",
    "improve_template": "自定义改进模板...",
    "api_key": "your-api-key",
    "api_base": "http://127.0.0.1:9/v1",
    "model": "specific-model-name",
}


class Talker(Engine):
    """Answers as the script says: what a conversation's last message begins with, and the reply."""

    separator = "\n\n"

    def __init__(self, script: dict[str, str | list[str]], *, logprobs: Sequence[float | None] = (None,)) -> None:
        self.identity, self.script, self.logprobs = "talker", script, logprobs
        self.batches: list[list[Prompt]] = []
        self.configs: list[GenerationConfig] = []

    def vanilla_generate(self, prompts: Sequence[Prompt], config: GenerationConfig) -> list[list[Completion]]:
        """Look each last message up; a list is read from the front, seed by seed."""
        self.batches.append(list(prompts))
        self.configs.append(config)
        return [[self._reply(prompt, place) for place in range(prompt.n)] for prompt in prompts]

    def _reply(self, prompt: Prompt, place: int) -> Completion:
        asked = prompt.messages[-1].content
        [found] = [reply for beginning, reply in self.script.items() if asked.startswith(beginning)]
        if not found:
            raise EngineError("there is no answer to this one")
        text = found if isinstance(found, str) else found.pop(0)
        logprob = self.logprobs[place % len(self.logprobs)]
        return Completion(text, "stop", tokens=len(text.split()), logprob=logprob, prompt_tokens=3)

    @property
    def asked(self) -> list[str]:
        """The last message of everything that was asked, in order."""
        return [prompt.messages[-1].content for batch in self.batches for prompt in batch]


class Longest(BestOfN):
    """Likes length."""

    def score(self, candidate: str, context: dict[str, Any] | None = None) -> float:
        """Count characters."""
        return float(len(candidate))


def talking(decoder: Any, engine: Engine, **hyperparameters: Any) -> Any:
    """A decoder over a scripted engine."""
    return decoder("talker", hyperparameters=hyperparameters, models={"talker": lambda: engine})


def seeded(decoder: Any = BestOfN, **hyperparameters: Any) -> Any:
    """A decoder over an engine whose answers follow from the seeds."""
    return decoder("toy", hyperparameters=hyperparameters, models={"toy": partial(SeededEngine, "toy")})


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    """What is warned of."""
    found: list[str] = []
    handler = logger.add(lambda message: found.append(message.record["message"]), level="WARNING")
    yield found
    logger.remove(handler)


def test_importing_the_package_imports_no_decoder() -> None:
    code = "import sys, inference_kit; print([name for name in sys.modules if name.startswith('inference_kit.')])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("decoder", DECODERS)
def test_every_decoder_has_one_interface(decoder: Any) -> None:
    """DEC-01, DEC-02: constructor, forward, and the metadata that all have."""
    made = decoder("echo", "my label", {"max_tokens": 3, "max_iterations": 0})
    text, metadata = made.forward("one two three four")
    assert text == "one two three"
    assert metadata["sampling_method"] == "my label" and metadata["backend"] == metadata["model"] == "echo"
    assert metadata["finish_reason"] == "length" and metadata["seconds"] >= 0
    assert metadata["usage"]["generated_tokens"] >= 3
    json.dumps(metadata)


def test_the_labels_where_none_is_given() -> None:
    made = [decoder("echo").forward("x")[1]["sampling_method"] for decoder in (*DECODERS[:4], partial(Decoder, "bon"))]
    assert made == ["greedy", "best_of_n", "self_improve", "custom", "best_of_n"]


def test_best_of_n_returns_the_candidate_with_the_highest_score() -> None:
    """DEC-11: without a reward model, by the mean log-probability of a token; ties go to the first."""
    engine = Talker({"q": ["a b", "c", "d e"]}, logprobs=(-4.0, -1.0, -2.0))
    text, metadata = talking(BestOfN, engine, n=3).forward("q")
    assert text == "c" and metadata["best_index"] == 1
    assert metadata["candidates"] == [
        {"text": "a b", "score": -2.0},
        {"text": "c", "score": -1.0},
        {"text": "d e", "score": -1.0},
    ]


def test_without_log_probabilities_the_answer_with_most_company_wins() -> None:
    engine = Talker({"q": ["The answer is 1.", "The answer is 2.", "So the answer is 2."]})
    text, metadata = talking(BestOfN, engine, n=3).forward("q")
    assert text == "The answer is 2."
    assert [each["score"] for each in metadata["candidates"]] == [1 / 3, 2 / 3, 2 / 3]


def test_a_named_reward_model_scores() -> None:
    reward_models = {"likes": partial(Likes, favourite="3")}
    told = {"n": 7, "reward_model": "likes"}
    models = {"toy": partial(SeededEngine, "toy")}
    text, metadata = BestOfN("toy", hyperparameters=told, models=models, reward_models=reward_models).forward("q")
    assert "{3}" in text
    assert sorted(each["score"] for each in metadata["candidates"]) == [0.2] * 6 + [0.9]
    assert metadata["usage"]["reward_calls"] == 7


def test_five_candidates_are_the_default() -> None:
    assert len(seeded().forward("q")[1]["candidates"]) == 5


def test_an_overridden_score_decides() -> None:
    """DEC-12: whatever the log-probabilities say; any scale."""
    engine = Talker({"q": ["aa", "aaaa", "aaaa"]}, logprobs=(-0.1, -9.0, -9.0))
    text, metadata = talking(Longest, engine, n=3).forward("q")
    assert (text, metadata["best_index"]) == ("aaaa", 1)
    assert [each["score"] for each in metadata["candidates"]] == [2.0, 4.0, 4.0]


def test_score_sees_its_context_and_may_build_on_the_default() -> None:
    seen: list[dict[str, Any]] = []

    class Curious(BestOfN):
        def score(self, candidate: str, context: dict[str, Any] | None = None) -> float:
            assert context is not None
            seen.append(context)
            return super().score(candidate, context) - 10 * (context["index"] == 1)

    text, _ = talking(Curious, Talker({"Say": ["x", "y"]}, logprobs=(-2.0, -1.0)), n=2).forward("hi", "Say {input}!")
    assert text == "x"
    assert [(each["input"], each["prompt"], each["candidates"], each["index"]) for each in seen] == [
        ("hi", "Say hi!", ["x", "y"], 0),
        ("hi", "Say hi!", ["x", "y"], 1),
    ]


def test_a_score_that_raises_cannot_win_and_all_that_raise_is_an_error() -> None:
    class Picky(BestOfN):
        def score(self, candidate: str, context: dict[str, Any] | None = None) -> float:
            if candidate != "good":
                raise ZeroDivisionError(f"not {candidate}")
            return -1e9

    engine = Talker({"q": ["bad", "good"], "all": ["bad", "worse"]})
    text, metadata = talking(Picky, engine, n=2).forward("q")
    assert text == "good"
    assert metadata["candidates"][0] == {"text": "bad", "score": None, "error": "not bad"}
    with pytest.raises(ZeroDivisionError, match="not bad"):
        talking(Picky, engine, n=2).forward("all")
    engine.script["all"] = ["bad", "worse"]
    assert talking(Picky, engine, n=2).batch_forward(["all"]) == [("", {"error": "not bad"})]


def test_the_sql_example(capsys: pytest.CaptureFixture[str]) -> None:
    """DEC-13: two for each keyword, whatever the case."""
    engine = Talker({"q": ["SELECT a FROM t WHERE b", "select a from t where b join c", "nothing"]})
    text, metadata = talking(SQLBestOfN, engine, n=3).forward("q")
    assert text == "select a from t where b join c"
    assert [each["score"] for each in metadata["candidates"]] == [6, 8, 0]
    script = ROOT / "examples" / "RewardSQL" / "sql_decoders.py"
    words = ["--model", "echo", "SELECT name FROM users"]
    done = subprocess.run([sys.executable, script, *words], capture_output=True, text=True, check=True)
    assert "SELECT name FROM users" in done.stdout and "4.0" in done.stdout


def critics() -> Talker:
    """A draft that gets better once."""
    critiques = ["Rating: 4/10", "Rating: 7/10", "Rating: 7/10"]
    return Talker({"q": "draft", "Look at": critiques, "Write the": ["two", "three"]})


def test_self_improve_tells_its_rounds() -> None:
    """DEC-14: it stops where the gain is below the threshold, and the best version is returned."""
    text, metadata = talking(SelfImprove, critics(), max_iterations=5).forward("q")
    assert metadata["stopped"] == "threshold"
    assert metadata["iterations"] == [
        {"text": "draft", "critique": "Rating: 4/10", "score": 0.4},
        {"text": "two", "critique": "Rating: 7/10", "score": 0.7},
        {"text": "three", "critique": "Rating: 7/10", "score": 0.7},
    ]
    assert text == "two"


def test_self_improve_without_iterations_is_plain_generation() -> None:
    engine = critics()
    text, metadata = talking(SelfImprove, engine, max_iterations=0).forward("q")
    assert (text, engine.asked, metadata["stopped"]) == ("draft", ["q"], "max_iterations")


def test_templates_of_ones_own_reach_the_engine() -> None:
    """DEC-15: with placeholders or without; other braces stay."""
    engine = Talker({"q": "draft", "Judge": "Rating: 1/10", "再写": "better"})
    told = {
        "max_iterations": 1,
        "critique_template": 'Judge {response} of {input} as {"json"}',
        "improve_template": "再写",
    }
    text, metadata = talking(SelfImprove, engine, **told).forward("q")
    assert engine.asked == ["q", 'Judge draft of q as {"json"}', "再写\n"]
    assert (text, metadata["stopped"]) == ("better", "max_iterations")


def test_a_failing_critique_leaves_the_draft() -> None:
    text, metadata = talking(SelfImprove, Talker({"q": "draft", "Look": ""})).forward("q")
    assert (text, metadata["stopped"]) == ("draft", "error")


def test_the_score_of_self_improve_can_be_overridden() -> None:
    """DEC-19: it steers in its own scale, and one that raises ends the rounds."""

    class Short(SelfImprove):
        def score(self, candidate: str, context: dict[str, Any] | None = None) -> float:
            if candidate == "three":
                raise ZeroDivisionError("three is too many")
            return -100.0 * len(candidate)

    text, metadata = talking(Short, critics()).forward("q")
    assert [each["score"] for each in metadata["iterations"]] == [-500.0, -300.0, None]
    assert (text, metadata["stopped"]) == ("two", "error")
    assert metadata["iterations"][2]["error"] == "three is too many"


def test_a_decoder_of_ones_own_needs_three_methods() -> None:
    """DEC-16, DEC-17: the document's class, with `pass` for bodies."""

    class MyCustomDecoder(InferenceBase):
        def __init__(
            self,
            model_name_or_path: str,
            sampling_method: str = "custom",
            hyperparameters: dict[str, Any] | None = None,
        ):
            pass

        def forward(self, input_text: str, prompt_template: str | None = None) -> Any:
            pass

        def batch_forward(self, input_texts: Sequence[str], prompt_template: str | None = None) -> Any:
            pass

    assert MyCustomDecoder("anything").forward("x") is None
    assert FirstLine("echo").batch_forward(["a\nb"])[0][0] == "a"


@pytest.mark.parametrize("decoder", [Greedy, BestOfN, SelfImprove])
def test_a_batch_is_in_flight_at_once_and_keeps_its_order(decoder: Any) -> None:
    """DEC-05: the engine sees all first calls in one batch; the texts are those of a loop."""
    engine = Talker({"Look": "Rating: 9/10", "Write": "w", **{f"q{number}": f"a{number}" for number in range(8)}})
    batched = talking(decoder, engine)
    answers = batched.batch_forward([f"q{number}" for number in range(8)])
    assert len(engine.batches[0]) == 8
    assert [text for text, _ in answers] == [batched.forward(f"q{number}")[0] for number in range(8)]
    assert batched.batch_forward([]) == []


def test_a_failing_input_fails_in_its_place() -> None:
    models = {"toy": partial(FailingEngine, "toy")}
    answers = BestOfN("toy", models=models).batch_forward(["fine", "impossible", 3, "fine too"])  # type: ignore[list-item]
    assert [bool(text) for text, _ in answers] == [True, False, False, True]
    assert answers[1] == ("", {"error": "the engine has no answer to this one"})
    assert "input_text" in answers[2][1]["error"]


@pytest.mark.parametrize("decoder", DECODERS)
def test_only_the_literal_placeholder_is_filled(decoder: Any) -> None:
    """DEC-06: for `forward`, `batch_forward` and `stream`; braces of other kinds stay, and in the input too."""
    made = decoder("echo", "", {"max_iterations": 0})
    template = 'As {"json": {x}}: {input}'
    wanted = 'As {"json": {x}}: {input} {0}'
    assert made.forward("{input} {0}", template)[0] == made.batch_forward(["{input} {0}"], template)[0][0] == wanted
    assert "".join(made.stream("{input} {0}", template)) == wanted
    for call in (made.forward, made.batch_forward, made.stream):
        with pytest.raises(ValueError, match="prompt_template"):
            call(["x"] if call == made.batch_forward else "x", "no place for it")


def test_settings_reach_the_engine() -> None:
    """DEC-07."""
    engine = Talker({"q": "a"})
    told = {"max_tokens": 9, "temperature": 0.3, "top_p": 0.5, "frequency_penalty": 0.1, "presence_penalty": 0.2}
    talking(InferenceBase, engine, **told, stop=["END"]).forward("q")
    assert engine.configs == [GenerationConfig(9, 0.3, 0.5, frequency_penalty=0.1, presence_penalty=0.2, stop=("END",))]
    talking(InferenceBase, engine).forward("q")
    assert engine.configs[1] == GenerationConfig(512, 0.7)


def test_greedy_is_at_temperature_0_and_says_so(warnings: list[str]) -> None:
    """DEC-10."""
    engine = Talker({"q": "a"})
    talking(Greedy, engine, temperature=0.9).forward("q")
    assert engine.configs[0].temperature == 0 and "temperature 0" in warnings[0]


def test_the_documents_hyperparameters_suit_every_decoder(warnings: list[str]) -> None:
    for decoder in DECODERS:
        decoder("gpt-x", hyperparameters=DOCUMENTED)
    assert "max_iterations has no effect on greedy" in warnings


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"max_token": 5}, "Did you mean 'max_tokens'"),
        ({"n": 0}, "n must be at least 1"),
        ({"n": 2.5}, "n must be int"),
        ({"n": True}, "n must be int"),
        ({"temperature": -1}, "temperature must be 0 or more"),
        ({"top_p": "high"}, "top_p must be a number"),
        ({"max_tokens": 5, "max_new_tokens": 6}, "max_new_tokens"),
        ({"backend": "hugging-face"}, "Did you mean 'huggingface'"),
        ({"vote": "majorty_vote"}, "Did you mean 'majority_vote'"),
        ({"seed": "x"}, "seed must be int"),
        ({"stop": [1]}, "stop must be texts"),
        ({"use_chat_template": "no"}, "use_chat_template must be bool"),
        (["n"], "must be a dict"),
    ],
)
def test_a_bad_hyperparameter_is_a_value_error_at_once(told: Any, said: str) -> None:
    """DEC-30, DEC-32."""
    with pytest.raises(ValueError, match=said):
        BestOfN("echo", hyperparameters=told)


def test_other_bad_arguments_are_value_errors() -> None:
    """DEC-32."""
    with pytest.raises(ValueError, match="max_iterations must be at least 0, got -1"):
        SelfImprove("echo", hyperparameters={"max_iterations": -1})
    with pytest.raises(ValueError, match="input_text"):
        Greedy("echo").forward(7)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="input_texts"):
        Greedy("echo").batch_forward("abc")
    with pytest.raises(ValueError, match=r"sampling_method: must be a text, got dict.*hyperparameters="):
        BestOfN("echo", {"n": 3})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="model_name_or_path"):
        Greedy("")
    with pytest.raises(ValueError, match="Did you mean 'mcts'"):
        Decoder("mctss", "echo")


def test_what_a_name_is_taken_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DEC-03, DEC-31: a path that is not there is no hub id, and every error says what it took the name for."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("./missing", "/missing", "~/missing", "../missing"):
        with pytest.raises(ValueError, match="taken for a local path, because of how it begins"):
            Greedy(name)
    with pytest.raises(UserError, match=r"no config.json.*taken for a local path, because it is there"):
        Greedy(str(tmp_path)).forward("x")
    with pytest.raises(UserError, match="taken for a hub id, because"):
        Greedy("nobody/nothing").forward("x")
    with pytest.raises(UserError, match=r"Connection refused.*taken for an address"):
        Greedy("http://127.0.0.1:9/v1", hyperparameters={"max_retries": 0}).forward("x")


def test_a_server_by_its_address() -> None:
    """DEC-04, DEC-08: the key and the model reach it; a batch is in flight at once."""
    with MockServer(latency=0.05) as server:
        decoder = BestOfN(server.url, hyperparameters={"api_key": "secret", "model": "mock", "n": 2})
        answers = decoder.batch_forward([f"question {number}" for number in range(20)])
        assert server.most_at_once == 40
        assert {each.headers["Authorization"] for each in server.asked if "chat" in each.path} == {"Bearer secret"}
        assert answers[0][1]["backend"] == "openai" and answers[0][1]["model"] == "mock"
        assert "secret" not in repr(answers) + repr(decoder._told)
        decoder.close()
        assert decoder.forward("question 0")[0] == answers[0][0]
        decoder.close()


def test_api_base_beats_the_address_and_makes_other_names_remote(monkeypatch: pytest.MonkeyPatch) -> None:
    """DEC-08: without a key the environment's is sent, else EMPTY."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with MockServer(models=("gpt-x",)) as server, Greedy("http://127.0.0.1:9/v1", "", {"api_base": server.url}) as one:
        assert one.forward("q")[1]["model"] == "gpt-x"
        assert server.asked[-1].headers["Authorization"] == "Bearer EMPTY"
        monkeypatch.setenv("OPENAI_API_KEY", "from the environment")
        with Greedy("gpt-x", hyperparameters={"api_base": server.url}) as other:
            assert other.forward("q")[1]["model"] == "gpt-x"
        assert server.asked[-1].headers["Authorization"] == "Bearer from the environment"


def test_several_models_on_a_server_are_listed() -> None:
    with MockServer(models=("one", "two")) as server:
        with pytest.raises(ValueError, match="one, two"):
            Greedy(server.url).forward("q")
        with pytest.raises(UserError, match=r"'three' is not served.*'one', 'two'"):
            Greedy(server.url, hyperparameters={"model": "three"}).forward("q")


def test_ollama_and_raw_text() -> None:
    """DEC-04: by its address or by name; `use_chat_template` false sends plain text where that is possible."""
    with MockServer(ollama=True, models=("llama",)) as server:
        with Greedy(server.root) as decoder:
            assert decoder.forward("q")[1]["backend"] == "ollama"
        told = {"backend": "ollama", "api_base": server.root}
        with Greedy("llama", hyperparameters=told) as decoder:
            assert decoder.forward("q")[1]["model"] == "llama"
        with pytest.raises(ValueError, match="use_chat_template"):
            Greedy("llama", hyperparameters=told | {"use_chat_template": False}).forward("q")
    with MockServer() as server, Greedy(server.url, hyperparameters={"use_chat_template": False}) as decoder:
        decoder.forward("plain")
        assert server.bodies("/v1/completions")[0]["prompt"] == "plain"


def test_refusals_are_not_asked_again() -> None:
    """DEC-33: 401 and 404 once; 429 after Retry-After."""
    replies = iter([web.Response(status=429, headers={"Retry-After": "0.05"})])

    def throttled(request: web.Request, body: Body) -> web.Response | None:
        return next(replies, None) if "chat" in request.path else None

    def locked(request: web.Request, body: Body) -> web.Response | None:
        return web.Response(status=401, text="wrong key") if "chat" in request.path else None

    with MockServer(fault=throttled) as server, Greedy(server.url) as decoder:
        assert decoder.forward("q")[0] and len(server.bodies()) == 2
        first, second = [each.at for each in server.asked if "chat" in each.path]
        assert second - first >= 0.05
    with MockServer(fault=locked) as server, Greedy(server.url, hyperparameters={"api_key": "sk-1"}) as decoder:
        with pytest.raises(UserError, match="401") as caught:
            decoder.batch_forward(["q"])
        assert len(server.bodies()) == 1 and "sk-1" not in str(caught.value)


def test_a_stream_comes_in_pieces() -> None:
    """DEC-18: a plain reply as it is written, what is searched at once."""
    with MockServer() as server, InferenceBase(server.url) as plain, BestOfN(server.url) as best:
        pieces = list(plain.stream("q"))
        assert len(pieces) > 3 and "".join(pieces) == plain.forward("q")[0]
        assert list(best.stream("q")) == [best.forward("q")[0]]
        stream = plain.stream("q")
        next(stream)
        stream.close()  # type: ignore[attr-defined]


def test_the_cache_answers_what_was_asked_before(tmp_path: Path) -> None:
    """DEC-18: in this decoder and in the next one; another seed is another question."""
    first = seeded(cache_dir=str(tmp_path))
    once, again = first.forward("q"), first.forward("q")
    other = seeded(cache_dir=str(tmp_path)).forward("q")
    assert once[0] == again[0] == other[0]
    assert once[1]["usage"]["cached_calls"] == 0
    assert again[1]["usage"]["cached_calls"] == other[1]["usage"]["cached_calls"] == 5
    assert again[1]["usage"]["generated_tokens"] == 0
    assert seeded(cache_dir=str(tmp_path), seed=1).forward("q")[1]["usage"]["cached_calls"] == 0


def test_the_same_input_gets_the_same_answer_until_the_seed_changes() -> None:
    texts = [[each["text"] for each in seeded(seed=seed).forward("q")[1]["candidates"]] for seed in (0, 0, 1)]
    assert texts[0] == texts[1] != texts[2]


def test_it_works_inside_a_running_loop_and_from_threads() -> None:
    """In a notebook a loop is running already."""
    decoder = seeded()
    expected = decoder.forward("q")[0]

    async def cell() -> str:
        return str(decoder.forward("q")[0])

    assert asyncio.run(cell()) == expected
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(decoder.forward("q")[0])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


def test_a_score_may_ask_the_same_decoder() -> None:
    """A judge of its own candidates."""

    class Asking(BestOfN):
        def score(self, candidate: str, context: dict[str, Any] | None = None) -> float:
            return len(self.batch_forward([])) + len(candidate)

    assert talking(Asking, Talker({"q": ["a", "bbb"]}), n=2).forward("q")[0] == "bbb"


class SecondStepRewards(RewardModel):
    """Likes the favourite answer."""

    def __init__(self, model_path: str = "") -> None:
        self.identity = "steps"

    def score(self, problem: Problem, steps: Sequence[str]) -> list[float]:
        """A score for each step."""
        return [0.9 if "{3}" in step else 0.4 for step in steps]


@pytest.mark.parametrize("method", [name for name in METHODS if name != "cot_decoding"])
def test_every_method_is_a_decoder(method: str) -> None:
    """Issue 5: `Decoder("mcts", ...)`, its settings among the hyperparameters, its reward model by object."""
    told = {"reward_model": SecondStepRewards()}
    models = {"toy": partial(SeededEngine, "toy")}
    text, metadata = Decoder(method, "toy", hyperparameters=told, models=models).forward("What is it?")
    assert text.startswith("Think.") and metadata["sampling_method"] == method


def test_a_method_without_what_it_needs_is_refused_before_anything_is_generated() -> None:
    engine = Talker({"q": "a"})
    with pytest.raises(ValueError, match=r"no reward model.*override `score`"):
        talking(partial(Decoder, "beam_search"), engine).forward("q")
    with pytest.raises(ValueError, match="partial answer"):
        Decoder("beam_search", "echo", hyperparameters={"reward_model": "oracle"}).forward("q")
    engine.capabilities = Capabilities(prefix_blind_settings=frozenset({"presence_penalty"}))
    with pytest.raises(UserError, match=r"Talker would begin presence_penalty anew.*Leave it at 0\.0"):
        talking(partial(Decoder, "budget_forcing"), engine, presence_penalty=0.5).forward("q")
    assert not engine.batches


def test_an_overridden_score_steers_a_search() -> None:
    class Favourite(Decoder):
        def score(self, candidate: str, context: dict[str, Any] | None = None) -> float:
            return 50.0 * ("{3}" in candidate) + len(candidate)

    decoder = Favourite("mcts", "toy", hyperparameters={"n": 8}, models={"toy": partial(SeededEngine, "toy")})
    text, metadata = decoder.forward("q")
    assert "{3}" in text and metadata["candidates"][metadata["best_index"]]["score"] > 50
    assert metadata["usage"]["reward_calls"] > 0


def test_a_vote_can_choose() -> None:
    engine = Talker(
        {"q": ["The answer is 1.", "The answer is 2.", "It is, the answer is 2."]}, logprobs=(-1.0, -5.0, -6.0)
    )
    assert talking(BestOfN, engine, n=3, vote="majority_vote").forward("q")[0] == "The answer is 2."


def test_the_bundled_model_is_known_by_its_name() -> None:
    question = "Ann has 74 cookies. Ann has 37 fewer cookies than Eva. How many cookies do Eva and Ann have together?"
    text, metadata = Greedy("abacus").forward(question)
    assert "\\boxed{" in text and metadata["backend"] == "huggingface" and metadata["finish_reason"] == "stop"


def test_the_classes_of_the_page_work() -> None:
    """docs/decoders.md: what it shows is what runs."""
    page = (ROOT / "docs" / "decoders.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {"BestOfN": BestOfN}
    for block in blocks[1:]:
        exec(block, names)
    assert names["SQLBestOfN"]("echo").forward("select a from b")[1]["candidates"][0]["score"] == 4
    assert names["Shorter"]("echo").forward("hello")[0] == "hello"
    settings = {each for line in page.splitlines() if line.startswith("| `") for each in re.findall(r"`(\w+)`", line)}
    assert {each.name for each in fields(Options)} <= settings


def test_a_vote_that_cannot_be_taken_is_explained_without_flags() -> None:
    """DEC-31: a program has no command line."""
    with pytest.raises(ValueError, match=r"^vote: best_last weighs step scores, .* Run with reward_model") as refused:
        BestOfN("echo", hyperparameters={"vote": "best_last"}).forward("1 + 1")
    assert "--" not in str(refused.value)


class Lasting(Talker):
    """Counts how often its weights would load, and how often it is closed."""

    loaded = closed = 0

    def vanilla_generate(self, prompts: Sequence[Prompt], config: GenerationConfig) -> list[list[Completion]]:
        """Load once, until it is closed."""
        self.loaded += self.loaded == self.closed
        return super().vanilla_generate(prompts, config)

    async def close(self) -> None:
        """Forget the weights."""
        self.closed += 1


def test_two_decoders_over_one_engine_load_it_once_and_leave_it_open() -> None:
    engine = Lasting({"q": "a"})
    with Greedy(engine) as greedy, BestOfN(engine, hyperparameters={"n": 2}) as best:
        assert (greedy.forward("q")[0], best.forward("q")[0]) == ("a", "a")
        assert best.forward("q")[1]["model"] == best.forward("q")[1]["backend"] == "Lasting"
    assert greedy.forward("q")[0] == "a"
    assert (engine.loaded, engine.closed) == (1, 0)


def test_decoders_that_share_an_engine_share_its_batches() -> None:
    engine = Talker({"q": "a"})
    decoders = [Greedy(engine) for _ in range(4)]
    threads = [threading.Thread(target=decoder.batch_forward, args=(["q"] * 8,)) for decoder in decoders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(len(batch) for batch in engine.batches) == 32


def test_a_decoder_closes_the_engine_that_it_opened_itself() -> None:
    engine = Lasting({"q": "a"})
    with talking(Greedy, engine) as decoder:
        decoder.forward("q")
    assert engine.closed == 1


def test_a_reward_model_that_is_an_object_stays_open() -> None:
    class Open(SecondStepRewards):
        closed = 0

        async def close(self) -> None:
            self.closed += 1

    reward_model = Open()
    for _ in range(2):
        with seeded(n=3, reward_model=reward_model) as decoder:
            assert "{3}" in decoder.forward("q")[0] or decoder.forward("q")[0]
    assert reward_model.closed == 0


def test_an_open_engine_takes_no_settings() -> None:
    engine = Talker({"q": "a"})
    with pytest.raises(ValueError, match=r"Talker has no setting separator\. Set it where the engine is made"):
        Greedy(engine, hyperparameters={"separator": ";"}).forward("q")
