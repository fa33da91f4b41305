"""The log: no key in it at any level, and nothing of a request at the default one."""

import json
import logging

import pytest

from litellm.proxy import logs
from support.asking import chat, client, wire
from support.gateway import Gateway, upstream_config
from support.upstream import UpstreamThread

KEYS = ["sk-proj-abc_DEF-123", "sk-1234567890", "eyJhbGciOi.J9.x-y_z", "0123456789abcdef"]
FORMS = [
    "Authorization: Bearer {}",
    "authorization: bearer {}",
    "api_key={}",
    "api-key: {}",
    "{{'api_key': '{}'}}",
    '{{"apiKey": "{}", "a": 1}}',
    "x-litellm-api-key: {}",
]


def formatted(message: str, *args: object, error: BaseException | None = None) -> str:
    info = (type(error), error, None) if error else None
    record = logging.LogRecord("litellm", logging.INFO, "", 0, message, args, info)
    return logs.Redacting("%(message)s").format(record)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("form", FORMS)
def test_keys_are_replaced(form: str, key: str) -> None:
    text = form.format(key)
    for shown in (formatted(text), formatted("said %s", text), formatted("x", error=ValueError(text))):
        assert key not in shown and "***" in shown


def test_words_are_left_alone() -> None:
    for text in ("risk-averse task-1234", "the bearer of news", "no api key passed in", "sk-"):
        assert formatted(text) == text


def test_debug_tells_of_requests_and_hides_keys(
    upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory
) -> None:
    config = upstream_config(upstream.base_url)
    with Gateway(config, tmp_path_factory.mktemp("debug"), ("--debug",)) as gateway, client(gateway) as caller:
        chat(caller, "ok")
        chat(caller, "status-400", note="written by a caller")
        caller.post("/v1/chat/completions?key=sk-in-the-query", json=wire("ok"), headers={"api-key": "sk-wrong-canary"})
        log = gateway.log
    assert "POST /v1/chat/completions: 200 after" in log and "told to fail with 400" in log
    for secret in ("sk-upstream", "sk-in-the-query", "sk-wrong-canary", "written by a caller"):
        assert secret not in log


def test_by_default_a_request_leaves_no_line(
    upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory
) -> None:
    config = upstream_config(upstream.base_url)
    with Gateway(config, tmp_path_factory.mktemp("quiet")) as gateway, client(gateway) as caller:
        lines = len(gateway.log.splitlines())
        for model in ("ok", "status-500", "not-json", "reset-mid-body", "hang"):
            chat(caller, model, num_retries=0, timeout=1)
            chat(caller, model, num_retries=0, timeout=1, stream=True)
        caller.post("/v1/chat/completions", content=b"{nonsense")
        caller.get("/nothing", headers={"authorization": "Bearer wrong"})
        assert gateway.log.splitlines()[lines:] == []
        assert json.loads(gateway.get("/health/readiness")[1])["status"] == "healthy"
