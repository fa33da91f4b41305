"""A process that serves a small app through `litellm.proxy.server.serve`, and a client that speaks plain bytes to it.

The app's paths are in `PATHS`; what happened to a request is told by `/events`.
"""

import asyncio
import gc
import hashlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import parse_qsl

from litellm.proxy.asgi import CallerGone, Exchange
from litellm.proxy.server import ServerOptions, StartError, Worker, serve

ROOT: Final = Path(__file__).parent.parent.parent


# --- the app


class Service:
    """Settings: `version_file` holds the version; "bad" fails to load, "bad <pid>" only in that process."""

    def __init__(self, worker: Worker, settings: Mapping[str, Any]) -> None:
        self.worker = worker
        self.settings = settings
        self.events: list[str] = []
        self.version = self._read_version()

    def _text(self) -> str:
        return Path(self.settings["version_file"]).read_text() if "version_file" in self.settings else "1"

    def _read_version(self) -> str:
        text = self._text()
        if text in ("bad", f"bad {os.getpid()}") or (text == "no start" and self.worker.count > 1):
            raise StartError(f"the version is {text!r}")
        return text.partition(" ")[0]

    async def reload(self) -> None:
        if self._text() == "stuck":
            await asyncio.sleep(3600)
        self.version = self._read_version()

    async def aclose(self) -> None:
        if "closed_file" in self.settings:
            Path(self.settings["closed_file"]).write_text("closed")  # noqa: ASYNC240

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        query = dict(parse_qsl(scope["query_string"].decode()))
        await PATHS[scope["path"]](self, Request(scope, receive, send, query))


class Request:
    def __init__(self, scope: Any, receive: Any, send: Any, query: dict[str, str]) -> None:
        self.scope, self.receive, self.send, self.query = scope, receive, send, query
        self.exchange: Exchange = scope["extensions"]["litellm"]

    async def body(self) -> bytes:
        parts: list[bytes] = []
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError("gone")
            parts.append(message["body"])
            if not message["more_body"]:
                return b"".join(parts)

    async def head(self, status: int = 200, *headers: tuple[bytes, bytes]) -> None:
        await self.send({"type": "http.response.start", "status": status, "headers": headers})

    async def part(self, body: bytes, more: bool = True) -> None:
        await self.send({"type": "http.response.body", "body": body, "more_body": more})

    async def json(self, value: Any, status: int = 200) -> None:
        body = json.dumps(value).encode()
        await self.head(status, (b"Content-Type", b"application/json"), (b"content-length", b"%d" % len(body)))
        await self.part(body, more=False)


async def echo(service: Service, request: Request) -> None:
    body = await request.body()
    scope = request.scope
    headers = [[name.decode(), value.decode("latin-1")] for name, value in scope["headers"]]
    seen = {name: scope[name] for name in ("method", "path", "http_version", "scheme", "client", "server")}
    answer = {**seen, "raw_path": scope["raw_path"].decode(), "query": request.query, "headers": headers}
    await request.json({**answer, "length": len(body), "sha": hashlib.sha256(body).hexdigest()})


async def slow(service: Service, request: Request) -> None:
    await request.body()
    await asyncio.sleep(float(request.query["s"]))
    await request.json(request.query)


async def hang(service: Service, request: Request) -> None:
    """Waits for the hang-up callback. With `?read=1` the body is read first."""
    if "read" in request.query:
        await request.body()
    gone = asyncio.Event()
    request.exchange.on_hangup(gone.set)
    service.events.append(f"waiting {request.query['id']}")
    await gone.wait()
    service.events.append(f"hangup {request.query['id']}")
    late: list[str] = []
    request.exchange.on_hangup(lambda: late.append("at once"))
    assert late == ["at once"]
    assert (await request.receive())["type"] == "http.disconnect"


async def disconnect(service: Service, request: Request) -> None:
    """Waits the way ASGI frameworks do, while another task of the same request waits as well."""
    await request.body()
    first, second = await asyncio.gather(request.receive(), request.receive())
    service.events.append(f"{first['type']} {second['type']}")


async def stream(service: Service, request: Request) -> None:
    await request.body()
    request.exchange.on_hangup(lambda: service.events.append("hangup stream"))
    await request.head(200, (b"content-type", b"text/event-stream"))
    await request.part(b"")
    for number in range(int(request.query["n"])):
        await asyncio.sleep(float(request.query.get("gap", "0")))
        await request.part(b"data: %d\n\n" % number)
    await request.part(b"", more=False)
    service.events.append("stream ended")


async def relay(service: Service, request: Request) -> None:
    """By callback: n parts without a task of their own, minding the caller's pace."""
    await request.body()
    await request.head()
    size, refused = int(request.query["size"]), 0
    for _ in range(int(request.query["n"])):
        if not request.exchange.write(b"x" * size):
            refused += 1
            await request.part(b"")
    request.exchange.write(b"", False)
    service.events.append(f"relayed {refused > 0}")


