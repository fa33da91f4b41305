"""Which HTTP client carries the calls: ours, unless the environment says otherwise."""

from collections.abc import Mapping
from typing import Final

from litellm.transport.base import Transport
from litellm.transport.http import HttpTransport
from litellm.transport.tunnel import proxies_from_environment

VARIABLE: Final = "LITELLM_HTTP_CLIENT"
LIBRARIES: Final = ("httpx", "httpx2")


def transport_for(environ: Mapping[str, str]) -> Transport:
    """`LITELLM_HTTP_CLIENT=httpx` has httpx carry everything, so that what watches or replaces httpx sees it.

    Raises ValueError for another value, ImportError if the library is not installed.
    """
    library = environ.get(VARIABLE)
    if not library:
        return HttpTransport(proxies=proxies_from_environment(environ))
    if library not in LIBRARIES:
        raise ValueError(f"{VARIABLE} must be one of {', '.join(LIBRARIES)}, not {library!r}")
    from litellm.transport.foreign import OwnClients

    return OwnClients(library)
