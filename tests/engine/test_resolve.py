"""From what was written to a Target: the order of litellm-contract 2.1 and 2.2, timeouts, TLS."""

from typing import Any

import httpx
import openai
import pytest

from litellm.engine.resolve import Wish, resolve, split_model, timeouts, tls
from litellm.exceptions import AuthenticationError, BadRequestError
from litellm.settings import Settings
from litellm.types.calls import Target
from litellm.types.http import Timeouts

KEY = {"OPENAI_API_KEY": "k-env"}


def settings(**given: Any) -> Settings:
    made = Settings()
    for name, value in given.items():
        setattr(made, name, value)
    return made


def resolved(model: str = "openai/m", environment: dict[str, str] | None = None, **wish: Any) -> Target:
    own = wish.pop("settings", None) or Settings()
    return resolve(Wish(model, **wish), own, KEY if environment is None else environment)


# Which provider.


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("openai/gpt-4o",), ("openai", "gpt-4o")),
        (("openai/org/model",), ("openai", "org/model")),
        (("groq/llama-3",), ("groq", "llama-3")),
        (("text-completion-openai/davinci",), ("openai", "davinci")),
        (("gpt-4o",), ("openai", "gpt-4o")),
        (("o3-mini",), ("openai", "o3-mini")),
        (("text-embedding-3-small",), ("openai", "text-embedding-3-small")),
        (("ft:gpt-4o:me",), ("openai", "ft:gpt-4o:me")),
        (("*",), ("openai", "*")),
        (("org/model", "openai"), ("openai", "org/model")),
        (("openai/model", "openai"), ("openai", "model")),
        (("groq/model", "openai"), ("openai", "groq/model")),
        (("m", None, "https://api.groq.com/openai/v1"), ("groq", "m")),
        (("org/m", None, "https://api.groq.com/openai/v1"), ("groq", "org/m")),
        (("openai/m", None, "https://api.groq.com/openai/v1"), ("openai", "m")),
    ],
)
def test_the_provider_of_a_model(given: tuple[Any, ...], expected: tuple[str, str]) -> None:
    assert split_model(*given) == expected


@pytest.mark.parametrize("model", ["m", "org/m", "openai/", "/m"])
def test_a_model_without_provider_is_told_how_to_name_one(model: str) -> None:
    with pytest.raises(BadRequestError, match="LLM Provider NOT provided") as caught:
        split_model(model, None, "http://127.0.0.1:1/v1")
    assert "openai/" in str(caught.value)


# Base, key, organization: the first that is there.


def test_the_order_of_bases() -> None:
    environment = KEY | {"OPENAI_BASE_URL": "http://env", "OPENAI_API_BASE": "http://env2"}
    assert resolved(api_base="http://arg", environment=environment).base_url == "http://arg"
    assert resolved(settings=settings(api_base="http://set"), environment=environment).base_url == "http://set"
    assert resolved(environment=environment).base_url == "http://env"
    del environment["OPENAI_BASE_URL"]
    assert resolved(environment=environment).base_url == "http://env2"
    assert resolved().base_url == "https://api.openai.com/v1"


def test_the_order_of_keys() -> None:
    both = settings(api_key="k-set", openai_key="k-openai")
    assert resolved(api_key="k-arg", settings=both).api_key == "k-arg"
    assert resolved(settings=both).api_key == "k-set"
    assert resolved(settings=settings(openai_key="k-openai")).api_key == "k-openai"
    assert resolved().api_key == "k-env"


@pytest.mark.parametrize(
    ("provider", "name"),
    [("groq", "groq_key"), ("openrouter", "openrouter_key"), ("together_ai", "togetherai_api_key"), ("xai", "xai_key")],
)
def test_settings_may_hold_one_providers_key(provider: str, name: str) -> None:
    own = settings(**{name: "k-own", "openai_key": "k-openai"})
    assert resolved(f"{provider}/m", settings=own).api_key == "k-own"
    with pytest.raises(AuthenticationError):
        resolved("deepseek/m", settings=own)


