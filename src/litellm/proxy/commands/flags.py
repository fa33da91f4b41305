"""The command line of `litellm --config`: flags by name, from the arguments or the environment.

Flags and their variables are LiteLLM's (litellm-contract 1b.4); a name may be written with `_` or `-`.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from litellm.proxy.commands.terminal import Parser


def _whole(low: int, high: int | None = None) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected a whole number, not {text!r}") from None
        if value < low or (high is not None and value > high):
            raise argparse.ArgumentTypeError(f"must be at least {low}" + (f" and at most {high}" if high else ""))
        return value

    return parse


def _number(low: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected a number, not {text!r}") from None
        if not low <= value < float("inf"):
            raise argparse.ArgumentTypeError(f"must be at least {low:g}")
        return value

    return parse


def _mapping(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("expected a JSON object") from None
    return value  # pyright: ignore[reportUnknownVariableType]


class Flag(NamedTuple):
    """One option. `parse` None: a switch. `variable` gives the value where the flag is absent."""

    names: str
    help: str
    parse: Callable[[str], Any] | None = None
    variable: str | None = None
    metavar: str = "VALUE"
    optional_value: bool = False

    @property
    def dest(self) -> str:
        return self.names.split()[0].lstrip("-")


_GROUPS: Final[dict[str, tuple[Flag, ...]]] = {
    "what to serve": (
        Flag("--config -c", "the configuration, a YAML file", str, "CONFIG_FILE_PATH", "FILE"),
        Flag("--model -m", "one model without a configuration, such as openai/<name>", str, metavar="MODEL"),
        Flag("--alias", "the name that callers use for --model", str, metavar="NAME"),
        Flag("--api_base", "the address of --model's endpoint", str, metavar="URL"),
        Flag("--api_key --add_key", "the key of --model's endpoint", str, metavar="KEY"),
        Flag("--headers", "further headers for --model's endpoint", _mapping, metavar="JSON"),
        Flag("--temperature", "default of --model", _number(0), metavar="NUMBER"),
        Flag("--max_tokens", "default of --model", _whole(1), metavar="NUMBER"),
        Flag("--request_timeout", "seconds a call may take", _number(0.001), metavar="SECONDS"),
        Flag("--drop_params", "drop parameters that a provider does not support"),
    ),
    "how to serve it": (
        Flag("--host", "default 0.0.0.0, or this machine only if there is no master key", str, "HOST", "ADDRESS"),
        Flag("--port", "default 4000", _whole(0, 65535), "PORT", "NUMBER"),
        Flag("--num_workers", "processes; default 1", _whole(1), "NUM_WORKERS", "NUMBER"),
        Flag("--allow_unauthenticated", "without a master key, let everybody in who can reach the host"),
        Flag("--watch", "reload when a file of the configuration changes"),
        Flag("--drain_seconds", "what requests in flight get to end in; default 30", _number(0), metavar="SECONDS"),
        Flag("--ssl_certfile_path", "serve https with this certificate", str, "SSL_CERTFILE_PATH", "FILE"),
        Flag("--ssl_keyfile_path", "its key", str, "SSL_KEYFILE_PATH", "FILE"),
        Flag("--ciphers", "of TLS, in OpenSSL's notation", str, metavar="LIST"),
        Flag("--keepalive_timeout", "between two requests", _number(0.001), "KEEPALIVE_TIMEOUT", "SECONDS"),
        Flag("--limit_concurrency", "connections per process; 503 above", _whole(1), metavar="NUMBER"),
        Flag("--debug", "log what happens, keys hidden; also LITELLM_LOG=DEBUG"),
        Flag("--detailed_debug", "the same"),
        Flag("--skip_server_startup", "check the configuration, start nothing"),
    ),
    "instead of serving": (
        Flag("--test", "send one chat request to a running gateway", str, metavar="URL", optional_value=True),
        Flag("--health", "ask a running gateway how its models are"),
        Flag("--version -v", "print the version"),
    ),
}

IDLE_SWITCHES: Final = (
    "save", "add_function_to_prompt", "test_async", "setup", "run_gunicorn", "run_hypercorn", "run_granian",
    "use_prisma_db_push", "enforce_prisma_migration_check", "use_v2_migration_resolver", "iam_token_db_auth",
    "azure_postgresql_auth", "local", "use_queue", "reload",
)  # fmt: skip
IDLE_VALUES: Final = (
    "api_version", "max_budget", "log_config", "telemetry", "num_requests", "granian_threads",
    "timeout_worker_healthcheck", "max_requests_before_restart", "max_requests_before_restart_jitter",
)  # fmt: skip
OF_MODEL: Final = ("alias", "api_base", "api_key", "headers", "temperature", "max_tokens")


def _parser(commands: Mapping[str, str]) -> Parser:
    parser = Parser(
        prog="litellm",
        usage="litellm --config FILE [flags]\n       litellm --model MODEL --api_base URL [flags]\n       "
        "litellm COMMAND ...",
        epilog="Commands: "
        + "; ".join(f"litellm {name}: {what}" for name, what in commands.items())
        + ". A flag may be written with - for _. Accepted, without effect so far: "
        + ", ".join(f"--{name}" for name in (*IDLE_SWITCHES, *IDLE_VALUES))
        + ".",
        allow_abbrev=False,
    )
    for title, flags in _GROUPS.items():
        group = parser.add_argument_group(title)
        for flag in flags:
            _add(group, flag)
    for name in IDLE_SWITCHES:
        _add(parser, Flag(f"--{name}", argparse.SUPPRESS))
    for name in IDLE_VALUES:
        _add(parser, Flag(f"--{name}", argparse.SUPPRESS, str))
    return parser


def _add(group: Any, flag: Flag) -> None:
    text = f"{flag.help} ({flag.variable})" if flag.variable else flag.help
    if flag.parse is None:
        group.add_argument(*flag.names.split(), dest=flag.dest, action="store_true", help=text)
    else:
        optional: dict[str, Any] = {"nargs": "?", "const": ""} if flag.optional_value else {}
        group.add_argument(
            *flag.names.split(), dest=flag.dest, type=flag.parse, metavar=flag.metavar, help=text, **optional
        )


def parse(
    arguments: Sequence[str], environ: Mapping[str, str], commands: Mapping[str, str] | None = None
) -> argparse.Namespace:
    """The flags by name: what was given, else what the environment says, else None (a switch: False).

    Raises SystemExit, after saying why.
    """
    parser = _parser(commands or {})
    flags, unknown = parser.parse_known_args([_underscored(argument) for argument in arguments])
    if unknown:
        parser.error(_unknown(unknown[0], commands or {}))
    for flag in (flag for group in _GROUPS.values() for flag in group):
        text = environ.get(flag.variable or "")
        if text and flag.parse and getattr(flags, flag.dest) is None:
            try:
                setattr(flags, flag.dest, flag.parse(text))
            except argparse.ArgumentTypeError as error:
                parser.error(f"environment variable {flag.variable}: {error}")
    flags.debug = flags.debug or flags.detailed_debug or environ.get("LITELLM_LOG", "").upper() == "DEBUG"
    if flags.ssl_keyfile_path and not flags.ssl_certfile_path:
        parser.error("--ssl_keyfile_path needs --ssl_certfile_path")
    return flags


def _underscored(argument: str) -> str:
    """`--drain-seconds=5` as `--drain_seconds=5`."""
    if not argument.startswith("--") or argument == "--":
        return argument
    name, equals, value = argument[2:].partition("=")
    return f"--{name.replace('-', '_')}{equals}{value}"


def _unknown(argument: str, commands: Mapping[str, str]) -> str:
    from difflib import get_close_matches

    known = [name for group in _GROUPS.values() for flag in group for name in flag.names.split()] + list(commands)
    known += [f"--{name}" for name in (*IDLE_SWITCHES, *IDLE_VALUES)]
    meant = get_close_matches(argument.partition("=")[0], known, 1)
    if not argument.startswith("-") and argument.endswith((".yaml", ".yml")):
        meant = [f"--config {argument}"]
    kind = "flag" if argument.startswith("-") else "command"
    return f"unknown {kind} {argument.partition('=')[0]}" + (f", did you mean {meant[0]}?" if meant else "")
