"""The gateway's callbacks and custom providers: Python that a config names."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from litellm.engine.engine import Engine
from litellm.proxy.callbacks import ObjectError
from litellm.proxy.config.load import inspect, load
from litellm.proxy.snapshot import Snapshot, build
from litellm.router.router import Router
from litellm.router.told import ToldRouter
from litellm.transport.mock import MockTransport
from support.gateway import Gateway
from support.upstream import UpstreamThread

HOOKS = """
import json, os
from litellm import CustomLLM, CustomLLMError, ModelResponse
from litellm.integrations.custom_guardrail import CustomGuardrail
from litellm.integrations.custom_logger import CustomLogger

def put(what, kwargs, response=None, **more):
    payload = kwargs["standard_logging_object"] or {}
    text = response.choices[0].message.content if hasattr(response, "choices") else None
    line = {"what": what, "model": kwargs["model"], "metadata": kwargs["litellm_params"]["metadata"], "text": text,
            "cost": kwargs["response_cost"], "tokens": payload.get("total_tokens"), "id": kwargs["litellm_call_id"],
            "status": payload.get("status"), "group": payload.get("model_group"), "hit": kwargs["cache_hit"],
            "key": payload.get("cache_key"), **more}
    with open(os.environ["NEWS"], "a") as file:
        file.write(json.dumps(line) + "\\n")

class Logger(CustomLogger):
    def log_pre_api_call(self, model, messages, kwargs):
        put("pre", kwargs)

    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
        put("success", kwargs, response_obj)

    async def async_log_failure_event(self, kwargs, response_obj, start_time, end_time):
        put("failure", kwargs, error=type(kwargs["exception"]).__name__)

logger = Logger()

def done(kwargs, response, start, end):
    put("done", kwargs, response)

def broken(*_):
    raise RuntimeError("a secret prompt")

class Mine(CustomLLM):
    def completion(self, model, messages, model_response, **kwargs):
        if model == "limit":
            raise CustomLLMError(429, "slow down")
        model_response.choices[0].message.content = "from " + model
        model_response.choices[0].finish_reason = "stop"
        return model_response

    def streaming(self, model, **kwargs):
        yield {"text": "streamed ", "is_finished": False, "index": 0}
        yield {"text": "by " + model, "is_finished": True, "finish_reason": "stop", "index": 0}

llm = Mine()
number = 3

class Guard(CustomGuardrail):
    async def async_filter_deployments(self, model, healthy_deployments, **_):
        return healthy_deployments

guard = Guard(guardrail_name="g", default_on=True)
"""


def config(base_url: str, settings: str) -> str:
    return f"""
model_list:
  - model_name: "up/*"
    litellm_params: {{model: "openai/*", api_base: "{base_url}", api_key: k, max_retries: 0}}
  - model_name: priced
    litellm_params: {{model: openai/gpt-4o, mock_response: hello you}}
  - model_name: own
    litellm_params: {{model: mine/abc}}
  - model_name: limit
    litellm_params: {{model: mine/limit, max_retries: 0}}
litellm_settings:
  {settings}
