"""Secrets by name, as LiteLLM's users look them up: environment variables."""

import os
from typing import Any

from litellm.settings import settings
from litellm.types.calls import as_list, as_object

_TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def get_secret(secret_name: str, default_value: str | bool | None = None) -> str | bool | None:
    """The variable's text, `default_value` if it is unset. `os.environ/NAME` means NAME. True and False are bools."""
    value = os.environ.get(secret_name.removeprefix("os.environ/"))
    if value is None:
        return default_value
    return {"true": True, "false": False}.get(value.strip().lower(), value)


def get_secret_str(secret_name: str, default_value: str | None = None) -> str | None:
    value = os.environ.get(secret_name.removeprefix("os.environ/"))
    return default_value if value is None else value


def get_secret_bool(secret_name: str, default_value: bool | None = None) -> bool | None:
    """`default_value` too if the text is neither true nor false."""
    return _TRUTHS.get((get_secret_str(secret_name) or "").strip().lower(), default_value)


def load_credentials_from_list(kwargs: dict[str, Any]) -> None:
    """Put the values of `litellm.credential_list`'s entry named `litellm_credential_name` where `kwargs` lacks them."""
    name = kwargs.get("litellm_credential_name")
    if not name:
        return
    for entry in as_list(settings.__dict__.get("credential_list")) or ():
        fields = _fields(entry)
        if fields.get("credential_name") == name:
            for key, value in (as_object(fields.get("credential_values")) or {}).items():
                kwargs.setdefault(key, value)


def _fields(entry: Any) -> dict[str, Any]:
    fields = as_object(entry)
    return entry.__dict__ if fields is None else fields
