"""The `litellm` command: starts the gateway, checks a config, asks a running gateway something.

Flags and their variables are LiteLLM's (litellm-contract 1b.4); a name may be written with `_` or `-`. Importing this
module loads nothing of the gateway: what a command needs is imported by its function.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from litellm._version import version

if TYPE_CHECKING:
    from litellm.proxy.config.load import Config
    from litellm.proxy.config.source import Problem
    from litellm.proxy.server import ServerOptions

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2

_EXTRA: Final = ("yaml", "uvicorn", "fastapi")
_ASK_SECONDS: Final = 60.0


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

_IDLE_SWITCHES: Final = (
    "save", "add_function_to_prompt", "test_async", "setup", "run_gunicorn", "run_hypercorn", "run_granian",
    "use_prisma_db_push", "enforce_prisma_migration_check", "use_v2_migration_resolver", "iam_token_db_auth",
    "azure_postgresql_auth", "local", "use_queue", "reload",
)  # fmt: skip
_IDLE_VALUES: Final = (
    "api_version", "max_budget", "log_config", "telemetry", "num_requests", "granian_threads",
    "timeout_worker_healthcheck", "max_requests_before_restart", "max_requests_before_restart_jitter",
)  # fmt: skip
_OF_MODEL: Final = ("alias", "api_base", "api_key", "headers", "temperature", "max_tokens")


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0, 1 for a failure that was told, 2 for a wrong command line."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["check"]:
        return _check(arguments[1:])
    flags = parse(arguments, os.environ)
    if flags.version:
        print(f"LiteLLM: Current Version = {version}")
        return OK
    if flags.health:
        return _health(flags)
    if flags.test is not None:
        return _test(flags)
    return _serve(flags)


# The command line


class _Parser(argparse.ArgumentParser):
    """Errors in one line: the usage of forty flags would hide them."""

    def error(self, message: str) -> NoReturn:
        _say(f"error: {message}")
        _say(f"Try `{self.prog} --help`.")
        raise SystemExit(USAGE)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="litellm",
        usage="litellm --config FILE [flags]\n       litellm --model MODEL --api_base URL [flags]\n       "
        "litellm check FILE",
        epilog="A flag may be written with - for _. Accepted, without effect so far: "
        + ", ".join(f"--{name}" for name in (*_IDLE_SWITCHES, *_IDLE_VALUES))
        + ".",
        allow_abbrev=False,
    )
    for title, flags in _GROUPS.items():
        group = parser.add_argument_group(title)
        for flag in flags:
            _add(group, flag)
    for name in _IDLE_SWITCHES:
        _add(parser, Flag(f"--{name}", argparse.SUPPRESS))
    for name in _IDLE_VALUES:
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


def parse(arguments: Sequence[str], environ: Mapping[str, str]) -> argparse.Namespace:
    """The flags by name: what was given, else what the environment says, else None (a switch: False).

    Raises SystemExit, after saying why.
    """
    parser = _parser()
    flags, unknown = parser.parse_known_args([_underscored(argument) for argument in arguments])
    if unknown:
        parser.error(_unknown(unknown[0]))
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


def _unknown(argument: str) -> str:
    from difflib import get_close_matches

    known = [name for group in _GROUPS.values() for flag in group for name in flag.names.split()] + ["check"]
    known += [f"--{name}" for name in (*_IDLE_SWITCHES, *_IDLE_VALUES)]
    meant = get_close_matches(argument.partition("=")[0], known, 1)
    if not argument.startswith("-") and argument.endswith((".yaml", ".yml")):
        meant = [f"--config {argument}"]
    kind = "flag" if argument.startswith("-") else "command"
    return f"unknown {kind} {argument.partition('=')[0]}" + (f", did you mean {meant[0]}?" if meant else "")


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _extra_is_missing(modules: Sequence[str] = _EXTRA) -> bool:
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        _say(f"error: the gateway needs packages that are not installed ({', '.join(missing)}).")
        _say("Install this project with its extra, in its own folder: pip install '.[proxy]'")
    return bool(missing)


# litellm check


def _check(arguments: Sequence[str]) -> int:
    parser = _Parser(prog="litellm check", description="Print everything that is wrong with a configuration.")
    parser.add_argument("config", nargs="?", default=os.environ.get("CONFIG_FILE_PATH"), metavar="FILE")
    path: str | None = parser.parse_args(arguments).config
    if path is None:
        parser.error("which file? litellm check FILE")
    if _extra_is_missing(("yaml",)):
        return FAILED
    from litellm.proxy.config.load import inspect

    config, problems = inspect(Path(path))
    for problem in problems:
        print(problem)
    print(f"{path}: {_counted(problems)}")
    return FAILED if config is None else OK


def _counted(problems: "Sequence[Problem]") -> str:
    errors = sum(problem.severity == "error" for problem in problems)
    parts = [
        f"{count} {name}{'s'[: count != 1]}" for count, name in ((errors, "error"), (len(problems) - errors, "warning"))
    ]
    return ", ".join(part for part in parts if not part.startswith("0 ")) or "no problems"


# litellm --config, litellm --model


def _serve(flags: argparse.Namespace) -> int:
    if flags.config is None and flags.model is None:
        _say("error: nothing to serve. Give a configuration, `litellm --config config.yaml`, or one model,")
        _say("`litellm --model openai/<name> --api_base http://localhost:8000/v1`. `litellm --help` lists the rest.")
        return USAGE
    if _extra_is_missing():
        return FAILED
    _say_what_has_no_effect(flags)
    path = Path(flags.config) if flags.config else None
    overrides = overrides_of(flags)
    config = _loaded(path, overrides)
    if config is None:
        return FAILED
    if flags.skip_server_startup:
        return OK
    from litellm.proxy import start
    from litellm.proxy.config.exposure import host_for

    host, notice = host_for(config, flags.host, flags.allow_unauthenticated)
    if notice:
        _say(f"warning: {notice}")
    return start.run(
        path,
        overrides,
        options_of(flags, host),
        debug=flags.debug or bool(config.litellm_settings.set_verbose),
        watch=flags.watch,
        allow_unauthenticated=flags.allow_unauthenticated,
    )


def _say_what_has_no_effect(flags: argparse.Namespace) -> None:
    for name in (*_IDLE_SWITCHES, *_IDLE_VALUES):
        if getattr(flags, name):
            _say(f"warning: --{name} has no effect yet")
    for name in _OF_MODEL if flags.model is None else ():
        if getattr(flags, name) is not None:
            _say(f"warning: --{name} has an effect only together with --model")
    if os.environ.get("LITELLM_CONFIG_BUCKET_NAME"):
        _say("warning: LITELLM_CONFIG_BUCKET_NAME has no effect yet: give a file, --config FILE")


def overrides_of(flags: argparse.Namespace) -> dict[str, Any]:
    """What the flags say of the config, in the config's own shape."""
    overrides: dict[str, Any] = {}
    settings = {"request_timeout": flags.request_timeout, "drop_params": flags.drop_params or None}
    if given := _given(settings):
        overrides["litellm_settings"] = given
    if flags.model is not None:
        params = {
            "model": flags.model,
            "api_base": flags.api_base,
            "api_key": flags.api_key,
            "extra_headers": flags.headers,
            "temperature": flags.temperature,
            "max_tokens": flags.max_tokens,
        }
        overrides["model_list"] = [{"model_name": flags.alias or flags.model, "litellm_params": _given(params)}]
    return overrides