general_settings: {{master_key: sk-1234}}
"""


def ask(gateway: Gateway, model: str, **more: Any) -> tuple[int, bytes]:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
    request = urllib.request.Request(
        f"http://127.0.0.1:{gateway.port}/v1/chat/completions",
        json.dumps(body).encode(),
        {"authorization": "Bearer sk-1234", "x-litellm-call-id": more.get("user", "c0")},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def news(file: Path, count: int) -> list[dict[str, Any]]:
    until = time.monotonic() + 30
    lines: list[str] = []
    while len(lines) < count and time.monotonic() < until:
        time.sleep(0.02)
        lines = file.read_text().splitlines() if file.exists() else []
    assert len(lines) == count, lines
    return [json.loads(line) for line in lines]


Start = Callable[..., Gateway]
SETTINGS = """callbacks: hooks.logger
  success_callback: [hooks.broken, hooks.done]
  custom_provider_map: [{provider: mine, custom_handler: hooks.llm}]"""


def test_callbacks_and_custom_providers(
    start_gateway: Start, upstream: UpstreamThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, file = tmp_path / "gateway0", tmp_path / "news"
    folder.mkdir()
    (folder / "hooks.py").write_text(HOOKS)
    gateway = start_gateway(config(upstream.base_url, SETTINGS), NEWS=str(file))

    assert ask(gateway, "priced", metadata={"who": "me"}, user="u7")[0] == 200
    pre, done, success = news(file, 3)
    assert [line["what"] for line in (pre, done, success)] == ["pre", "done", "success"]
    assert {line["id"] for line in (pre, done, success)} == {"u7"}
    assert success["metadata"] == {"who": "me", "model_group": "priced"}
    assert (success["text"], success["tokens"], success["status"]) == ("hello you", 30, "success")
    assert success["cost"] == pytest.approx(10 * 2.5e-6 + 20 * 10e-6)

    status, streamed = ask(gateway, "up/m", stream=True)
    assert status == 200 and streamed.endswith(b"data: [DONE]\n\n")
    texts = [json.loads(line[6:]) for line in streamed.split(b"\n\n") if line.startswith(b"data: {")]
    said = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in texts if chunk["choices"])
    *_, success = news(file, 6)
    assert (success["text"], success["model"], success["group"]) == (said, "m", "up/*")
    assert success["tokens"] > 0, "the gateway always asks for usage"

    assert ask(gateway, "up/status-404")[0] == 404
    *_, failure = news(file, 8)
    assert (failure["what"], failure["error"], failure["text"]) == ("failure", "NotFoundError", None)

    assert b'"error"' in ask(gateway, "up/bad-json-event", stream=True)[1]
    *_, failure = news(file, 10)
    assert failure["what"] == "failure"

    status, body = ask(gateway, "own")
    assert (status, json.loads(body)["choices"][0]["message"]["content"]) == (200, "from abc")
    assert b"by abc" in ask(gateway, "own", stream=True)[1]
    assert ask(gateway, "limit")[0] == 429
    answers = [line["text"] for line in news(file, 18) if line["what"] == "success"]
    assert answers[-2:] == ["from abc", "streamed by abc"]
    assert ask(gateway, "nobody")[0] == 400
    assert gateway.stop() == 0
    assert "RuntimeError" in gateway.log and "a secret prompt" not in gateway.log


CACHED = """callbacks: hooks.logger
  custom_provider_map: [{provider: mine, custom_handler: hooks.llm}]
  cache: true
  cache_params: {type: semantic, similarity_threshold: 0.8, embedding_model: up/by-words}"""


def test_answers_from_the_cache_are_told_of(start_gateway: Start, upstream: UpstreamThread, tmp_path: Path) -> None:
    """Whole ones and streams, of the same words and of like ones: each is a call that succeeded, and cost nothing."""
    folder, file = tmp_path / "gateway0", tmp_path / "news"
    folder.mkdir()
    (folder / "hooks.py").write_text(HOOKS)
    gateway = start_gateway(config(upstream.base_url, CACHED), NEWS=str(file))

    def told(content: str, count: int, stream: bool = False) -> dict[str, Any]:
        """What callbacks hear of the chat's success, once they have been told so many things in all."""
        messages = [{"role": "user", "content": content}]
        assert ask(gateway, "priced", messages=messages, stream=stream)[0] == 200
        heard = [line for line in news(file, count) if line["group"] == "priced"]
        return heard[-1]

    france, like = "what is the capital of france", "what is the capital city of france"
    first = told(france, 4)  # of the embedding, too
    assert (first["hit"], first["key"]) == (None, None) and first["cost"] > 0
    hits = [told(france, 6), told(france, 8, stream=True), told(like, 12), told(like, 16, stream=True)]
    for hit in hits:
        assert (hit["what"], hit["hit"], hit["cost"], hit["status"]) == ("success", True, 0, "success")
        assert (hit["text"], hit["tokens"]) == ("hello you", 30)
    assert len({hit["key"] for hit in hits}) == 1 and len(hits[0]["key"]) == 64


# What a config may name, without a server


def snapshot(folder: Path, settings: str) -> Snapshot:
    (folder / "hooks.py").write_text(HOOKS)
    (folder / "deeper").mkdir(exist_ok=True)
    (folder / "deeper" / "more.py").write_text("from hooks import logger, llm")
    file = folder / "config.yaml"
    file.write_text(config("http://127.0.0.1:9/v1", settings))
    return build(load(file, environ={}), Engine(MockTransport(lambda _: None), time.perf_counter), {})  # type: ignore[arg-type]


MAP = "custom_provider_map: [{provider: mine, custom_handler: hooks.llm}]"


def test_without_callbacks_the_router_is_the_plain_one(tmp_path: Path) -> None:
    assert type(snapshot(tmp_path, MAP).router) is Router


@pytest.mark.parametrize(
    "settings", ["callbacks: hooks.logger", "input_callback: [deeper.more.logger]", "failure_callback: [hooks.done]"]
)
def test_objects_beside_the_config(tmp_path: Path, settings: str) -> None:
    assert type(snapshot(tmp_path, f"{settings}\n  {MAP}").router) is ToldRouter


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("callbacks: hooks.nothing", "litellm_settings.callbacks: hooks has no nothing"),
        ("callbacks: nowhere.logger", "ModuleNotFoundError"),
        ("success_callback: [hooks.number]", "neither a function nor a CustomLogger"),
        ("callbacks: hooks.guard", "async_filter_deployments, which this gateway does not call yet"),
    ],
)
def test_what_cannot_be_had_stops_the_start(tmp_path: Path, settings: str, said: str) -> None:
    with pytest.raises(ObjectError, match=said):
        snapshot(tmp_path, f"{settings}\n  {MAP}")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("callbacks: [no_such_thing]", "unknown callback 'no_such_thing'"),
        ("success_callback: [lunary]", "callback 'lunary' is not built yet"),
        ("custom_provider_map: [{provider: mine, custom_handler: hooks}]", "expected module.instance"),
        ("custom_provider_map: [{provider: mine}]", "is required"),
    ],
)
def test_the_check_knows_names(tmp_path: Path, settings: str, said: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(config("http://127.0.0.1:9/v1", settings))
    found, problems = inspect(file, environ={})
    assert found is None
    assert any(said in str(problem) for problem in problems), problems


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    first = snapshot(tmp_path, f"callbacks: hooks.logger\n  {MAP}").router
    again = snapshot(tmp_path, f"callbacks: hooks.logger\n  {MAP}").router
    assert isinstance(first, ToldRouter) and isinstance(again, ToldRouter)
    assert _listener(first) is not _listener(again)


def _listener(router: ToldRouter) -> Any:
    return router._telling.listeners.at["success"][0].listener
