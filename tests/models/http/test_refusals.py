"""Refusals: what a server says is wrong, and how long it wants to be left alone."""

import json
from email.utils import formatdate
from typing import Any

import pytest

from inference_kit.models.http.refusals import Refusal, is_error, read_refusal

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("content", "message", "code"),
    [
        ({"error": {"message": "too long", "code": "context"}}, "too long", "context"),
        ({"message": "no such model", "code": 404}, "no such model", "404"),
        ({"detail": "bad n"}, "bad n", ""),
        ({"other": 1}, '{"other": 1}', ""),
        ("plain\nwords", "plain words", ""),
        ("", "", ""),
    ],
)
def test_the_message_is_found_where_servers_put_it(content: Any, message: str, code: str) -> None:
    refusal = read_refusal(400, {}, content if isinstance(content, str) else json.dumps(content))
    assert (refusal.message, refusal.code) == (message, code)
    assert str(refusal) == (f"HTTP 400: {message}" if message else "HTTP 400")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0.0),
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after-ms": "250", "Retry-After": "7"}, 0.25),
        ({"Retry-After": formatdate(NOW + 60, usegmt=True)}, 60.0),
        ({"Retry-After": "soon"}, 0.0),
        ({"Retry-After": "-5"}, 0.0),
    ],
)
def test_how_long_to_wait_is_read_in_seconds_or_a_date(
    headers: dict[str, str], seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference_kit.models.http.refusals.time.time", lambda: NOW)
    assert read_refusal(503, headers, "").wait_seconds == seconds


def test_what_must_not_be_shown_is_hidden_before_the_message_is_cut() -> None:
    refusal = read_refusal(401, {}, "x" * 298 + "secret", hide=lambda text: text.replace("secret", "***"))
    assert refusal.message == "x" * 298 + "***"[:2] + "..."


ENDING = [
    # OpenAI, Azure, Anthropic, DeepSeek, OpenRouter, Groq, Together, Mistral, Gemini, vLLM, SGLang, llama.cpp,
    # LM Studio, Ollama and a dozen others
    (
        429,
        "You exceeded your current quota, please check your plan and billing details. For more information on this",
        "insufficient_quota",
    ),
    (
        429,
        "Rate limit reached for gpt-4o in organization org-x on requests per day (RPD): Limit 200, Used 200,",
        "rate_limit_exceeded",
    ),
    (403, "Project `proj_x` does not have access to model `gpt-4o`", "model_not_found"),
    (400, "Billing hard limit has been reached", "billing_hard_limit_reached"),
    (429, "Your account is not active, please check your billing details on our website.", "billing_not_active"),
    (
        404,
        "The API deployment for this resource does not exist. If you created the deployment within the last 5",
        "DeploymentNotFound",
    ),
    (403, "Out of call volume quota. Quota will be replenished in 12.08:00:00.", ""),
    (410, "The model has been deprecated", "ModelDeprecated"),
    (
        400,
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or",
        "",
    ),
    (400, "You have reached your specified API usage limits. You will regain access on 2025-08-01 at 00:00 UTC.", ""),
    (402, "Insufficient Balance", "invalid_request_error"),
    (
        402,
        "This request requires more credits, or fewer max_tokens. You requested up to 65536 tokens, but can only",
        "",
    ),
    (429, "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day", ""),
    (400, "foo/bar is not a valid model ID", ""),
    (403, "Key limit exceeded (total limit). Manage it using https://openrouter.ai/settings/keys", ""),
    (
        400,
        "The model `mixtral-8x7b-32768` has been decommissioned and is no longer supported. Please refer to",
        "model_decommissioned",
    ),
    (
        400,
        "Organization has been restricted. Please reach out to support if you believe this was in error.",
        "organization_restricted",
    ),
    (
        400,
        "Unable to access non-serverless model x. Please visit https://api.together.ai/models/x to create and start",
        "model_not_available",
    ),
    (400, "Invalid model: mistral-9", ""),
    (400, "API key not valid. Please pass a valid API key.", ""),
    (400, "API key expired. Please renew the API key.", ""),
    (
        429,
        "You exceeded your current quota, please check your plan and billing details. * Quota exceeded for metric:",
        "",
    ),
    (
        404,
        "models/gemini-9 is not found for API version v1main, or is not supported for generateContent. Call",
        "",
    ),
    (404, "The model `x` does not exist.", ""),
    (400, "Model 'x' not found", ""),
    (400, "The requested model 'x' is not supported by any provider you have enabled.", "model_not_supported"),
    (
        402,
        "You have exceeded your monthly included credits for Inference Providers. Subscribe to PRO to get 20x more",
        "",
    ),
    (401, "Invalid API Key", ""),
    (404, 'Model "x" not found', "model_not_found"),
    (400, "No models loaded. Please load a model in the developer page or use the 'lms load' command.", ""),
    (404, 'model "x" not found, try pulling it first', ""),
    (
        412,
        "Account x is suspended, possibly due to reaching the monthly spending limit or failure to pay past invoices.",
        "PRECONDITION_FAILED",
    ),
    (
        400,
        "Incorrect API key provided: xx. You can obtain an API key from https://console.x.ai.",
        "Client specified an invalid argument",
    ),
    (400, "Access denied, please make sure your account is in good standing.", "Arrearage"),
    (429, "余额不足或无可用资源包,请充值。", ""),
    (403, "Sorry, your account balance is insufficient", ""),
    (429, "Tokens per day limit exceeded - too many tokens processed.", "token_quota_exceeded"),
    (429, "Daily limit reached. Try again tomorrow.", ""),
    (400, "Budget has been exceeded! Current cost: 10.2, Max budget: 10.0", ""),
    (429, "ExceededBudget: User x over budget. Spend=10.1, Budget=10.0", ""),
]
PASSING = [
    (
        429,
        "Rate limit reached for gpt-4o in organization org-x on requests per min (RPM): Limit 3, Used 3, Requested",
        "rate_limit_exceeded",
    ),
    (
        429,
        "Rate limit reached for gpt-4 on tokens per min (TPM): Limit 10000, Used 9000, Requested 1500. Please try",
        "",
    ),
    (
        429,
        "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-02-01 have exceeded",
        "",
    ),
    (429, "This request would exceed your organization's rate limit of 50,000 input tokens per minute.", ""),
    (429, "Requests rate limit exceeded", ""),
    (429, "Service tier capacity exceeded for this model.", ""),
    (
        429,
        "You have reached the rate limit specific to this model x. The maximum rate limit for this model is 6.0",
        "",
    ),
    (429, "Provider returned error", ""),
    (
        429,
        "Quota exceeded, limit: 15 quotaId: GenerateRequestsPerMinutePerProject Please retry in 32.5s.",
        "",
    ),
    (429, "Resource has been exhausted (e.g. check quota).", ""),
    (429, "Rate limit reached", ""),
]
OF_ONE_REQUEST = [
    (400, "Unsupported value: 'temperature' does not support 0.2 with this model.", "unsupported_value"),
    (400, "logprobs is not supported for this model", ""),
    (400, "The response was filtered due to the prompt triggering Azure OpenAI's policy.", "content_filter"),
    (400, "This model's maximum context length is 8192 tokens.", "context_length_exceeded"),
    (400, "Model 'x' does not support image input", ""),
    (400, "Unknown field 'access_key' in message", ""),
    (400, "System role not supported", ""),
    (403, "Your input was flagged by moderation", ""),
]


def read(status: int, message: str, code: str) -> Refusal:
    return read_refusal(status, {}, json.dumps({"error": {"message": message, "code": code}}))


@pytest.mark.parametrize(("status", "message", "code"), ENDING)
def test_what_meets_every_request_is_known_in_the_words_of_many_servers(status: int, message: str, code: str) -> None:
    """An account without money or requests, a key that is not taken, a model that is not there."""
    refusal = read(status, message, code)
    assert refusal.is_spent or refusal.is_of_key or refusal.is_of_model or status == 404


@pytest.mark.parametrize(("status", "message", "code"), PASSING)
def test_a_limit_of_the_minute_passes(status: int, message: str, code: str) -> None:
    refusal = read(status, message, code)
    assert refusal.throttles
    assert not refusal.is_spent


@pytest.mark.parametrize(("status", "message", "code"), OF_ONE_REQUEST)
def test_what_is_wrong_with_one_request_ends_no_run(status: int, message: str, code: str) -> None:
    refusal = read(status, message, code)
    assert not (refusal.is_spent or refusal.is_of_key or refusal.is_of_model)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"error": {"message": "x", "code": 401}}, 401),
        ({"error": {"message": "x", "type": "invalid_request_error", "code": "invalid_api_key"}}, 401),
        ({"error": {"message": "x", "type": "authentication_error"}}, 401),
        ({"error": {"message": "x", "code": "insufficient_quota"}}, 402),
        ({"error": {"message": "x", "type": "permission_error"}}, 403),
        ({"object": "error", "message": "x", "type": "NotFoundError"}, 404),
        ([{"error": {"message": "x", "status": "RESOURCE_EXHAUSTED"}}], 429),
        ({"error": {"message": "x", "type": "invalid_request_error"}}, 400),
        ({"error": "the model is loading"}, 0),
        ({"success": False, "errors": [{"message": "x"}]}, 0),
        ({"detail": "Not Found"}, 0),
    ],
)
def test_an_error_without_a_status_is_read_by_its_words(answer: Any, status: int) -> None:
    assert is_error(answer)
    assert read_refusal(200, {}, json.dumps(answer)).meant_status == status


