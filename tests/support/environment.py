"""Nothing of this machine's environment changes what the SDK does in a test."""

import os
from collections.abc import Iterator

import pytest

_PREFIXES = ("OPENAI_", "LITELLM_")
_NAMES = ("REQUEST_TIMEOUT", "SSL_VERIFY", "SSL_CERT_FILE", *(f"{s}_proxy" for s in ("http", "https", "all", "no")))


@pytest.fixture(scope="session", autouse=True)
def bare_environment() -> Iterator[None]:
    """For the whole session, because the SDK reads the proxies when it opens its first connection."""
    patch = pytest.MonkeyPatch()
    for name in list(os.environ):
        if name.startswith(_PREFIXES) or name in _NAMES or name.lower() in _NAMES:
            patch.delenv(name)
    yield
    patch.undo()
