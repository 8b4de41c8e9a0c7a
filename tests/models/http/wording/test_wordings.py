"""What servers and gateways refuse, in their own words: which fields a request is asked again without."""

import json
from typing import Any

import pytest

from inference_kit.models.http.refusals import Refused, read_refusal
from inference_kit.models.http.wording.adaptation import Adaptation

BODY = {
    "model": "m",
    "messages": [],
    "temperature": 0.7,
    "top_p": 0.9,
    "max_tokens": 64,
    "seed": 3,
    "n": 4,
    "stop": ["END"],
    "logprobs": True,
    "top_logprobs": 0,
}
LOGPROBS = "logprobs top_logprobs"


def find_left_out(status: int, answer: Any) -> set[str]:
    """What is left out of `BODY`, or renamed, once a server has answered so."""
    content = answer if isinstance(answer, str) else json.dumps(answer)
    refusal = read_refusal(status, {}, content)
    assert not refusal.is_of_model
    refused = Refused("", where="", fix="", status=refusal.status, message=refusal.message, fields=refusal.fields)
    adapted = Adaptation("http://host", {}).learn(dict(BODY), refused)
    return BODY.keys() - adapted.keys() if adapted else set()


def say(message: str, **more: Any) -> dict[str, Any]:
    """OpenAI's form of an error."""
    return {"error": {"message": message, **more}}


ONE_FIELD = [
    (say("The requested model requires max_completion_tokens; max_tokens is deprecated"), "max_tokens"),
    (say("this model is not supported MaxTokens, please use MaxCompletionTokens"), "max_tokens"),
    (say("don't support temperature=0.7. Only temperature=1 is supported."), "temperature"),
    (say("invalid temperature: only 1 is allowed for this model"), "temperature"),
    (say("`temperature` may only be set to 1 when thinking is enabled."), "temperature"),
    (say("This model only supports temperature 1"), "temperature"),
    (say("temperature: `temperature` is deprecated for this model."), "temperature"),
    (say("`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled."), "top_p"),
    ({"code": "invalid argument", "error": "Model x-4 does not support parameter topP."}, "top_p"),
    ({"code": "invalid argument", "error": "Argument not supported on this model: stop"}, "stop"),
    (say("Stop sequences are not supported by this model."), "stop"),
    (say("Malformed input request: #: extraneous key [seed] is not permitted"), "seed"),
    ([say('Invalid JSON payload received. Unknown name "seed": Cannot find field.', code=400)], "seed"),
    (say("Additional properties are not allowed ('seed' was unexpected)"), "seed"),
    (say("gemini does not support parameters: {'seed': 42}. To drop these, set drop_params"), "seed"),
    (say("seed is not yet implemented"), "seed"),
    ({"errors": [{"code": 1000, "message": "additional property 'seed' not allowed"}], "success": False}, "seed"),
    ({"statusCode": 400, "message": ["property seed should not exist"], "error": "Bad Request"}, "seed"),
    ({"detail": {"error": "seed is not supported"}}, "seed"),
    ("seed: field not supported", "seed"),
]


@pytest.mark.parametrize(("answer", "name"), ONE_FIELD)
@pytest.mark.parametrize("status", [400, 422, 501])
def test_a_field_is_found_in_words(status: int, answer: Any, name: str) -> None:
    assert find_left_out(status, answer) == {name}


def extra(*names: str) -> list[dict[str, Any]]:
    return [
        {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted"} for name in names
    ]


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        (say("openai does not support parameters: ['logprobs', 'top_logprobs'], for model=m"), LOGPROBS),
        (say("Logprobs is not supported for the current model."), LOGPROBS),
        (say("This model does not support sampling parameters: temperature and top_p."), "temperature top_p"),
        (
            [say('Unknown name "logprobs": Cannot find field.\nUnknown name "seed": Cannot find field.')],
            f"seed {LOGPROBS}",
        ),
        ({"detail": extra("seed", "logprobs")}, f"seed {LOGPROBS}"),
        ({"object": "error", "message": {"detail": extra("seed", "stop")}}, "seed stop"),
        (
            {"title": "Unprocessable", "detail": "body -> seed\n  Extra inputs are not permitted\nbody -> stop"},
            "seed stop",
        ),
    ],
)
def test_several_fields_are_found_at_once(answer: Any, names: str) -> None:
    assert find_left_out(422, answer) == set(names.split())


@pytest.mark.parametrize(
    "pointer",
    [
        *({"param": each} for each in ("seed", "body.seed", "$.seed", "/seed")),
        *({name: "seed"} for name in ("field", "parameter")),
        {"path": ["seed"]},
        {"details": [{"field": "seed", "issue": "unsupported"}]},
    ],
)
def test_a_field_is_found_where_the_server_points_at_it(pointer: dict[str, Any]) -> None:
    assert find_left_out(400, say("Bad Request", **pointer)) == {"seed"}


@pytest.mark.parametrize(
    "quoted",
    [
        say(json.dumps({"detail": extra("seed")}), code="Invalid input"),
        say("Provider returned error", metadata={"raw": json.dumps(say("'seed' is not supported", param="seed"))}),
        say(f"BadRequestError: {json.dumps(say('`seed` is not supported'))}"),
    ],
)
def test_a_refusal_that_a_gateway_quotes_is_read(quoted: dict[str, Any]) -> None:
    assert find_left_out(400, quoted) == {"seed"}


@pytest.mark.parametrize(
    "message",
    [
        "unknown field `seed`, expected one of `messages`, `model`, `stop`, `temperature`, `top_p` at line 1",
        "Unknown parameter seed. Supported parameters are: temperature, top_p, stop, logprobs",
        "unknown field seed; did you mean stop?",
    ],
)
def test_what_a_server_names_because_it_takes_it_is_kept(message: str) -> None:
    assert find_left_out(400, say(message)) == {"seed"}


@pytest.mark.parametrize(
    ("message", "left_out"),
    [
        ("Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3.", set()),
        ("top_p must be in (0, 1], got 1.5.", set()),
        ("max_tokens is too large: 64. This model supports at most 32 completion tokens", set()),
        ("seed: Input should be less than or equal to 2147483647", {"seed"}),
        ("Invalid 'stop': expected an array with maximum length 4; it is above the maximum", {"stop"}),
    ],
)
def test_a_value_out_of_range_is_left_out_where_nobody_chose_it(message: str, left_out: set[str]) -> None:
    name = next(name for name in ("temperature", "top_p", "max_tokens", "seed", "stop") if name in message)
    assert find_left_out(400, say(message, param=name)) == left_out
    assert find_left_out(400, say(message)) == left_out


def test_a_list_of_complaints_is_told_in_words_and_without_what_was_sent() -> None:
    complaint = {"loc": ["body", "seed"], "msg": "Extra inputs are not permitted", "input": "a long prompt"}
    refusal = read_refusal(422, {}, json.dumps({"detail": [complaint]}))
    assert str(refusal) == "HTTP 422: body.seed: Extra inputs are not permitted"