@pytest.mark.parametrize(
    "answer",
    [
        {"choices": [{}], "error": {}},
        {"data": [], "object": "list"},
        {"scores": [[0.5]]},
        {"message": {}},
        {},
        [],
        7,
        {"msg": "ok", "scores": [1]},
    ],
)
def test_an_answer_is_no_error(answer: Any) -> None:
    assert not is_error(answer)


@pytest.mark.parametrize(
    ("status", "message", "wrong"),
    [
        (401, "no", True),
        (400, "API key not valid. Please pass a valid API key.", True),
        (403, "Invalid API key", True),
        (422, "Incorrect API key provided: sk-...", True),
        (400, "max_tokens is too large", False),
        (403, "Your prompt was flagged by moderation", False),
    ],
)
def test_a_wrong_key_is_seen_whatever_the_status(status: int, message: str, wrong: bool) -> None:
    assert read_refusal(status, {}, json.dumps({"error": {"message": message}})).is_of_key == wrong


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (
            400,
            "The response was filtered due to the prompt triggering Azure's content management policy.",
            "content_filter",
        ),
        (400, "Input data may contain inappropriate content.", "data_inspection_failed"),
        (400, "Content Exists Risk", "invalid_request_error"),
        (400, "Invalid prompt: your prompt was flagged as potentially violating our usage policy.", "invalid_prompt"),
        (400, "Your request was rejected as a result of our safety system.", "content_policy_violation"),
        (403, "openai/x requires moderation. Your input was flagged for violence.", ""),
        (400, "系统检测到输入或生成内容可能包含不安全或敏感内容", "1301"),
    ],
)
def test_a_prompt_that_a_content_filter_refuses_is_known(status: int, message: str, code: str) -> None:
    refusal = read(status, message, code)
    assert refusal.is_of_prompt
    assert not (refusal.is_of_key or refusal.is_spent or refusal.is_of_model)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "Unknown parameter: 'content_filter'."),
        (400, "safety_settings: Extra inputs are not permitted"),
        (400, "Unrecognized request argument supplied: safe_prompt"),
        (403, "Your account has been flagged for potential abuse"),
        (401, "Your key was flagged"),
        (500, "the content filter is down"),
    ],
)
def test_what_only_names_a_filter_is_not_about_the_prompt(status: int, message: str) -> None:
    assert not read(status, message, "").is_of_prompt
