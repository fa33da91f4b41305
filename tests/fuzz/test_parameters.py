"""Every parameter and header that the gateway knows, with any JSON value: accepted or refused by name, never a 500."""

import http.client
import json
from collections.abc import Callable
from random import Random
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from fuzz.report import Report
from litellm.catalog import params
from support.counts import fuzz_requests, fuzz_seed
from support.gateway import Gateway

pytestmark = [pytest.mark.slow, pytest.mark.soak]

BODIES: Final[dict[str, dict[str, Any]]] = {
    "/v1/chat/completions": {"model": "ok", "messages": [{"role": "user", "content": "hi"}]},
    "/v1/completions": {"model": "tokens-3", "prompt": "hi"},
    "/engines/ok/embeddings": {"input": ["hi"]},
}
_PREFIXED: Final = frozenset(prefix + "name" for prefix in params.CREDENTIAL_PREFIXES)
_FAILING: Final = {name for name in params.OURS if name.startswith("mock_testing_")}  # they are to fail
NAMES: Final = sorted(
    frozenset[str]().union(*params.OPENAI.values()) | params.OURS - _FAILING | _PREFIXED | {"model", "unknown"}
)
HEADERS: Final = (
    "x-litellm-timeout", "x-litellm-stream-timeout", "x-litellm-num-retries", "x-litellm-max-retries",
    "x-litellm-call-id", "x-litellm-tags", "traceparent", "content-type", "accept", "content-encoding", "host-x",
)  # fmt: skip

_numbers = st.one_of(
    st.integers(), st.sampled_from([0, -1, 2**31, 2**63, 2**64, 10**400]), st.floats(), st.sampled_from([1e308, 1e-308])
)
_texts = st.one_of(
    st.text(max_size=30), st.sampled_from(["", "nan", "inf", "1e999", "\x00", "../..", "a\r\nb: c", "💥"])
)
VALUES: Final = st.recursive(
    st.one_of(st.none(), st.booleans(), _numbers, _texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_texts, inner, max_size=4)),
    max_leaves=8,
)
REQUESTS: Final = st.tuples(
    st.sampled_from(sorted(BODIES)),
    st.dictionaries(st.sampled_from(NAMES), VALUES, min_size=1, max_size=3),
    st.booleans(),
    st.dictionaries(st.sampled_from(HEADERS), st.text(st.characters(min_codepoint=32, max_codepoint=126)), max_size=1),
)


def test_any_value_of_any_parameter_is_answered_or_refused(target: Gateway, tell: Callable[[str], None]) -> None:
    number, report = fuzz_requests(), Report("parameters", fuzz_seed())
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=60)

    @seed(report.seed)
    @settings(
        max_examples=number,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(REQUESTS)
    def each(request: tuple[str, dict[str, Any], bool, dict[str, str]]) -> None:
        path, given_params, streams, headers = request
        body = BODIES[path] | ({"stream": True} if streams else {}) | given_params
        told = json.dumps(body)  # NaN and Infinity included: that is what careless callers send
        connection.request("POST", path, told.encode(), headers | target.headers)
        answer = connection.getresponse()
        report.saw(answer.status, True, answer.read(), f"{path} {told} {headers}")

    each()
    connection.close()
    report.check(tell)
    assert report.statuses.total() >= number * 0.9
    assert report.succeeded >= number / 20 and report.statuses[400] >= number / 20


def test_every_name_with_every_kind_of_value(target: Gateway, tell: Callable[[str], None]) -> None:
    """The same as a table: no name is left to chance."""
    report, random = Report("every parameter", fuzz_seed()), Random(fuzz_seed())
    kinds: list[Any] = [None, True, -1, 0, 3, 10**9, 2**64, 0.5, "", "text", [], ["a"], [[1]], {}, {"a": {"b": [None]}}]
    paths = sorted(BODIES)
    for name in NAMES:
        for value in kinds:
            path = random.choice(paths)
            body = BODIES[path] | {"stream": random.random() < 0.3} | {name: value}
            status, answer = target.post(path, body)
            report.saw(status, True, answer, f"{path} {json.dumps(body)}")
    report.check(tell)
    assert report.succeeded > len(NAMES)
