"""Keys: from every header that clients use, and compared so that time tells nothing."""

import ast
import inspect

import pytest

from litellm.proxy import auth
from litellm.proxy.auth import Auth, key_of
from litellm.proxy.errors import ProxyError

KEY = "sk-secret-canary-1"
HEADERS = (
    b"x-litellm-api-key", b"authorization", b"api-key", b"x-api-key", b"x-goog-api-key", b"ocp-apim-subscription-key",
)  # fmt: skip


def refusal(headers: dict[bytes, bytes], guard: Auth) -> ProxyError:
    with pytest.raises(ProxyError) as caught:
        guard.identify(headers, None)
    assert caught.value.status_code == 401 and caught.value.type == "auth_error"
    return caught.value


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("form", ["%s", "Bearer %s", "bearer %s", "BEARER   %s"])
def test_every_header_in_every_form(name: bytes, form: str) -> None:
    Auth(KEY).identify({name: (form % KEY).encode()}, None)
    assert "Invalid proxy server token" in refusal({name: (form % "sk-other").encode()}, Auth(KEY)).message


def test_a_header_of_the_configs_own() -> None:
    guard = Auth(KEY, "X-My-Key")
    guard.identify({b"x-my-key": KEY.encode()}, None)
    guard.identify({b"authorization": f"Bearer {KEY}".encode()}, None)
    refusal({b"x-my-key": b"wrong", b"authorization": f"Bearer {KEY}".encode()}, guard)


def test_the_first_header_that_says_anything_counts() -> None:
    headers = dict(zip(HEADERS, (b"k%d" % i for i in range(9)), strict=False))
    for index, name in enumerate(HEADERS):
        assert key_of(headers) == b"k%d" % index
        assert key_of({**headers, name: b"Bearer "}) == (b"k%d" % (index + 1) if index < 5 else None)
        del headers[name]
    assert key_of(headers) is None


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        b"Bearer",
        b"Bearer ",
        b"sk-",
        KEY.encode()[:-1],
        KEY.encode() + b"x",
        b"Basic " + KEY.encode(),
        b"\xff",
    ],
)
def test_everything_else_is_no_key(value: bytes) -> None:
    message = refusal({b"authorization": value}, Auth(KEY)).message
    assert KEY not in message and "sk-" not in message


def test_no_key_at_all() -> None:
    assert refusal({}, Auth(KEY)).message == "Authentication Error, No api key passed in."


def test_without_a_master_key_everybody_may() -> None:
    Auth(None).identify({}, None)
    Auth(None).identify({b"authorization": b"Bearer anything"}, None)


def test_the_keeper_does_not_hold_the_key() -> None:
    guard = Auth(KEY)
    shown = [repr(getattr(guard, name)) for name in Auth.__slots__] + [repr(guard)]
    assert all(KEY not in text for text in shown)


def test_keys_are_compared_in_constant_time_only() -> None:
    """Digests by `hmac.compare_digest`, and no `==` near a key."""
    tree = ast.parse(inspect.getsource(auth))
    check = next(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "identify")
    calls = [ast.unparse(n.func) for n in ast.walk(check) if isinstance(n, ast.Call)]
    assert "hmac.compare_digest" in calls
    compared = [ast.unparse(n) for n in ast.walk(check) if isinstance(n, ast.Compare)]
    assert not [text for text in compared if "==" in text or "!=" in text]
