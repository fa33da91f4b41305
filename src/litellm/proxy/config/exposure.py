"""Who can reach a gateway that has no master key: this machine, unless the operator says otherwise."""

from ipaddress import ip_address
from typing import Final

from litellm.proxy.config.load import Config

EVERYWHERE: Final = "0.0.0.0"


def host_for(config: Config, wanted: str | None, allow_unauthenticated: bool) -> tuple[str, str | None]:
    """The host to listen on, and what to tell the operator about it. `wanted` is None where none was asked for."""
    host = wanted or EVERYWHERE
    if config.general_settings.master_key is not None or is_loopback(host):
        return host, None
    if allow_unauthenticated:
        return host, f"there is no master key: whoever reaches {host} can use every model"
    loopback = "::1" if ":" in host else "127.0.0.1"
    return loopback, (
        f"there is no master key: listening on {loopback} only. Set general_settings.master_key or LITELLM_MASTER_KEY "
        "to be reached from elsewhere, or pass --allow-unauthenticated"
    )


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
