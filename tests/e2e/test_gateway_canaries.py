"""Canaries: secrets that can be recognised are put wherever a gateway holds one, everything is asked of it, and then
nothing that it said, logged or left on disk may hold any of them."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from e2e.test_gateway_keys import ask
from support.gateway import Gateway
from support.upstream import UpstreamThread

MASTER = "sk-canary-master-0a1b2c3d4e5f"
SALT = "canary-salt-5f4e3d2c1b0a"
UPSTREAM = "sk-canary-upstream-77aa88bb99cc"
STORED = "sk-canary-stored-11dd22ee33ff"
CREDENTIAL = "sk-canary-credential-44cc55bb66aa"
WRONG = "sk-canary-wrong-deadbeef0000"
DATABASE = "canary-database-password"


def config(upstream: UpstreamThread, folder: Path) -> str:
    params = {"api_base": upstream.base_url, "api_key": UPSTREAM}
    models = {"m": "ok", "bad": "status-401", "cut": "close-mid-body", "gone": "ok"}
    return json.dumps(
        {
            "model_list": [
                {"model_name": name, "litellm_params": {"model": f"openai/{behaviour}", **params}}
                for name, behaviour in models.items()
            ],
            "general_settings": {"master_key": MASTER, "data_dir": str(folder / "data"), "salt_key": SALT},
            "litellm_settings": {"num_retries": 0},
        }
    )


def everything(gateway: Gateway, virtual: str) -> list[str]:
    """Whatever the routes answer to GET, and what calls and mistakes are answered with."""
    said: list[str] = []
    for path, item in json.loads(gateway.get("/openapi.json", key=MASTER)[1])["paths"].items():
        if "get" in item:
            for key in (MASTER, virtual):
                query = "?start_date=2026-01-01&end_date=2098-01-01"
                said.append(str(gateway.get(path.replace("{", "").replace("}", "") + query, key=key)))
    said += [
        str(gateway.get(path, key=WRONG)) for path in ("/models", "/key/info", "/metrics", "/")
    ]  # few: it is slowed
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}
    for model in ("m", "bad", "cut", "stored", "named", "nobody"):
        for stream in (False, True):
            said.append(str(gateway.post("/chat/completions", {**body, "model": model, "stream": stream}, key=virtual)))
    said.append(str(gateway.post("/chat/completions", {**body, "model": "m", "api_key": "x"}, key=virtual)))
    said.append(str(gateway.post("/chat/completions", b"{" + STORED.encode(), key=WRONG)))
    for path in ("/key/generate", "/credentials", "/model/new", "/user/new", "/team/new"):
        said.append(str(gateway.post(path, {"key": 7, "api_key": 7}, key=MASTER)))
    return said


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--debug",)])
def test_no_secret_is_ever_told(upstream: UpstreamThread, tmp_path: Path, options: tuple[str, ...]) -> None:
    with Gateway(config(upstream, tmp_path), tmp_path, options, env={"UNUSED_DATABASE": DATABASE}) as gateway:
        made = ask(gateway, "/key/generate", {"key_alias": "canary"}, MASTER)[1]
        values = {"api_key": CREDENTIAL, "api_base": upstream.base_url}
        named = {"credential_name": "named", "credential_values": values, "credential_info": {}}
        assert ask(gateway, "/credentials", named, MASTER)[0] == 200
        stored = {"model": "openai/ok", "api_base": upstream.base_url}
        for name, more in (("stored", {"api_key": STORED}), ("named", {"litellm_credential_name": "named"})):
            asked = {"model_name": name, "litellm_params": {**stored, **more}}
            assert ask(gateway, "/model/new", asked, MASTER)[0] == 200
        time.sleep(1)
        said = everything(gateway, made["key"])
        assert any(request.headers.get("authorization") == f"Bearer {STORED}" for request in upstream.requests)
        assert any(request.headers.get("authorization") == f"Bearer {CREDENTIAL}" for request in upstream.requests)
        said.append(str(gateway.get("/metrics", key=MASTER)))
        os.kill(gateway.process.pid, signal.SIGHUP)
        time.sleep(1)
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path != gateway.config_file}
    for secret in (MASTER, SALT, UPSTREAM, STORED, CREDENTIAL, WRONG, DATABASE, made["key"]):
        told = [answer[:300] for answer in said if secret in answer]
        assert not told, (secret, told[:3])
        held = [path.name for path, content in files.items() if secret.encode() in content]
        assert not held, (secret, held)
