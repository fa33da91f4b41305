"""`litellm --health`, `litellm --test`: ask a gateway that runs."""

import argparse
import os
from pathlib import Path

from litellm.proxy.commands.client import ask
from litellm.proxy.commands.serve import loaded
from litellm.proxy.commands.terminal import FAILED, OK, extra_is_missing, say, tell, tell_json


def health(flags: argparse.Namespace) -> int:
    answer = ask(f"{_address(flags)}/health", _key(flags))
    if answer is None:
        return FAILED
    tell_json(answer)
    return FAILED if answer.get("unhealthy_endpoints") else OK


def test(flags: argparse.Namespace) -> int:
    base = flags.test.rstrip("/") or _address(flags)
    key = _key(flags)
    model = flags.alias or flags.model or _first_model(base, key)
    if model is None:
        return FAILED
    tell(f"Asking {model} at {base}")
    message = {"role": "user", "content": "This is a test. Answer with one short sentence."}
    answer = ask(f"{base}/chat/completions", key, {"model": model, "messages": [message]})
    if answer is None:
        return FAILED
    tell_json(answer)
    return OK


def _first_model(base: str, key: str | None) -> str | None:
    """None, after saying why, if there is none."""
    listed = ask(f"{base}/models", key)
    if listed is None:
        return None
    names = [str(model.get("id")) for model in listed.get("data", ())]
    model = next((name for name in names if "*" not in name), None)
    if model is None:
        say("error: the gateway lists no model to test. Name one: litellm --test --model NAME")
    return model


def _address(flags: argparse.Namespace) -> str:
    host = flags.host if flags.host not in (None, "0.0.0.0", "::") else "127.0.0.1"
    scheme = "https" if flags.ssl_certfile_path else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{4000 if flags.port is None else flags.port}"


def _key(flags: argparse.Namespace) -> str | None:
    """The master key of the config, if one is given, else LITELLM_MASTER_KEY."""
    if flags.config is None or extra_is_missing(("yaml",)):
        return os.environ.get("LITELLM_MASTER_KEY")
    config = loaded(Path(flags.config), {})
    key = config.general_settings.master_key if config else None
    return key.get_secret_value() if key else None
