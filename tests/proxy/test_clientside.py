"""What a request may not say, field by field, and what a caller's own address never takes along."""

import asyncio
from dataclasses import replace
from typing import Any

import orjson
import pytest

from litellm.catalog import params as names
from litellm.engine.engine import Engine
from litellm.engine.resolve import timeouts
from litellm.proxy import clientside
from litellm.proxy.errors import ProxyError
from litellm.router.deployments import Deployment
from litellm.transport.mock import MockTransport
from litellm.types.calls import Ask, Target
from litellm.types.http import HttpRequest, HttpResponse, Timeouts, Tls

OWN = Deployment(
    id="d1",
    model_name="m",
    target=Target(
        provider="openai",
        model="real",
        base_url="http://own.example/v1",
        api_key="sk-own-canary",
        organization="org-own-canary",
        headers=(("x-own", "header-canary"),),
        tls=Tls(cert_file="/cert-canary.pem", key_file="/key-canary.pem"),
        timeouts=timeouts(60),
    ),
    fixed={"secret_field": "body-canary"},
    defaults={"temperature": 0.5},
    stream_timeouts=timeouts(50, stream=True),
)
ALL_OPEN = frozenset({"api_base", "base_url", "api_key", "organization"})


def refused(ours: dict[str, Any], *group: Deployment) -> ProxyError:
    with pytest.raises(ProxyError) as caught:
        clientside.refuse(ours, group or (OWN,))
    assert caught.value.status_code == 400
    return caught.value


def changed(ours: dict[str, Any], deployment: Deployment = OWN, stream: bool = False) -> Deployment:
    (made,) = clientside.applied(ours, (deployment,), stream)
    return made


def sent(deployment: Deployment) -> HttpRequest:
    """What goes out for a call of this deployment."""
    transport = MockTransport(lambda _: HttpResponse(200, [], b'{"choices":[]}'))
    ask = Ask("chat", "m", {"messages": []})
    asyncio.run(Engine(transport, lambda: 0.0).send(deployment.call(ask)))
    return transport.requests[0]


PREFIXED = [
    "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_region_name", "aws_role_name",
    "aws_session_name", "aws_profile_name", "aws_web_identity_token", "aws_sts_endpoint",
    "aws_bedrock_runtime_endpoint", "aws_anything", "vertex_project", "vertex_location", "vertex_credentials",
    "vertex_ai_project", "vertex_anything",
]  # fmt: skip
OF_THE_ISSUE = [
    "api_base", "base_url", "api_key", "organization", "custom_llm_provider", "extra_headers", "headers", "ssl_verify",
    "client",
]  # fmt: skip


@pytest.mark.parametrize("name", sorted({*OF_THE_ISSUE, *PREFIXED, *names.CREDENTIALS}))
@pytest.mark.parametrize("value", ["x", {"a": "b"}, False, 0, ""])
def test_every_forbidden_field_is_refused_by_its_name(name: str, value: Any) -> None:
    error = refused({name: value})
    assert error.param == name and f"'{name}'" in error.message


@pytest.mark.parametrize("name", ["api_base", "aws_secret_access_key", "guardrails"])
def test_null_says_nothing(name: str) -> None:
    clientside.refuse({name: None}, (OWN,))
    assert changed({name: None}) is OWN


@pytest.mark.parametrize("name", ["guardrails", "context_window_fallback_dict", "model_list"])
def test_what_is_not_built_yet_is_refused_and_not_ignored(name: str) -> None:
    assert refused({name: ["x"]}).param == name


@pytest.mark.parametrize("name", sorted(ALL_OPEN))
def test_a_deployment_can_open_single_fields(name: str) -> None:
    opened = replace(OWN, clientside=frozenset({name}))
    clientside.refuse({name: "http://theirs.example"}, (opened,))
    for other in ALL_OPEN - {name}:
        assert refused({name: "x", other: "x"}, opened).param == other
    assert refused({name: "x"}, opened, OWN).param == name, "every deployment that may be chosen has to"


@pytest.mark.parametrize("name", ["custom_llm_provider", "extra_headers", "ssl_verify", "client", "aws_region_name"])
def test_other_fields_cannot_be_opened(name: str) -> None:
    assert refused({name: "x"}, replace(OWN, clientside=frozenset({name}))).param == name


@pytest.mark.parametrize("given", [("api_base",), ("base_url",), ("api_base", "base_url")], ids="+".join)
@pytest.mark.parametrize("beside", [{}, {"api_key": "sk-theirs"}, {"organization": "org-theirs"},
                                    {"api_key": "sk-theirs", "organization": "org-theirs"}])  # fmt: skip