async def flood(service: Service, request: Request) -> None:
    """Writes without end, or until `send` says that nobody is there."""
    await request.body()
    request.exchange.on_hangup(lambda: service.events.append("flood dropped"))
    await request.head()
    try:
        while True:
            await request.part(b"x" * 65536)
    except CallerGone:
        service.events.append("flood ended")


async def big(service: Service, request: Request) -> None:
    await request.body()
    size = int(request.query["size"])
    await request.head(200, (b"content-length", b"%d" % size))
    await request.part(b"x" * size, more=False)


async def early(service: Service, request: Request) -> None:
    await request.json({"error": "who are you"}, 401)


async def direct(service: Service, request: Request) -> None:
    """By the exchange's own functions."""
    if "cancel" in request.query:
        request.exchange.cancel_on_hangup()
        try:
            await asyncio.sleep(3600)
        finally:
            service.events.append("cancelled")
    request.exchange.answer(201, b"x-a: b\r\n", await request.body())


async def unread(service: Service, request: Request) -> None:
    """Takes nothing of the body for a while, then all of it."""
    await asyncio.sleep(float(request.query["s"]))
    await request.json({"length": len(await request.body())})


async def crash(service: Service, request: Request) -> None:
    await request.body()
    if "midway" in request.query:
        await request.head()
        await request.part(b"half")
    raise ValueError("a bug")


async def silent(service: Service, request: Request) -> None:
    """Returns without an answer, or ends it before its length."""
    if "short" in request.query:
        await request.head(200, (b"content-length", b"10"))
        await request.part(b"12345", more=False)


async def inject(service: Service, request: Request) -> None:
    name, value = request.query.get("name", "x-test"), request.query.get("value", "v")
    await request.head(200, (name.encode(), value.encode()), (b"content-length", b"0"))
    await request.part(b"", more=False)


async def bodyless(service: Service, request: Request) -> None:
    await request.head(int(request.query["status"]))
    await request.part(b"not for the wire", more=False)


async def closing(service: Service, request: Request) -> None:
    await request.head(200, (b"content-length", b"2"), (b"connection", b"close"))
    await request.part(b"ok", more=False)


async def who(service: Service, request: Request) -> None:
    worker = service.worker
    assert worker.hub is not None
    await request.json({
        "pid": os.getpid(), "index": worker.index, "count": worker.count, "admin": worker.admin,
        "version": service.version, "fleet": worker.fleet, "folder": str(worker.folder), "name": worker.name,
        "open": len(worker.hub.open), "exchanges": len(worker.hub.exchanges), "requests": worker.hub.total_requests,
        "refused": worker.hub.refused, "lag": worker.hub.lag, "loop": type(asyncio.get_running_loop()).__module__,
        "tasks": len(asyncio.all_tasks()),
    })  # fmt: skip


async def events(service: Service, request: Request) -> None:
    await request.json(service.events)


async def collect(service: Service, request: Request) -> None:
    await request.json({"unreachable": gc.collect(), "frozen": gc.get_freeze_count()})


async def die(service: Service, request: Request) -> None:
    os._exit(9)


PATHS: Final = {
    f"/{handler.__name__}": handler
    for handler in (
        echo, slow, hang, disconnect, stream, relay, flood, big, direct, early, unread, crash, silent, inject, bodyless,
        closing, who, events, collect, die,
    )
} | {"*": echo, "/a b/ü": echo}  # fmt: skip


async def make(worker: Worker, settings: Mapping[str, Any]) -> Service:
    return Service(worker, settings)


def main() -> int:
    order = json.loads(sys.argv[1])
    version_file = order["settings"].get("version_file")

    def check() -> list[str]:
        return ["line 1: what is this"] if version_file and Path(version_file).read_text() == "unreadable" else []

    def ready(addresses: Any) -> None:
        print(json.dumps(addresses), flush=True)

    import logging

    logging.basicConfig(level=logging.INFO)
    options = ServerOptions(**order["options"])
    return serve("support.served:make", order["settings"], options, check=check, on_ready=ready)


# --- the process


