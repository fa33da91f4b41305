"""TLS contexts, each made once: loading the certificates takes 10-20 ms and 500 KiB."""

import ssl
from dataclasses import dataclass, field

from litellm.types.http import Tls


@dataclass(slots=True)
class Contexts:
    """The contexts of one transport, by what they verify."""

    _made: dict[Tls, ssl.SSLContext] = field(default_factory=dict[Tls, ssl.SSLContext])

    def get(self, tls: Tls) -> ssl.SSLContext:
        """Raises OSError (ssl.SSLError is one) if a file cannot be read."""
        context = self._made.get(tls)
        if context is None:
            context = self._made[tls] = make_context(tls)
        return context


def make_context(tls: Tls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])  # nothing else is spoken here; some servers insist on being told
    if tls.verify:
        context.load_verify_locations(tls.ca_file or _known_authorities())
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert_file:
        context.load_cert_chain(tls.cert_file, tls.key_file)
    return context


def _known_authorities() -> str:
    """The file of certifi, which a process that only talks to local endpoints need not load."""
    import certifi

    return certifi.where()
