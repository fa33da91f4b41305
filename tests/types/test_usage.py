"""Token counts: the endpoint's own words, and OpenAI's for them."""

from litellm.types.usage import PromptTokensDetailsWrapper, Usage, usage_of


def test_what_the_endpoint_says_is_not_recounted():
    usage = Usage(prompt_tokens=1, completion_tokens=2, total_tokens=99)
    assert usage.total_tokens == 99
    assert Usage(prompt_tokens=1, completion_tokens=2).total_tokens == 3
    assert Usage().model_dump() == {
        "completion_tokens": 0,
        "prompt_tokens": 0,
        "total_tokens": 0,
        "completion_tokens_details": None,
        "prompt_tokens_details": None,
    }


def test_details_are_objects_with_every_field():
    usage = Usage(prompt_tokens=1, prompt_tokens_details={"cached_tokens": 1, "novel_tokens": 2})
    assert usage.prompt_tokens_details.audio_tokens is None
    assert usage.prompt_tokens_details.novel_tokens == 2
    assert set(usage.model_dump()["prompt_tokens_details"]) == {
        "audio_tokens", "cached_tokens", "text_tokens", "image_tokens", "video_tokens", "novel_tokens",
    }  # fmt: skip
    given = PromptTokensDetailsWrapper(cached_tokens=5)
    assert Usage(prompt_tokens_details=given).prompt_tokens_details is given


def test_anthropic_s_cache_counts():
    usage = Usage(prompt_tokens=9, cache_read_input_tokens=4, cache_creation_input_tokens=2)
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (4, 2)
    assert usage.prompt_tokens_details.cached_tokens == 4
    assert usage.prompt_tokens_details.cache_creation_tokens == 2
    assert not hasattr(Usage(), "cache_read_input_tokens")
    assert Usage().get("cache_read_input_tokens", 0) == 0


def test_other_vendors_words():
    assert Usage(prompt_tokens=9, prompt_cache_hit_tokens=4).prompt_tokens_details.cached_tokens == 4
    assert Usage(completion_tokens=9, reasoning_tokens=5).completion_tokens_details.reasoning_tokens == 5
    own = Usage(prompt_tokens_details={"cached_tokens": 0}, prompt_cache_hit_tokens=4)
    assert own.prompt_tokens_details.cached_tokens == 0  # OpenAI's own field wins
    assert Usage(server_tool_use={"web_search_requests": 2}).server_tool_use.web_search_requests == 2


def test_no_usage():
    assert usage_of(None) is None
    assert usage_of([1]) is None
    assert usage_of("x") is None
    assert usage_of({"prompt_tokens": 1}).prompt_tokens == 1
