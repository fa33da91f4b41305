"""Small functions that dependents call: secrets, loggers, MCP tools, hosts, images, metadata, threads."""

import asyncio
import base64
import logging
import struct
import sys
from types import ModuleType, SimpleNamespace

import pytest

import litellm
from litellm._logging import ALL_LOGGERS, _disable_debugging, _enable_debugging
from litellm.experimental_mcp_client.tools import (
    transform_mcp_tool_to_openai_tool,
    transform_openai_tool_call_request_to_mcp_tool_call_request,
)
from litellm.integrations.custom_batch_logger import CustomBatchLogger
from litellm.litellm_core_utils.core_helpers import get_or_create_metadata_bucket, map_finish_reason
from litellm.litellm_core_utils.json_validation_rule import validate_schema
from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER
from litellm.litellm_core_utils.thread_pool_executor import executor
from litellm.litellm_core_utils.token_counter import get_image_dimensions
from litellm.llms.bedrock_mantle.common_utils import MANTLE_HOST_RE
from litellm.llms.openai_like.json_loader import JSONProviderRegistry
from litellm.utils import load_credentials_from_list, type_to_response_format_param, validate_and_fix_thinking_param


def test_secrets_are_environment_variables(monkeypatch: pytest.MonkeyPatch):
    for name, text in {"A_TEXT": "x", "A_TRUTH": "True", "A_ONE": "1"}.items():
        monkeypatch.setenv(name, text)
    monkeypatch.delenv("NOT_SET", raising=False)
    assert litellm.get_secret("A_TEXT") == litellm.get_secret("os.environ/A_TEXT") == "x"
    assert litellm.get_secret("A_TRUTH") is True
    assert litellm.get_secret("NOT_SET") is None
    assert litellm.get_secret("NOT_SET", "default") == "default"
    assert litellm.get_secret_bool("A_ONE") is True
    assert litellm.get_secret_bool("A_TEXT") is None
    assert litellm.get_secret_bool("NOT_SET", False) is False


def test_credentials_by_name(monkeypatch: pytest.MonkeyPatch):
    entry = {"credential_name": "mine", "credential_values": {"api_key": "k", "api_base": "b"}}
    monkeypatch.setattr(litellm, "credential_list", [entry], raising=False)
    kwargs = {"litellm_credential_name": "mine", "api_base": "own"}
    load_credentials_from_list(kwargs)
    assert kwargs == {"litellm_credential_name": "mine", "api_base": "own", "api_key": "k"}
    monkeypatch.setattr(litellm, "credential_list", [SimpleNamespace(**entry)])
    kwargs = {"litellm_credential_name": "mine"}
    load_credentials_from_list(kwargs)
    assert kwargs["api_key"] == "k"
    nothing: dict[str, str] = {}
    load_credentials_from_list(nothing)
    assert nothing == {}


def test_loggers_have_litellm_s_names():
    assert litellm.verbose_logger is logging.getLogger("LiteLLM")
    assert litellm._logging.verbose_proxy_logger is logging.getLogger("LiteLLM Proxy")
    assert litellm._logging.verbose_router_logger is logging.getLogger("LiteLLM Router")


def test_debugging_is_switched_on_and_off(monkeypatch: pytest.MonkeyPatch):
    for logger in ALL_LOGGERS:
        for name in ("level", "disabled", "handlers"):
            value = getattr(logger, name)
            monkeypatch.setattr(logger, name, [*value] if isinstance(value, list) else value)
    litellm._turn_on_debug()
    litellm._turn_on_debug()
    assert all(logger.level == logging.DEBUG for logger in ALL_LOGGERS)
    assert [sum(type(h) is logging.StreamHandler for h in logger.handlers) for logger in ALL_LOGGERS[1:]] == [1, 1, 1]
    _disable_debugging()
    assert all(logger.disabled for logger in ALL_LOGGERS)
    _enable_debugging()
    assert not any(logger.disabled for logger in ALL_LOGGERS)
    for logger in ALL_LOGGERS:
        logger.setLevel(logging.NOTSET)  # clears the cache of levels; the attribute is put back


def test_tools_of_mcp(monkeypatch: pytest.MonkeyPatch):
    tool = SimpleNamespace(name="add", description=None, inputSchema={"properties": {"a": {"type": "integer"}}})
    assert transform_mcp_tool_to_openai_tool(tool) == {
        "type": "function",
        "function": {
            "name": "add",
            "description": "",
            "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
            "strict": False,
        },
    }
    types = ModuleType("mcp.types")
    types.CallToolRequestParams = SimpleNamespace  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mcp", ModuleType("mcp"))
    monkeypatch.setitem(sys.modules, "mcp.types", types)
    call = litellm.ChatCompletionMessageToolCall(id="1", function={"name": "add", "arguments": '{"a": 1}'})
    made = transform_openai_tool_call_request_to_mcp_tool_call_request(openai_tool=call)
    assert (made.name, made.arguments) == ("add", {"a": 1})
    with pytest.raises(ValueError, match="Expecting"):
        transform_openai_tool_call_request_to_mcp_tool_call_request({"function": {"name": "f", "arguments": "{"}})


