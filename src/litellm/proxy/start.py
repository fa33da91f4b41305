"""Starting the gateway from the command line: listen, say where, watch the files."""

import json
import os
import shlex
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import sleep
from typing import Any, Final

from litellm.proxy import logs
from litellm.proxy.config.exposure import is_loopback
from litellm.proxy.config.load import Config, inspect, load
from litellm.proxy.server import ServerOptions, serve

WATCH_SECONDS: Final = 1.0
EXAMPLE_KEY: Final = "sk-1234"  # the one in all the documentation: the only key that is ever printed


def run(
    path: Path | None,
    overrides: Mapping[str, Any],
    options: ServerOptions,
    *,
    debug: bool = False,
    watch: bool = False,
    allow_unauthenticated: bool = False,
) -> int:
    """Serve a config that has been checked, until told to stop; the process's exit code."""
    logs.set_up(debug)
    config = load(path, overrides)
    if watch:
        threading.Thread(target=_watch, args=(path, overrides, config.sources), name="watch", daemon=True).start()
    settings = {
        "config": str(path) if path else None,
        "overrides": dict(overrides),
        "debug": debug,
        "key_needed": not (allow_unauthenticated or is_loopback(options.host)),
    }

    def check() -> Sequence[str]:
        return [str(problem) for problem in inspect(path, overrides)[1] if problem.severity == "error"]

    def ready(addresses: Sequence[str]) -> None:
        _say_ready(addresses, config)

    return serve("litellm.proxy.app:make", settings, options, check=check, on_ready=ready)


def _say_ready(addresses: Sequence[str], config: Config) -> None:
    """The address, the key where it is no secret, and a line to try."""
    address = addresses[0].replace("0.0.0.0", "127.0.0.1").replace("[::]", "127.0.0.1")
    master = config.general_settings.master_key
    example = master is not None and master.get_secret_value() == EXAMPLE_KEY
    models = [entry.model_name for entry in config.model_list if "*" not in entry.model_name]
    messages = [{"role": "user", "content": "what llm are you"}]
    body = json.dumps({"model": (models or ["openai/..."])[0], "messages": messages})
    key = EXAMPLE_KEY if example else "$LITELLM_MASTER_KEY"
    header = f' -H "Authorization: Bearer {key}"' if master else ""
    lines = [
        f"litellm gateway at {', '.join(addresses)}  (this API: {address}/)",
        f"key: {key if master else 'none is needed'}",
        f"try: curl {address}/v1/chat/completions{header} -H 'Content-Type: application/json' -d {shlex.quote(body)}",
    ]
    sys.stderr.write("\n".join(lines) + "\n")
    sys.stderr.flush()


def _watch(path: Path | None, overrides: Mapping[str, Any], sources: Sequence[Path]) -> None:
    """Ask for a reload whenever a file of the config has changed. A file that is being replaced may be absent."""
    seen = _stamps(sources)
    while True:
        sleep(WATCH_SECONDS)
        now = _stamps(sources)
        if now != seen:
            config, _ = inspect(path, overrides)
            sources = config.sources if config else sources  # it may include other files than before
            seen = _stamps(sources) if config else now
            os.kill(os.getpid(), signal.SIGHUP)


def _stamps(sources: Sequence[Path]) -> list[tuple[int, int] | None]:
    stamps: list[tuple[int, int] | None] = []
    for source in sources:
        try:
            stat = source.stat()
        except OSError:
            stamps.append(None)
        else:
            stamps.append((stat.st_mtime_ns, stat.st_size))
    return stamps
