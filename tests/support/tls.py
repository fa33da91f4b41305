"""A certificate authority for one test run: a server context for `localhost`, and the CA's file for clients."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class TestTls:
    """`server` is what the upstream takes; `ca_file` is what a client has to trust."""

    __test__ = False

    server: ssl.SSLContext
    ca_file: str


def make_tls(folder: Path, *names: str) -> TestTls:
    """A fresh CA and a certificate of it for the given names (default: localhost and 127.0.0.1)."""
    ca = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*(names or ("localhost", "127.0.0.1"))).configure_cert(server)
    ca_file = folder / "ca.pem"
    ca.cert_pem.write_to_path(str(ca_file))
    return TestTls(server, str(ca_file))