def test_no_key() -> None:
    with pytest.raises(AuthenticationError, match="OPENAI_API_KEY"):
        resolved(environment={"OPENAI_API_KEY": ""})
    assert resolve(Wish("openai/m"), Settings(), {}, key_needed=False).api_key is None


def test_the_order_of_organizations() -> None:
    environment = KEY | {"OPENAI_ORGANIZATION": "env"}
    assert resolved(organization="arg", settings=settings(organization="set")).organization == "arg"
    assert resolved(settings=settings(organization="set"), environment=environment).organization == "set"
    assert resolved(environment=environment).organization == "env"
    assert resolved("groq/m", environment | {"GROQ_API_KEY": "k"}).organization is None
    assert resolved("groq/m", environment | {"GROQ_API_KEY": "k"}, organization="arg").organization == "arg"


def test_headers_of_the_settings_come_first_so_that_the_calls_win() -> None:
    target = resolved(settings=settings(headers={"x-a": "set"}), headers=(("x-a", "call"),))
    assert target.headers == (("x-a", "set"), ("x-a", "call"))


def test_keys_are_not_shown() -> None:
    target = resolved(api_key="sk-secret", headers=(("x-key", "sk-secret"),))
    assert "sk-secret" not in repr(target) + repr(Wish("m", api_key="sk-secret"))


# Timeouts.


@pytest.mark.parametrize(
    ("value", "stream", "expected"),
    [
        (60, False, Timeouts(10, 60, 60, 60)),
        (60, True, Timeouts(10, 60, 60, None)),
        (2.5, False, Timeouts(2.5, 2.5, 2.5, 2.5)),
        ("30", False, Timeouts(10, 30, 30, 30)),
        (httpx.Timeout(7), True, Timeouts(7, 7, 7, None)),
        (httpx.Timeout(7, connect=1, read=20), False, Timeouts(1, 20, 20, None)),
        (httpx.Timeout(None), False, Timeouts(None, None, None, None)),
        (openai.Timeout(3), False, Timeouts(3, 3, 3, None)),
        (Timeouts(1, 2, 3, 4), True, Timeouts(1, 2, 3, 4)),
    ],
)
def test_timeouts(value: Any, stream: bool, expected: Timeouts) -> None:
    assert timeouts(value, stream) == expected


def test_an_object_may_have_a_total() -> None:
    class Bounds:
        connect, read, total = 1.0, 2.0, 9.0

    assert timeouts(Bounds(), stream=True) == Timeouts(1.0, 2.0, 2.0, 9.0)


@pytest.mark.parametrize("value", [0, -1, float("nan"), "soon", [], {}, object()])
def test_what_is_no_timeout(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        timeouts(value)


def test_the_settings_timeout_is_the_default() -> None:
    assert resolved(settings=settings(request_timeout=5)).timeouts == Timeouts(5, 5, 5, 5)
    assert resolved().timeouts == Timeouts(10, 600, 600, 600)


# TLS.


@pytest.mark.parametrize(
    ("verify", "environment", "setting", "expected"),
    [
        (None, {}, True, (True, None)),
        (None, {}, False, (False, None)),
        (False, {"SSL_VERIFY": "true"}, True, (False, None)),
        (None, {"SSL_VERIFY": "False"}, True, (False, None)),
        (None, {"SSL_VERIFY": "/ca.pem"}, True, (True, "/ca.pem")),
        ("/own.pem", {"SSL_CERT_FILE": "/env.pem"}, True, (True, "/own.pem")),
        (None, {"SSL_CERT_FILE": "/env.pem"}, True, (True, "/env.pem")),
        ("true", {}, False, (True, None)),
        ("0", {}, True, (False, None)),
    ],
)
def test_tls(verify: Any, environment: dict[str, str], setting: Any, expected: tuple[bool, str | None]) -> None:
    made = tls(verify, settings(ssl_verify=setting), environment)
    assert (made.verify, made.ca_file) == expected


def test_a_client_certificate() -> None:
    assert tls(None, settings(ssl_certificate="/mine.pem"), {}).cert_file == "/mine.pem"
