"""`litellm --config`, `litellm --model`: start the gateway. `--health` and `--test` ask one that runs."""

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from litellm._version import version
from litellm.proxy.commands.flags import IDLE_SWITCHES, IDLE_VALUES, OF_MODEL, parse
from litellm.proxy.commands.terminal import FAILED, OK, USAGE, extra_is_missing, say, tell

if TYPE_CHECKING:
    from litellm.proxy.config.load import Config
    from litellm.proxy.server import ServerOptions


def run(arguments: Sequence[str], commands: Mapping[str, str] | None = None) -> int:
    """`commands` are those that the help names."""
    flags = parse(arguments, os.environ, commands)
    if flags.version:
        tell(f"LiteLLM: Current Version = {version}")
        return OK
    if flags.health or flags.test is not None:
        from litellm.proxy.commands import asking

        return asking.health(flags) if flags.health else asking.test(flags)
    return _serve(flags)


def _serve(flags: argparse.Namespace) -> int:
    if flags.config is None and flags.model is None:
        say("error: nothing to serve. Give a configuration, `litellm --config config.yaml`, or one model,")
        say("`litellm --model openai/<name> --api_base http://localhost:8000/v1`. `litellm --help` lists the rest.")
        return USAGE
    if extra_is_missing():
        return FAILED
    _say_what_has_no_effect(flags)
    path = Path(flags.config) if flags.config else None
    overrides = overrides_of(flags)
    config = loaded(path, overrides)
    if config is None:
        return FAILED
    if flags.skip_server_startup:
        return OK
    from litellm.proxy import start
    from litellm.proxy.config.exposure import host_for

    host, notice = host_for(config, flags.host, flags.allow_unauthenticated)
    if notice:
        say(f"warning: {notice}")
    return start.run(
        path,
        overrides,
        options_of(flags, host),
        debug=flags.debug or bool(config.litellm_settings.set_verbose),
        watch=flags.watch,
        allow_unauthenticated=flags.allow_unauthenticated,
    )


def _say_what_has_no_effect(flags: argparse.Namespace) -> None:
    for name in (*IDLE_SWITCHES, *IDLE_VALUES):
        if getattr(flags, name):
            say(f"warning: --{name} has no effect yet")
    for name in OF_MODEL if flags.model is None else ():
        if getattr(flags, name) is not None:
            say(f"warning: --{name} has an effect only together with --model")
    if os.environ.get("LITELLM_CONFIG_BUCKET_NAME"):
        say("warning: LITELLM_CONFIG_BUCKET_NAME has no effect yet: give a file, --config FILE")


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


def loaded(path: Path | None, overrides: Mapping[str, Any]) -> "Config | None":
    """The config, its warnings told; None, with everything told, if it cannot be used."""
    from litellm.proxy.commands.check import counted
    from litellm.proxy.config.load import inspect

    config, problems = inspect(path, overrides)
    for problem in problems:
        say(str(problem))
    if config is None:
        say(f"error: {path or 'the command line'} cannot be used: {counted(problems)}")
    return config
