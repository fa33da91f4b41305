"""Who is preferred, for how long, and what makes two prompts the same."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm.catalog import prompt_caches
from litellm.router.affinity import PREFIX, Affinity, Bond, Key, Preferring, prefix
from litellm.router.deployments import Deployment, Deployments
from litellm.router.health import State
from litellm.router.plan import choose
from litellm.router.ranks import MANY
from litellm.router.strategies import simple_shuffle
from litellm.types.calls import Target

GROUP = [Deployment(id, "m", Target("anthropic", "m", "http://host/v1", "k"), state=State()) for id in "abc"]
SESSION = Key("session", "s", 60.0)
PROMPT = Key("prefix", "p")


def chosen(bond: Bond, now: float, draw: float = 0.0) -> Deployment | None:
    return choose(GROUP, bond.over(simple_shuffle, "m", now), now, draw)


@given(st.floats(0, 1, exclude_max=True))
def test_whoever_served_is_chosen_whatever_is_drawn(draw: float) -> None:
    bond = Bond(Affinity(), (SESSION,))
    assert bond.over(simple_shuffle, "m", 0.0) is simple_shuffle
    bond.served("m", GROUP[1], 0.0)
    assert chosen(bond, 59.0, draw) is GROUP[1]
    assert bond.over(simple_shuffle, "another", 0.0) is simple_shuffle
    assert bond.over(simple_shuffle, "m", 60.0) is simple_shuffle


def test_of_a_large_group_too() -> None:
    bond = Bond(Affinity(), (SESSION,))
    large = [replace(GROUP[0], id=str(number)) for number in range(3 * MANY)]
    group = Deployments(large).group("m")
    bond.served("m", group[0], 0.0)
    drawn = {choose(group, bond.over(simple_shuffle, "m", 1.0), 1.0, draw / 10) for draw in range(10)}
    assert drawn == {group[0]}


def test_a_prefix_lasts_as_long_as_the_providers_cache() -> None:
    bond = Bond(Affinity(), (PROMPT,))
    bond.served("m", GROUP[1], 0.0)
    lasts = prompt_caches.seconds("anthropic")
    assert isinstance(bond.over(simple_shuffle, "m", lasts - 1), Preferring)
    assert bond.over(simple_shuffle, "m", lasts) is simple_shuffle
    assert prompt_caches.seconds("openai", "24h") == 86_400 > prompt_caches.seconds("openai", "in_memory")


def test_one_that_rests_loses_its_sessions() -> None:
    bond = Bond(Affinity(), (SESSION,))
    bond.served("m", GROUP[0], 0.0)
    state = GROUP[0].state = State()
    state.rest(0.0, 10.0)
    other = chosen(bond, 1.0)
    assert other is GROUP[1]
    bond.served("m", GROUP[1], 1.0)
    state.answered()
    assert chosen(bond, 12.0) is GROUP[1]
    GROUP[0].state = State()


def test_the_strongest_key_wins() -> None:
    affinity = Affinity()
    Bond(affinity, (PROMPT,)).served("m", GROUP[0], 0.0)
    Bond(affinity, (SESSION,)).served("m", GROUP[2], 0.0)
    assert chosen(Bond(affinity, (SESSION, PROMPT)), 1.0) is GROUP[2]
    assert chosen(Bond(affinity, (PROMPT, SESSION)), 1.0) is GROUP[0]


def test_the_longest_unused_is_forgotten() -> None:
    affinity = Affinity(most=2)
    for name in ("one", "two", "one", "three"):
        affinity.served("m", Key("session", name), "a", 9.0)
    assert len(affinity) == 2
    assert [affinity.of("m", Key("session", name), 0.0) for name in ("one", "two", "three")] == ["a", None, "a"]


def said(*contents: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content} for content in contents]}


def test_a_prefix_is_exactly_the_first_4096_characters() -> None:
    assert prefix(said("x" * (PREFIX - 1))) is None
    full = prefix(said("x" * PREFIX))
    assert full is not None
    assert full == prefix(said("x" * PREFIX + "anything")) == prefix({"prompt": "x" * PREFIX + "more"})
    assert full == prefix(said("x" * 4000, "x" * 96, "more"))
    assert full == prefix(said([{"type": "text", "text": "x" * 4000}, {"type": "image_url"}], "x" * 100))
    assert full != prefix(said("x" * (PREFIX - 1) + "y"))


@pytest.mark.parametrize("params", [{}, {"messages": None}, {"messages": ["x", {"content": 5}]}, {"prompt": ["x"]}])
def test_what_has_no_text_has_no_prefix(params: dict[str, Any]) -> None:
    assert prefix(params) is None