def options_of(flags: argparse.Namespace, host: str) -> "ServerOptions":
    from litellm.proxy.server import ServerOptions

    given = {
        "host": host,
        "port": flags.port,
        "num_workers": flags.num_workers,
        "ssl_certfile": flags.ssl_certfile_path,
        "ssl_keyfile": flags.ssl_keyfile_path,
        "ciphers": flags.ciphers,
        "keepalive_timeout": flags.keepalive_timeout,
        "max_connections": flags.limit_concurrency,
        "drain_seconds": flags.drain_seconds,
    }
    return ServerOptions(**_given(given))


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _loaded(path: Path | None, overrides: Mapping[str, Any]) -> "Config | None":
    """The config, its warnings told; None, with everything told, if it cannot be used."""
    from litellm.proxy.config.load import inspect

    config, problems = inspect(path, overrides)
    for problem in problems:
        _say(str(problem))
    if config is None:
        _say(f"error: {path or 'the command line'} cannot be used: {_counted(problems)}")
    return config


# litellm --health, litellm --test


def _health(flags: argparse.Namespace) -> int:
    answer = _ask(f"{_address(flags)}/health", _key(flags))
    if answer is None:
        return FAILED
    print(json.dumps(answer, indent=2))
    return FAILED if answer.get("unhealthy_endpoints") else OK


def _test(flags: argparse.Namespace) -> int:
    base = flags.test.rstrip("/") or _address(flags)
    key = _key(flags)
    model = flags.alias or flags.model or _first_model(base, key)
    if model is None:
        return FAILED
    print(f"Asking {model} at {base}")
    message = {"role": "user", "content": "This is a test. Answer with one short sentence."}
    answer = _ask(f"{base}/chat/completions", key, {"model": model, "messages": [message]})
    if answer is None:
        return FAILED
    print(json.dumps(answer, indent=2))
    return OK


def _first_model(base: str, key: str | None) -> str | None:
    """None, after saying why, if there is none."""
    listed = _ask(f"{base}/models", key)
    if listed is None:
        return None
    names = [str(model.get("id")) for model in listed.get("data", ())]
    model = next((name for name in names if "*" not in name), None)
    if model is None:
        _say("error: the gateway lists no model to test. Name one: litellm --test --model NAME")
    return model


def _address(flags: argparse.Namespace) -> str:
    host = flags.host if flags.host not in (None, "0.0.0.0", "::") else "127.0.0.1"
    scheme = "https" if flags.ssl_certfile_path else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{4000 if flags.port is None else flags.port}"


def _key(flags: argparse.Namespace) -> str | None:
    """The master key of the config, if one is given, else LITELLM_MASTER_KEY."""
    if flags.config is None or _extra_is_missing(("yaml",)):
        return os.environ.get("LITELLM_MASTER_KEY")
    config = _loaded(Path(flags.config), {})
    key = config.general_settings.master_key if config else None
    return key.get_secret_value() if key else None


def _ask(url: str, key: str | None, body: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """The gateway's answer; None if there is none or it is an error, which has then been told."""
    from urllib import error, request

    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    data = None if body is None else json.dumps(body).encode()
    opener = request.build_opener(request.ProxyHandler({}))  # a gateway is never behind the proxy to the outside
    try:
        with opener.open(request.Request(url, data, headers), timeout=_ASK_SECONDS) as answer:
            return json.loads(answer.read())
    except error.HTTPError as refused:
        with refused:
            _say(f"error: {url} answered {refused.code}: {refused.read(2000).decode('utf-8', 'replace')}")
    except error.URLError as failure:
        _say(f"error: {url} cannot be reached: {failure.reason}")
    except (OSError, ValueError) as failure:
        _say(f"error: {url}: {failure}")
    return None
