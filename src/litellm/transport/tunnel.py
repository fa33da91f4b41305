"""Proxies: which origin goes through which, and the CONNECT that opens a tunnel.

The variables are those of curl: HTTP_PROXY, HTTPS_PROXY, NO_PROXY, in lower case first. Plain http origins are
tunnelled too, so that what travels inside is the same request either way and no header is meant for the proxy.
"""

import asyncio
import ipaddress
import socket
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

from litellm.transport.base import ConnectFailed

_MAX_ANSWER: Final = 1 << 14


@dataclass(frozen=True, slots=True)
class Proxy:
    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Proxies:
    """`by_scheme` of the origin; `exempt` are the entries of NO_PROXY."""

    by_scheme: Mapping[str, Proxy] = field(default_factory=dict[str, Proxy])
    exempt: tuple[str, ...] = ()

    def for_origin(self, origin: tuple[str, str, int]) -> Proxy | None:
        scheme, host, port = origin
        proxy = self.by_scheme.get(scheme)
        if proxy is None or any(_covers(entry, host, port) for entry in self.exempt):
            return None
        return proxy


def proxies_from_environment(environment: Mapping[str, str]) -> Proxies:
    """Raises ValueError, naming the variable, for a proxy that is not http://[user:password@]host[:port]."""

    def get(name: str) -> str:
        return environment.get(name.lower(), "") or environment.get(name.upper(), "")

    by_scheme = {
        scheme: _proxy(name, value)
        for scheme, name in (("http", "HTTP_PROXY"), ("https", "HTTPS_PROXY"))
        if (value := get(name).strip())
    }
    if "REQUEST_METHOD" in environment and "http_proxy" not in environment:
        by_scheme.pop("http", None)  # under CGI a client sets HTTP_PROXY by sending a Proxy header (CVE-2016-5385)
    exempt = tuple(entry for entry in (part.strip().lower() for part in get("NO_PROXY").split(",")) if entry)
    return Proxies(by_scheme, exempt)


def _proxy(name: str, value: str) -> Proxy:
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        port = parts.port or 80
    except ValueError:
        raise ValueError(f"{name} is not a valid URL") from None
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"{name} must be http://[user:password@]host[:port], not {parts.scheme}://")
    if parts.username is None:
        return Proxy(parts.hostname, port)
    secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return Proxy(parts.hostname, port, f"Basic {b64encode(secret.encode()).decode()}")


def _covers(entry: str, host: str, port: int) -> bool:
    """Whether an entry of NO_PROXY exempts a host: `*`, a name with its subdomains, an address, a network; [:port]."""
    if entry == "*":
        return True
    name, colon, wanted = entry.rpartition(":")
    if colon and wanted.isdigit() and (":" not in name or name.endswith("]")):
        if int(wanted) != port:
            return False
        entry = name
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        domain = entry.removeprefix("*").removeprefix(".")
        return host == domain or host.endswith(f".{domain}")


async def open_tunnel(sock: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    """Ask the proxy at the other end of `sock` for a tunnel. Raises ConnectFailed if it says no, OSError."""
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    credentials = f"proxy-authorization: {proxy.authorization}\r\n" if proxy.authorization else ""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, f"CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n{credentials}\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        piece = await loop.sock_recv(sock, _MAX_ANSWER)
        answer += piece
        if not piece or len(answer) > _MAX_ANSWER:
            raise ConnectFailed(f"the proxy {proxy.host}:{proxy.port} did not answer CONNECT with an HTTP response")
    _check_answer(answer, proxy)


def _check_answer(answer: bytes, proxy: Proxy) -> None:
    head, _, excess = answer.partition(b"\r\n\r\n")
    version, _, status = head.split(b"\r\n", 1)[0].decode("latin-1").partition(" ")
    if not version.startswith("HTTP/1.") or not (status.startswith("2") and status[:3].isdigit()):
        raise ConnectFailed(f"the proxy {proxy.host}:{proxy.port} refused the tunnel: {f'{version} {status}'[:80]!r}")
    if excess:  # the origin speaks second, in TLS as in HTTP: these bytes are not its
        raise ConnectFailed(f"the proxy {proxy.host}:{proxy.port} sent bytes after its answer to CONNECT")
