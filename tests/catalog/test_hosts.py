"""Facts of single hosts that the suite over all rows (tests/providers) cannot know."""

import pytest

from litellm.catalog import hosts
from litellm.engine.resolve import Wish, resolve
from litellm.settings import Settings


def test_openrouter_is_told_who_calls_only_if_the_user_says_so():
    wish = Wish("openrouter/a/b", api_key="k")
    assert resolve(wish, Settings(), {}).headers == ()
    told = resolve(wish, Settings(), {"OR_SITE_URL": "http://me", "OR_APP_NAME": "mine"})
    assert told.headers == (("HTTP-Referer", "http://me"), ("X-Title", "mine"))


@pytest.mark.parametrize("provider", ["openai_like", "custom_openai"])
def test_openai_s_key_does_not_go_to_servers_that_are_only_like_it(provider: str):
    wish = Wish(f"{provider}/m", api_base="http://127.0.0.1:1")
    assert resolve(wish, Settings(), {"OPENAI_API_KEY": "secret"}).api_key == "none"


def test_the_quirks_of_single_hosts():
    rows = hosts.rows()
    assert rows["publicai"].flatten_content
    assert rows["parasail"].force == {"store": False}
    assert rows["scx-ai"].clamp == {"temperature": (0, 1.99)}
    assert rows["sarvam"].headers == {"api-subscription-key": "{api_key}"}
    assert rows["mistral"].rename["seed"] == "random_seed"
    assert rows["jina_ai"].endpoints == ("embedding",)
    assert len(rows) >= 28 + 50


def test_most_hosts_take_max_tokens_by_its_old_name():
    renaming = [name for name, row in hosts.rows().items() if row.rename.get("max_completion_tokens") == "max_tokens"]
    assert len(renaming) > 35
    assert not {"openai", "groq", "hosted_vllm", "xai"} & set(renaming)
