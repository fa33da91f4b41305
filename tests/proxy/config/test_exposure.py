"""Without a master key the gateway is for this machine only."""

import pytest

from litellm.proxy.config.exposure import host_for, is_loopback
from litellm.proxy.config.load import load

OPEN = load(None, {}, {})
LOCKED = load(None, {"general_settings": {"master_key": "sk-1234"}}, {})


@pytest.mark.parametrize(
    ("wanted", "host", "told"),
    [
        (None, "127.0.0.1", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("::", "::1", True),
        ("192.168.1.5", "127.0.0.1", True),
        ("gateway.example", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.1", False),
        ("127.8.0.1", "127.8.0.1", False),
        ("::1", "::1", False),
        ("localhost", "localhost", False),
    ],
)
def test_without_a_key(wanted: str | None, host: str, told: bool) -> None:
    chosen, notice = host_for(OPEN, wanted, allow_unauthenticated=False)
    assert chosen == host
    assert (notice is not None) == told
    assert is_loopback(chosen) or chosen == "localhost"


def test_without_a_key_on_purpose() -> None:
    host, notice = host_for(OPEN, None, allow_unauthenticated=True)
    assert host == "0.0.0.0"
    assert notice is not None and "whoever reaches" in notice


def test_with_a_key() -> None:
    assert host_for(LOCKED, None, allow_unauthenticated=False) == ("0.0.0.0", None)
    assert host_for(LOCKED, "192.168.1.5", allow_unauthenticated=False) == ("192.168.1.5", None)
