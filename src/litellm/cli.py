"""The `litellm` command: which command is meant. Each is a module of `proxy/commands/`, loaded when it is called."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

COMMANDS: Final = {
    "check": "what is wrong with a configuration",
    "doctor": "what is wrong with an installation: configuration, store, journal, prices",
    "audit": "prove that the books balance",
    "db": "copy the store to another database, or take over LiteLLM's",
    "keys": "virtual keys of a running gateway",
    "users": "users of a running gateway",
    "teams": "teams of a running gateway",
    "spend": "what was spent",
}
"""Name -> what it does. The module has the same name, and a `run` that takes the arguments and gives the exit code."""


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0, 1 for a failure that was told, 2 for a wrong command line."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[0] in COMMANDS:
        return import_module(f"litellm.proxy.commands.{arguments[0]}").run(arguments[1:])
    return import_module("litellm.proxy.commands.serve").run(arguments, COMMANDS)
