"""Keys: which header they go into, what is said of them, and that no text shows them."""

import pytest

from inference_kit.models.http.transport.credentials import Credentials


def test_a_key_goes_into_the_header_that_the_server_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", "sk-from-the-variable\n")
    assert Credentials("TEST_KEY").build_headers("https://host/v1")["Authorization"] == "Bearer sk-from-the-variable"
    assert Credentials("TEST_KEY").build_headers("https://x.openai.azure.com")["api-key"] == "sk-from-the-variable"
    assert Credentials("TEST_KEY", "given").build_headers("https://host")["Authorization"] == "Bearer given"
    own = Credentials("TEST_KEY", headers={"authorization": "Basic abc"}).build_headers("https://host")
    assert [value for name, value in own.items() if name.lower() == "authorization"] == ["Basic abc"]


def test_it_is_said_which_key_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_KEY", raising=False)
    assert Credentials("TEST_KEY").explain()[0] == "no key: $TEST_KEY is empty"
    assert "X-Api-Key" in Credentials("TEST_KEY", headers={"X-Tenant": "me", "X-Api-Key": "abc"}).explain()[0]
    monkeypatch.setenv("TEST_KEY", "abc")
    assert Credentials("TEST_KEY").explain()[0] == "the key in $TEST_KEY"


def test_keys_are_shown_nowhere() -> None:
    keys = Credentials(given="secret-one-1", headers={"X-Key": "Token secret-two-2"})
    assert keys.hide("secret-one-1, secret-two, secret-two-2") == "***, ***, ***"
    assert "secret" not in repr(keys)