@pytest.mark.parametrize("timeout", [{}, {"timeout": 5}])
def test_a_callers_address_never_travels_with_what_is_the_deployments_own(
    given: tuple[str, ...], beside: dict[str, str], timeout: dict[str, Any]
) -> None:
    deployment = changed({**dict.fromkeys(given, "http://theirs.example/v1"), **beside, **timeout})
    if "api_key" not in beside:
        assert deployment.keyless is not None and "api_key" in deployment.keyless
        deployment = replace(deployment, keyless=None)  # even if that check were not there
    request = sent(deployment)
    assert request.url.host == "theirs.example"
    told = request.headers.wire + bytes(request.body) + repr(request.tls).encode()
    assert b"canary" not in told and b"own.example" not in told
    assert request.headers.get("authorization") == (f"Bearer {beside['api_key']}" if "api_key" in beside else None)
    assert request.headers.get("openai-organization") == beside.get("organization")
    assert orjson.loads(request.body)["temperature"] == 0.5, "OpenAI's parameters are no secret"


def test_a_key_alone_goes_to_the_deployments_own_address() -> None:
    request = sent(changed({"api_key": "sk-theirs"}))
    assert request.url.host == "own.example"
    assert request.headers.get("authorization") == "Bearer sk-theirs"
    assert request.headers.get("openai-organization") == "org-own-canary"


def test_a_key_helps_a_deployment_that_has_none() -> None:
    keyless = replace(OWN, keyless="no key", target=replace(OWN.target, api_key=None))
    assert changed({"api_key": "sk-theirs"}, keyless).keyless is None
    assert changed({"organization": "org"}, keyless).keyless == "no key"


def test_the_deployment_itself_is_not_changed() -> None:
    sent(OWN)
    changed({"api_base": "http://theirs.example", "api_key": "k", "timeout": 3})
    request = sent(OWN)
    assert request.headers.get("authorization") == "Bearer sk-own-canary"
    assert request.timeouts == timeouts(60)


@pytest.mark.parametrize("name", sorted(ALL_OPEN))
@pytest.mark.parametrize("value", ["", 5, ["x"], {"a": 1}, True])
def test_what_is_opened_still_has_to_be_a_string(name: str, value: Any) -> None:
    with pytest.raises(ProxyError) as caught:
        changed({name: value})
    assert (caught.value.status_code, caught.value.param) == (400, name)


@pytest.mark.parametrize("base", ["nonsense", "file:///etc/passwd", "http://", "http://u:p@x/", "http://x\r\ny", "//x"])
def test_an_address_has_to_be_one(base: str) -> None:
    with pytest.raises(ProxyError) as caught:
        changed({"api_base": base, "api_key": "k"})
    assert (caught.value.status_code, caught.value.param) == (400, "api_base")


# Timeouts, retries


@pytest.mark.parametrize(
    ("ours", "stream", "expected"),
    [
        ({"timeout": 5}, False, Timeouts(5, 5, 5, 5)),
        ({"timeout": "5"}, False, Timeouts(5, 5, 5, 5)),
        ({"timeout": 30}, True, Timeouts(10, 30, 30, None)),
        ({"request_timeout": 30}, False, Timeouts(10, 30, 30, 30)),
        ({"timeout": 5, "request_timeout": 30}, False, Timeouts(5, 5, 5, 5)),
        ({"timeout": 5, "stream_timeout": 7}, True, Timeouts(7, 7, 7, None)),
        ({"timeout": 5, "stream_timeout": 7}, False, Timeouts(5, 5, 5, 5)),
    ],
)
def test_a_caller_may_say_how_long_it_waits(ours: dict[str, Any], stream: bool, expected: Timeouts) -> None:
    made = changed(ours, stream=stream)
    assert made.call(Ask("chat", "m", {}, stream)).target.timeouts == expected


@pytest.mark.parametrize("name", ["timeout", "request_timeout", "stream_timeout"])
@pytest.mark.parametrize("value", [0, -1, "x", "nan", [5], {}, ""])
def test_a_time_that_is_none_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ProxyError) as caught:
        changed({name: value}, stream=True)
    assert (caught.value.status_code, caught.value.param) == (400, name)


@pytest.mark.parametrize(
    ("ours", "count"),
    [({}, None), ({"num_retries": 0}, 0), ({"num_retries": "3"}, 3), ({"max_retries": 1}, 1),
     ({"num_retries": 2, "max_retries": 5}, 2), ({"num_retries": None, "max_retries": 5}, 5)],
)  # fmt: skip
def test_a_caller_may_say_how_often(ours: dict[str, Any], count: int | None) -> None:
    assert clientside.retries(ours) == count


@pytest.mark.parametrize("name", ["num_retries", "max_retries"])
@pytest.mark.parametrize("value", [-1, 11, "x", [1], 1e300, "9" * 5000])
def test_a_count_that_is_none_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ProxyError) as caught:
        clientside.retries({name: value})
    assert caught.value.param == name and len(caught.value.message) < 200


def test_parameters_may_be_dropped_instead_of_refused() -> None:
    assert changed({"drop_params": True}).target.drop_params
    assert not changed(
        {"drop_params": False}, replace(OWN, target=replace(OWN.target, drop_params=True))
    ).target.drop_params
    with pytest.raises(ProxyError) as caught:
        changed({"drop_params": "yes"})
    assert caught.value.param == "drop_params"
