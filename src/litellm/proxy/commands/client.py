"""Asking a running gateway over HTTP, from the command line."""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib import error, request

from litellm.proxy.commands.terminal import say

SECONDS: Final = 60.0


def ask(url: str, key: str | None, body: Mapping[str, Any] | None = None) -> Any:
    """The gateway's answer; None if there is none or it is an error, which has then been told."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    data = None if body is None else json.dumps(body).encode()
    opener = request.build_opener(request.ProxyHandler({}))  # a gateway is never behind the proxy to the outside
    try:
        with opener.open(request.Request(url, data, headers), timeout=SECONDS) as answer:
            return json.loads(answer.read())
    except error.HTTPError as refused:
        with refused:
            say(f"error: {url} answered {refused.code}: {_words(refused.read(2000))}")
    except error.URLError as failure:
        say(f"error: {url} cannot be reached: {failure.reason}")
    except (OSError, ValueError) as failure:
        say(f"error: {url}: {failure}")
    return None


def _words(answer: bytes) -> str:
    """What an error answer says, without its frame if it has the one of OpenAI's."""
    text = answer.decode("utf-8", "replace")
    try:
        return str(json.loads(text)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return text
