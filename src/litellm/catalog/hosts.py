"""OpenAI-compatible hosts, as facts: `hosts.json`, one row a host.

The file is read once, on first use. What each field means is said at `Host`.
"""

import json
from dataclasses import dataclass, field, fields
from functools import cache
from pkgutil import get_data
from typing import Any, Final

from litellm.types.calls import Op


@dataclass(frozen=True, slots=True)
class Host:
    """One row. Environment variables are in the order in which they are looked up."""

    base_url: str | None
    """Default address, version part included; None: the user must give one."""
    key_env: tuple[str, ...] = ()
    base_env: tuple[str, ...] = ()
    default_key: str | None = None
    """Sent when the user has no key: local servers want any."""
    endpoints: tuple[Op, ...] = ("chat", "completion", "embedding")
    rename: dict[str, str] = field(default_factory=dict[str, str])
    unsupported: frozenset[str] = frozenset()
    """OpenAI parameters the host refuses: an UnsupportedParamsError, or dropped under `drop_params`."""
    clamp: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])
    force: dict[str, Any] = field(default_factory=dict[str, Any])
    headers: dict[str, str] = field(default_factory=dict[str, str])
    """Further headers; `{api_key}` stands for the key."""
    header_env: dict[str, str] = field(default_factory=dict[str, str])
    """Headers whose text an environment variable holds; not sent while it is unset."""
    model_prefix: str = ""
    """Put before a model name that is a single word (fireworks.ai: `accounts/<whose>/models/<name>` is a full name)."""
    flatten_content: bool = False
    """The host takes text only: content lists become one string."""


@cache
def rows() -> dict[str, Host]:
    text = get_data("litellm.catalog", "hosts.json") or b"{}"  # importlib.resources would take 7 ms to load
    return {name: _host(row) for name, row in json.loads(text).items()}


def _host(row: dict[str, Any]) -> Host:
    unknown = row.keys() - {f.name for f in fields(Host)}
    if unknown:
        raise ValueError(f"hosts.json: unknown fields {sorted(unknown)}")
    values: dict[str, Any] = {name: tuple(value) if name in _TUPLES else value for name, value in row.items()}
    values["unsupported"] = frozenset(row.get("unsupported", ()))
    values["clamp"] = {name: (low, high) for name, (low, high) in row.get("clamp", {}).items()}
    return Host(**values)


_TUPLES: Final = ("key_env", "base_env", "endpoints")