class Served:
    """`with Served(options) as server:` starts it and waits until it serves; leaving it stops it, expecting 0."""

    def __init__(self, options: ServerOptions, *, plain_loop: bool = False, **settings: Any) -> None:
        """`plain_loop`: without uvloop, as on a system that does not have it."""
        self.options = asdict(options)
        self.settings = settings
        self.plain_loop = plain_loop
        self.process: subprocess.Popen[bytes]
        self.port = 0
        self.log = b""

    def launch(self) -> Self:
        paths = [str(ROOT / "src"), str(ROOT / "tests")]
        if self.plain_loop:
            paths.insert(0, str(ROOT / "tests" / "support" / "no_uvloop"))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "support.served", json.dumps({"options": self.options, "settings": self.settings})],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            cwd=ROOT / "tests",
        )
        return self

    def __enter__(self) -> Self:
        self.launch()
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"did not start: {self.end().decode()}")
        self.port = int(json.loads(line)[0].rpartition(":")[2])
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.end()
        assert self.process.returncode == 0, self.log.decode()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self, seconds: float = 60) -> bytes:
        """Wait for its end; what it has logged."""
        try:
            _, log = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            _, log = self.process.communicate()
            raise AssertionError(f"did not end: {log.decode()}") from None
        except ValueError:
            return self.log  # asked before
        self.log = log
        return log

    def connect(self, tls: ssl.SSLContext | None = None) -> "Caller":
        return Caller(self.port, tls)

    def get(self, path: str) -> Any:
        """One request on a connection of its own; the JSON answer."""
        with self.connect() as caller:
            return caller.get(path).json()

    def wait_for(self, path: str, wanted: Callable[[Any], bool], seconds: float = 30) -> Any:
        """Ask until the answer is as wanted."""
        end = time.monotonic() + seconds
        while not wanted(answer := self.get(path)):
            assert time.monotonic() < end, answer
            time.sleep(0.02)
        return answer

    def wait_event(self, event: str, seconds: float = 30) -> None:
        self.wait_for("/events", lambda seen: event in seen, seconds)


# --- the caller


class Answer:
    def __init__(self, status: int, headers: dict[str, str], body: bytes, whole: bool) -> None:
        self.status, self.headers, self.body, self.whole = status, headers, body, whole

    def json(self) -> Any:
        return json.loads(self.body)

    def error(self) -> tuple[int, str]:
        """(status, type) of a well-formed error in OpenAI's shape."""
        error = self.json()["error"]
        assert set(error) == {"message", "type", "param", "code"} and error["param"] is None
        assert error["code"] == str(self.status) and isinstance(error["message"], str)
        return self.status, error["type"]


class Caller:
    """A connection for plain bytes. Context manager."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None, receive_buffer: int = 0) -> None:
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(60)
        try:
            sock.connect(("127.0.0.1", port))
        except OSError:
            sock.close()
            raise
        self.sock = tls.wrap_socket(sock, server_hostname="localhost") if tls else sock
        self.file = self.sock.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.file.close()
        self.sock.close()

    def reset(self) -> None:
        """End by RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def try_send(self, data: bytes) -> None:
        """Send what the other end will take, if anything."""
        try:
            self.sock.sendall(data)
        except OSError:
            pass

    def get(self, path: str, *headers: str) -> Answer:
        self.send(request("GET", path, *headers))
        return self.answer()

    def post(self, path: str, body: bytes, *headers: str) -> Answer:
        self.send(request("POST", path, f"Content-Length: {len(body)}", *headers) + body)
        return self.answer()

    def head(self) -> tuple[int, dict[str, str]]:
        status = self.file.readline()
        assert status.startswith(b"HTTP/1.1 "), status
        headers: dict[str, str] = {}
        while (line := self.file.readline().decode("latin-1").rstrip("\r\n")) != "":
            name, _, value = line.partition(": ")
            assert name not in headers, line
            headers[name] = value
        return int(status.split()[1]), headers

    def answer(self, method: str = "GET") -> Answer:
        status, headers = self.head()
        if method == "HEAD" or status in (204, 304):
            return Answer(status, headers, b"", True)
        if "content-length" in headers:
            body = self.file.read(int(headers["content-length"]))
            return Answer(status, headers, body, len(body) == int(headers["content-length"]))
        if headers.get("transfer-encoding") == "chunked":
            parts = list(iter(self.chunk, None))
            whole = bool(parts) and parts[-1] == b""
            return Answer(status, headers, b"".join(part for part in parts if part), whole)
        return Answer(status, headers, self.file.read(), True)

    _last = False

    def chunk(self) -> bytes | None:
        """The next chunk; b"" for the last one; None at the end of it all, whole or not."""
        if self._last:
            self._last = False
            return None
        try:
            size = self.file.readline()
            if not size:
                return None
            data = self.file.read(int(size, 16))
            self.file.read(2)
        except OSError:
            return None
        self._last = not data
        return data

    def closed(self) -> bool:
        """Wait for the end; True if nothing came before it."""
        try:
            return self.file.read() == b""
        except OSError:
            return True


def request(method: str, path: str, *headers: str) -> bytes:
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: x", *headers, "", "")).encode("latin-1")


if __name__ == "__main__":
    sys.exit(main())
