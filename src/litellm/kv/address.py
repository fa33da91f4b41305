"""Where a Redis is, and how it wants to be spoken to. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

PORT: Final = 6379

_SHAPES: Final = "redis://HOST:PORT/DB, rediss://USER:PASSWORD@HOST:PORT/DB or unix:///PATH?db=DB"
_OPTIONS: Final = frozenset({"db", "ssl_cert_reqs", "ssl_ca_certs"})


@dataclass(frozen=True, slots=True)
class Address:
    """`path` is a Unix socket's, in place of host and port. As text it has no password."""

    host: str = "localhost"
    port: int = PORT
    path: str | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    database: int = 0
    tls: bool = False
    verify: bool = True
    """Whether the certificate must be good, for this host."""
    ca_file: str | None = None

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'rediss' if self.tls else 'redis'}://{host}:{self.port}/{self.database}"


def parse(url: str) -> Address:
    """Raises ValueError, which does not repeat the URL: it may hold a password.

    The query may say `db=1`, and for `rediss` `ssl_cert_reqs=none` and `ssl_ca_certs=FILE`.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"not a Redis URL: say {_SHAPES}") from None
    options = dict(parse_qsl(parts.query))
    if parts.scheme not in ("redis", "rediss", "unix") or (parts.scheme == "unix") != bool(not parts.hostname):
        raise ValueError(f"not a Redis URL: say {_SHAPES}")
    unknown = sorted(options.keys() - _OPTIONS)
    if unknown:
        raise ValueError(f"a Redis URL has no option {unknown[0]!r}: there are {', '.join(sorted(_OPTIONS))}")
    is_socket = parts.scheme == "unix"
    return Address(
        host=parts.hostname or "",
        port=port or PORT,
        path=unquote(parts.path) if is_socket else None,
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        database=_database(options.get("db") or ("" if is_socket else parts.path.strip("/"))),
        tls=parts.scheme == "rediss",
        verify=options.get("ssl_cert_reqs", "required").lower() != "none",
        ca_file=options.get("ssl_ca_certs"),
    )


def _database(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"a Redis database is a number, not {text!r}")
    return int(text)


def port_of(environ: Mapping[str, str]) -> int | None:
    """REDIS_PORT, if it is there. Raises ValueError."""
    port = environ.get("REDIS_PORT")
    if port and not port.isdecimal():
        raise ValueError(f"REDIS_PORT must be a number, not {port!r}")
    return int(port) if port else None


def tls_of(environ: Mapping[str, str]) -> bool:
    return environ.get("REDIS_SSL", "").lower() in ("true", "1")
