"""Asking a gateway over plain HTTP, and reading its streams."""

import json
from typing import Any

import httpx

from support.gateway import Gateway

MESSAGES = [{"role": "user", "content": "hi"}]
TEXT = " tok0 tok1 tok2 tok3 tok4"


def wire(model: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": MESSAGES, **more}


def client(gateway: Gateway, **more: Any) -> httpx.Client:
    """Keeps connections, like any client; shows the key; minds no proxy of this machine."""
    return httpx.Client(base_url=gateway.origin, headers=gateway.headers, timeout=90, trust_env=False, **more)


def chat(caller: httpx.Client, model: str, **more: Any) -> httpx.Response:
    """One chat, read to its end whether streamed or not."""
    return caller.post("/v1/chat/completions", json=wire(model, **more))


def text_of(answer: httpx.Response) -> str:
    return answer.json()["choices"][0]["message"]["content"]


def data_of(body: str) -> list[str]:
    """The data of every event; what is no event has to be a comment."""
    assert body.endswith("\n\n") or not body, body[-200:]
    blocks = body.split("\n\n")[:-1]
    assert all(block.startswith(("data: ", ":")) and "\n" not in block for block in blocks), body[:500]
    return [block.removeprefix("data: ") for block in blocks if block.startswith("data: ")]


def chunks_of(body: str) -> list[dict[str, Any]]:
    """The chunks of a stream that has gone well."""
    *data, done = data_of(body)
    assert done == "[DONE]", body[-500:]
    return [json.loads(one) for one in data]


def said(chunks: list[dict[str, Any]]) -> str:
    choices = (chunk["choices"][0] for chunk in chunks if chunk["choices"])
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def error_of(body: str) -> dict[str, Any]:
    """The error that a stream has ended with, and nothing behind it."""
    *before, last = data_of(body)
    assert "[DONE]" not in before and last != "[DONE]"
    error = json.loads(last)["error"]
    assert_error(error)
    return error


def assert_error(error: dict[str, Any], status: int | None = None) -> None:
    """OpenAI's error object."""
    assert set(error) == {"message", "type", "param", "code"}, error
    assert isinstance(error["message"], str) and isinstance(error["code"], str)
    assert error["type"] != "None" and error["param"] != "None"
    assert status is None or error["code"] == str(status), error
