"""Every row of catalog/hosts.json, checked in the same way: a host is a row, and a row is all it takes."""

import json
from dataclasses import fields
from importlib.resources import files
from typing import Any, get_args

import pytest

from litellm.catalog import hosts
from litellm.catalog.hosts import Host
from litellm.engine.resolve import Wish, resolve, split_model
from litellm.exceptions import AuthenticationError, BadRequestError, UnsupportedParamsError
from litellm.providers import compatible, openai
from litellm.settings import Settings
from litellm.types.calls import Call, Json, Op
from litellm.types.http import Url

ROWS = hosts.rows()
REMOTE = "https://proxy.example/v9"


@pytest.fixture(params=list(ROWS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def row(name: str) -> Host:
    return ROWS[name]


def resolved(name: str, environment: dict[str, str], **wish: Any) -> Any:
    return resolve(Wish(**{"model": f"{name}/model", **wish}), Settings(), environment)


def enough(row: Host) -> dict[str, Any]:
    """What a user has to say for any host at all."""
    return {"api_key": "k"} if row.base_url else {"api_key": "k", "api_base": REMOTE}


def body(request: Any) -> Json:
    return json.loads(request.body)


def test_the_most_used_hosts_are_there() -> None:
    most_used = {"groq", "deepseek", "together_ai", "fireworks_ai", "mistral", "xai", "openrouter", "hosted_vllm",
                 "lm_studio", "perplexity"}  # fmt: skip
    assert most_used | {"openai"} <= ROWS.keys()


def test_a_row_has_known_fields_only() -> None:
    known = {field.name for field in fields(Host)}
    written = json.loads(files("litellm.catalog").joinpath("hosts.json").read_text())
    assert [name for name, row in written.items() if row.keys() - known] == []


def test_its_address_is_valid(row: Host, name: str) -> None:
    if row.base_url is not None:
        url = Url(row.base_url)
        assert url.scheme == "https" or name == "demo" or url.host in ("localhost", "127.0.0.1")
        assert not row.base_url.endswith("/")


def test_it_can_be_found_by_prefix(name: str) -> None:
    assert split_model(f"{name}/a/b") == (name, "a/b")


def test_it_can_be_found_by_address(row: Host, name: str) -> None:
    if row.base_url is not None and row.base_url.startswith("https"):
        found, model = split_model("some-model", api_base=row.base_url + "/")
        assert (ROWS[found].base_url, model) == (row.base_url, "some-model")  # ai21 has two names


def test_its_operations_are_those_of_its_row(row: Host, name: str) -> None:
    provider = compatible.provider_of(name)
    assert set(row.endpoints) <= set(get_args(Op))
    assert provider.operations == {op: openai.OPERATIONS[op] for op in row.endpoints}


def test_its_key_variables_are_looked_up_in_order(row: Host, name: str) -> None:
    environment = {variable: f"key {i}" for i, variable in enumerate(row.key_env)}
    wish = enough(row) | {"api_key": None}
    for i, variable in enumerate(row.key_env):
        assert resolved(name, environment, **wish).api_key == f"key {i}"
        del environment[variable]
    assert resolved(name, (row.key_env and {row.key_env[0]: "other"}) or {}, **enough(row)).api_key == "k"


def test_without_a_key_it_has_a_default_or_says_which_variable_to_set(row: Host, name: str) -> None:
    wish = enough(row) | {"api_key": None}
    if row.default_key is not None:
        assert resolved(name, {}, **wish).api_key == row.default_key
        return
    with pytest.raises(AuthenticationError) as caught:
        resolved(name, {}, **wish)
    assert all(variable in str(caught.value) for variable in row.key_env)
    assert caught.value.llm_provider == name


def test_its_base_variables_are_looked_up_in_order(row: Host, name: str) -> None:
    environment = {variable: f"https://h{i}.example" for i, variable in enumerate(row.base_env)}
    for i, variable in enumerate(row.base_env):
        assert resolved(name, environment, api_key="k").base_url == f"https://h{i}.example"
        del environment[variable]
    assert resolved(name, {}, api_key="k", api_base=REMOTE).base_url == REMOTE
    if row.base_url is not None:
        assert resolved(name, {}, api_key="k").base_url == row.base_url
        return
    with pytest.raises(BadRequestError) as caught:
        resolved(name, {}, api_key="k")
    assert all(variable in str(caught.value) for variable in row.base_env)


def test_a_single_word_gets_the_models_prefix(row: Host, name: str) -> None:
    assert resolved(name, {}, **enough(row)).model == row.model_prefix + "model"
    assert resolved(name, {}, model=f"{name}/whose/model", **enough(row)).model == "whose/model"


def test_its_rules_are_applied(row: Host, name: str) -> None:
    provider = compatible.provider_of(name)
    target = resolved(name, {}, **enough(row))
    given: Json = {**dict.fromkeys(row.rename, 5), **{p: high + 1 for p, (_, high) in row.clamp.items()}, "x_own": 1}
    sent = body(openai.request(provider, Call("chat", target, given, False)))
    assert sent["x_own"] == 1
    for old, new in row.rename.items():
        assert old not in sent and sent[new] == 5
    for parameter, (_, high) in row.clamp.items():
        assert sent[row.rename.get(parameter, parameter)] == high
    assert row.force.items() <= sent.items()
    for parameter in row.unsupported:
        with pytest.raises(UnsupportedParamsError):
            openai.request(provider, Call("chat", target, {parameter: 1}, False))


def test_its_headers_are_sent_with_the_key_in_its_place(row: Host, name: str) -> None:
    target = resolved(name, {}, **enough(row))
    request = openai.request(compatible.provider_of(name), Call("chat", target, {}, False))
    assert request.headers.get("authorization") == "Bearer k"
    for header, text in row.headers.items():
        assert request.headers.get(header.lower()) == text.replace("{api_key}", "k")
    assert str(request.url) == (row.base_url or REMOTE).rstrip("/") + "/chat/completions"


def test_headers_of_a_row_hold_the_key_where_they_say_so() -> None:
    from dataclasses import replace

    provider = replace(compatible.provider_of("openai"), headers={"X-Key": "is {api_key}"})
    target = resolved("openai", {}, api_key="k")
    assert openai.request(provider, Call("chat", target, {}, False)).headers.get("x-key") == "is k"


def test_an_unknown_field_in_the_file_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown fields"):
        hosts._host({"base_url": "https://x", "base_urll": "y"})


def test_unknown_names_have_no_provider() -> None:
    for model in ("no-such-host/model", "nonsense", "openai/", "/x"):
        with pytest.raises(BadRequestError):
            split_model(model)
    with pytest.raises(BadRequestError, match="Unknown provider 'nope'"):
        split_model("x", custom_llm_provider="nope")