def test_an_answer_against_a_schema(monkeypatch: pytest.MonkeyPatch):
    class ValidationError(Exception):
        pass

    def validate(value: object, schema: dict[str, str]) -> None:
        if not isinstance(value, dict):
            raise ValidationError("no object")

    module = ModuleType("jsonschema")
    vars(module).update(validate=validate, ValidationError=ValidationError)
    monkeypatch.setitem(sys.modules, "jsonschema", module)
    validate_schema(schema={"type": "object"}, response="{}")
    for text in ("[]", "no json"):
        with pytest.raises(litellm.JSONSchemaValidationError) as raised:
            validate_schema(schema={"type": "object"}, response=text)
        assert (raised.value.raw_response, raised.value.schema) == (text, '{"type": "object"}')


def test_hosts_by_litellm_s_class():
    groq = JSONProviderRegistry.get("groq")
    assert groq is not None
    assert (groq.slug, groq.base_url, groq.api_key_env) == ("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY")
    assert JSONProviderRegistry.exists("groq")
    assert not JSONProviderRegistry.exists("no-such-host")
    assert JSONProviderRegistry.get("no-such-host") is None
    assert set(JSONProviderRegistry.list_providers()) <= set(litellm.provider_list)
    found = MANTLE_HOST_RE.match("https://bedrock-mantle.us-east-1.api.aws/v1")
    assert found is not None
    assert found["region"] == "us-east-1"


def test_sizes_of_images():
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + struct.pack(">II", 30, 20) + b"\0" * 8).decode()
    assert get_image_dimensions(data=f"data:image/png;base64,{png}") == (30, 20)
    assert get_image_dimensions(data=png) == (30, 20)
    assert get_image_dimensions(data="https://127.0.0.1:1/x.png") == (1024, 1024)


def test_metadata_s_place():
    request: dict[str, object] = {"metadata": {"a": 1}}
    name, bucket = get_or_create_metadata_bucket(request)
    assert (name, bucket) == ("metadata", {"a": 1})
    assert bucket is request["metadata"]
    assert get_or_create_metadata_bucket({"metadata": {"a": 1}, "litellm_metadata": {}}) == ("litellm_metadata", {})
    request = {}
    _, bucket = get_or_create_metadata_bucket(request)
    assert bucket is request["metadata"]


def test_words_of_vendors_and_callers():
    assert map_finish_reason("end_turn") == "stop"
    given = {"type": "enabled", "budgetTokens": 5}
    assert validate_and_fix_thinking_param(given) == {"type": "enabled", "budget_tokens": 5}
    assert given == {"type": "enabled", "budgetTokens": 5}
    assert validate_and_fix_thinking_param(None) is None
    assert type_to_response_format_param({"type": "json_object"}) == {"type": "json_object"}


def test_what_runs_beside_the_calls():
    told: list[str] = []

    def hear(kwargs: dict[str, object], response: object, start: object, end: object) -> None:
        told.append(str(kwargs["model"]))

    async def call() -> None:
        GLOBAL_LOGGING_WORKER.start()
        await litellm.acompletion(model="openai/m", messages=[{"role": "user", "content": "x"}], mock_response="y")
        await GLOBAL_LOGGING_WORKER.flush()
        assert told == ["m"]
        await GLOBAL_LOGGING_WORKER.clear_queue()
        await GLOBAL_LOGGING_WORKER.stop()

    litellm.success_callback = [hear]
    try:
        asyncio.run(call())
    finally:
        del litellm.success_callback
    assert executor.submit(lambda: 5).result(10) == 5


def test_batches_of_news():
    class Sender(CustomBatchLogger):
        sent: list[list[int]]
        enough: asyncio.Event

        async def async_send_batch(self) -> None:
            self.sent.append([*self.log_queue])
            if len(self.sent) == 4:
                self.enough.set()
            self.log_queue.append(9)  # arrives while the batch is on its way
            if len(self.sent) == 1:
                raise OSError("no network")

    async def run() -> None:
        sender = Sender(flush_lock=asyncio.Lock(), batch_size=2, flush_interval=0)
        sender.sent, sender.enough = [], asyncio.Event()
        sender.log_queue += [1, 2]
        with pytest.raises(OSError, match="no network"):
            await sender.flush_queue()
        assert sender.log_queue == [1, 2, 9]
        await sender.flush_queue()
        assert (sender.sent[1], sender.log_queue) == ([1, 2, 9], [9])
        task = asyncio.create_task(sender.periodic_flush())
        await asyncio.wait_for(sender.enough.wait(), 10)
        task.cancel()
        idle = CustomBatchLogger()
        idle.log_queue.append(1)
        await idle.flush_queue()
        assert (idle.log_queue, idle.batch_size, idle.flush_interval) == ([1], 512, 5)

    asyncio.run(run())
