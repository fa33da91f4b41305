"""Secrets at rest: what is sealed opens under its own key and in its own place, and nowhere else."""

import pytest

from litellm.store.seal import PREFIX, Seal, Unsealable, is_sealed


@pytest.mark.parametrize("value", ["sk-s3cr3t", "", {"a": [1, None, "ü"]}, 1.5, False])
def test_what_is_sealed_opens_again(value: object) -> None:
    sealed = Seal("salt").close(value, "model/1/api_key")
    assert is_sealed(sealed) and "s3cr3t" not in sealed
    assert Seal("salt").open(sealed, "model/1/api_key") == value


def test_two_of_the_same_differ() -> None:
    seal = Seal("salt")
    assert seal.close("x", "a") != seal.close("x", "a")


def test_it_opens_in_its_own_place_only() -> None:
    seal = Seal("salt")
    sealed = seal.close("x", "model/1/api_key")
    with pytest.raises(Unsealable, match="another row"):
        seal.open(sealed, "model/2/api_key")


def test_a_former_salt_is_told_by_its_id() -> None:
    old, new = Seal("old"), Seal("new")
    assert old.key_id != new.key_id and len(old.key_id) == 12
    with pytest.raises(Unsealable, match=rf"another LITELLM_SALT_KEY \(key id {old.key_id}, not {new.key_id}\)"):
        new.open(old.close("x", "a"), "a")


def test_a_former_salt_opens_and_does_not_close() -> None:
    old, both = Seal("old"), Seal("new", ["older", "old"])
    before = old.close("x", "a")
    assert both.open(before, "a") == "x" and not both.is_current(before)
    after = both.close("x", "a")
    assert both.is_current(after) and Seal("new").open(after, "a") == "x"


@pytest.mark.parametrize("damage", [lambda s: s[:-4], lambda s: s[:-5] + "AAAA=", lambda s: s + "é", lambda s: s[:30]])
def test_what_was_altered_does_not_open(damage: object) -> None:
    seal = Seal("salt")
    sealed = damage(seal.close("a value of some length", "a"))  # type: ignore[operator]
    with pytest.raises(Unsealable):
        seal.open(sealed, "a")
    with pytest.raises(Unsealable):
        seal.open(f"{PREFIX}{seal.key_id}:", "a")
