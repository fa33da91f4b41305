"""docs/configuration.md, made of the schema: `python -m litellm.proxy.config.reference > docs/configuration.md`."""

import sys
from typing import Any, Final

from litellm.proxy.config.cache_params import CacheParams
from litellm.proxy.config.general_settings import GeneralSettings
from litellm.proxy.config.litellm_settings import LitellmSettings
from litellm.proxy.config.model_list import CredentialEntry, LitellmParams, ModelEntry, ModelInfo
from litellm.proxy.config.router_settings import RouterSettings
from litellm.proxy.config.schema import ConfigFile
from litellm.proxy.config.section import Section

_INTRO: Final = """\
# Configuration

The gateway reads one YAML file: `litellm --config config.yaml`. `litellm check config.yaml` prints everything that is
wrong with it, each with file, line and column, and exits 1 if the gateway would not start.

A value that is exactly `os.environ/NAME` is taken from that environment variable, anywhere in the file. If the variable
is not set, or empty, that is a warning and the value counts as absent; for the master key and for the addresses and
passwords of databases it is an error. Names that nobody knows are warnings. A number that is
meant as text needs quotes (`model_name: "4"`), a date does not.

Names that LiteLLM knows and this gateway does not act on yet are listed under each section; they are accepted with a
warning.

*This page is generated from `src/litellm/proxy/config/schema.py`; a test compares the two.*
"""

_SECTIONS: Final[tuple[tuple[str, type[Section]], ...]] = (
    ("The file", ConfigFile),
    ("model_list[]", ModelEntry),
    ("model_list[].litellm_params", LitellmParams),
    ("model_list[].model_info", ModelInfo),
    ("credential_list[]", CredentialEntry),
    ("litellm_settings", LitellmSettings),
    ("litellm_settings.cache_params", CacheParams),
    ("router_settings", RouterSettings),
    ("general_settings", GeneralSettings),
)

_WORDS: Final = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list",
    "object": "mapping",
}


def page() -> str:
    return "\n".join((_INTRO, *(_section(title, section) for title, section in _SECTIONS)))


def _section(title: str, section: type[Section]) -> str:
    properties: dict[str, dict[str, Any]] = section.model_json_schema()["properties"]
    rows = [_row(name, properties[name]) for name in section.model_fields if not section.has_no_effect(name)]
    table = "\n".join(("| name | holds | meaning |", "|---|---|---|", *rows))
    parts = [f"## `{title}`" if "_" in title else f"## {title}", _about(section), table]
    later = [
        *sorted(filter(section.has_no_effect, section.known())),
        *(f"{prefix}*" for prefix in section.later_prefixes),
    ]
    if later:
        parts.append("Accepted, without effect so far: " + ", ".join(f"`{name}`" for name in later) + ".")
    return "\n\n".join(parts) + "\n"


def _about(section: type[Section]) -> str:
    """The class's docstring, without its indentation and the name before the first colon, which the heading has."""
    text = "\n".join(line.strip() for line in (section.__doc__ or "").strip().splitlines())
    said = text.partition("`: ")[2] or text
    return said[0].upper() + said[1:]


def _row(name: str, shape: dict[str, Any]) -> str:
    return f"| `{name}` | {_holds(shape)} | {shape['description']} |"


def _holds(shape: dict[str, Any]) -> str:
    if "anyOf" in shape:
        return " or ".join(_holds(part) for part in shape["anyOf"] if part.get("type") != "null")
    if "enum" in shape:
        return "one of " + ", ".join(f"`{value}`" for value in shape["enum"])
    if "$ref" in shape or "allOf" in shape:
        return "mapping"
    return _WORDS[shape["type"]]


if __name__ == "__main__":
    sys.stdout.write(page())
