import pytest

from litellm.kv.address import Address, parse


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://localhost", Address("localhost")),
        ("redis://h:6380/2", Address("h", 6380, database=2)),
        ("redis://:s%40fe@h", Address("h", password="s@fe")),
        ("rediss://me:p@h:7/1", Address("h", 7, user="me", password="p", database=1, tls=True)),
        ("rediss://h?ssl_cert_reqs=none&db=3", Address("h", database=3, tls=True, verify=False)),
        ("rediss://h?ssl_ca_certs=/ca.pem", Address("h", tls=True, ca_file="/ca.pem")),
        ("redis://[::1]:6379", Address("::1")),
        ("unix:///run/a%20b.sock?db=4", Address("", path="/run/a b.sock", database=4)),
        ("unix://:pw@/run/r.sock", Address("", path="/run/r.sock", password="pw")),
    ],
)
def test_urls(url: str, address: Address) -> None:
    assert parse(url) == address


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("localhost:6379", "say redis://HOST:PORT/DB"),
        ("http://h", "say redis://HOST:PORT/DB"),
        ("redis://", "say redis://HOST:PORT/DB"),
        ("redis://h:port", "say redis://HOST:PORT/DB"),
        ("redis://h:99999", "say redis://HOST:PORT/DB"),
        ("unix://run/r.sock", "say redis://HOST:PORT/DB"),
        ("redis://h/first", "number, not 'first'"),
        ("redis://h?decode_responses=True", "no option 'decode_responses'"),
        ("redis://:hunter2@h:port", "say redis://HOST:PORT/DB"),
    ],
)
def test_what_is_none_is_told_what_to_say_and_no_password_is_repeated(url: str, says: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse(url)
    assert says in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_an_address_as_text_keeps_the_password_to_itself() -> None:
    for url in ("rediss://me:hunter2@h:7/1", "unix://:hunter2@/run/r.sock", "redis://:hunter2@[::1]"):
        assert "hunter2" not in str(parse(url)) + repr(parse(url))
    assert str(parse("rediss://me:hunter2@[::1]:7/1")) == "rediss://[::1]:7/1"
