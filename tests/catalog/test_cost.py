"""What responses cost: against a table worked out in fractions, against price pages by hand, and as a whole."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm.catalog.cost import (
    Cost,
    Rates,
    Tokens,
    UnpricedModel,
    breakdown,
    cost,
    dollars,
    of_usage,
    pico,
    rates_of,
    rates_of_dollars,
    tokens_of,
)
from litellm.types.usage import Usage

CASES = json.loads(Path(__file__).with_name("cost_cases.json").read_text())


def per_million(**prices: str) -> Rates:
    """As providers print them: dollars for a million tokens."""
    return rates_of_dollars({name: f"{price}e-6" for name, price in prices.items()})


def test_the_table():
    assert len(CASES) == 200
    for case in CASES:
        rates, used = per_million(**case["prices"]), tokens_of(case["usage"])
        assert cost(used, rates, case.get("service_tier")) == case["nano"], case
        parts = breakdown(used, rates, case.get("service_tier"))
        assert of_usage(case["usage"], rates, case.get("service_tier")) == parts, case
        assert parts.total == case["nano"] == parts.prompt + parts.completion + parts.tools


GPT_4O = per_million(
    input_cost_per_token="2.50", output_cost_per_token="10", cache_read_input_token_cost="1.25",
    input_cost_per_token_batches="1.25", output_cost_per_token_batches="5", input_cost_per_token_priority="4.25",
    output_cost_per_token_priority="17", cache_read_input_token_cost_priority="2.125",
)  # fmt: skip
SONNET = per_million(
    input_cost_per_token="3", output_cost_per_token="15", cache_read_input_token_cost="0.30",
    cache_creation_input_token_cost="3.75", cache_creation_input_token_cost_above_1hr="6",
    input_cost_per_token_above_200k_tokens="6", output_cost_per_token_above_200k_tokens="22.50",
)  # fmt: skip
GEMINI = per_million(
    input_cost_per_token="0.30", output_cost_per_token="2.50", input_cost_per_audio_token="1",
    cache_read_input_token_cost="0.03",
)  # fmt: skip
AUDIO = per_million(
    input_cost_per_token="2.50", output_cost_per_token="10", input_cost_per_audio_token="40",
    output_cost_per_audio_token="80",
)  # fmt: skip
SONAR = per_million(input_cost_per_token="2", output_cost_per_token="8", output_cost_per_reasoning_token="3")
IMAGE = per_million(input_cost_per_token="5", output_cost_per_token="40", input_cost_per_image_token="10")
SMALL = per_million(input_cost_per_token="0.02")
FREE = per_million(input_cost_per_token="0", output_cost_per_token="0")


@pytest.mark.parametrize(
    ("rates", "used", "tier", "usd"),
    [
        (GPT_4O, Tokens(1000, 200), None, "0.0045"),  # 1000 x 2.50 + 200 x 10 = 4500 millionths
        (GPT_4O, Tokens(1000, 200, cached=400), None, "0.004"),  # 600 x 2.50 + 400 x 1.25 + 2000
        (GPT_4O, Tokens(1000, 200, reasoning=150), None, "0.0045"),  # reasoning is output
        (GPT_4O, Tokens(1000, 200, cached=400), "default", "0.004"),
        (GPT_4O, Tokens(1000, 200, cached=400), "priority", "0.0068"),  # 600 x 4.25 + 400 x 2.125 + 200 x 17
        (GPT_4O, Tokens(1000, 200, cached=400), "batch", "0.00225"),  # the Batch table has no cached rate: standard's
        (GPT_4O, Tokens(1000, 200), "flex", "0.0045"),  # not offered for this model
        (GPT_4O, Tokens(1, 0), None, "0.0000025"),
        (GPT_4O, Tokens(0, 0), None, "0"),
        (SONNET, Tokens(10_000, 500), None, "0.0375"),
        (SONNET, Tokens(10_000, 500, cached=8_000, written=1_000), None, "0.01665"),  # 1000x3+8000x.3+1000x3.75+7500
        (SONNET, Tokens(10_000, 500, written=1_000, written_1h=2_000), None, "0.04425"),  # 21000+3750+12000+7500
        (SONNET, Tokens(200_000, 1_000), None, "0.615"),  # at the border, not above it
        (SONNET, Tokens(200_001, 1_000), None, "1.222506"),  # the whole request at the higher rates
        (SONNET, Tokens(300_000, 0, cached=100_000), None, "1.23"),  # no cached rate up there: the plain one
        (GEMINI, Tokens(2_000, 100, audio_in=1_500), None, "0.0019"),  # 500 x .30 + 1500 x 1 + 100 x 2.50
        (GEMINI, Tokens(1_000, 0, cached=1_000), None, "0.00003"),
        (AUDIO, Tokens(200, 300, audio_in=150, audio_out=250), None, "0.026625"),  # 125 + 6000 + 500 + 20000
        (SONAR, Tokens(100, 50_100, reasoning=50_000), None, "0.151"),  # 200 + 800 + 150000
        (IMAGE, Tokens(500, 1_000, image_in=400), None, "0.0445"),  # 100 x 5 + 400 x 10 + 40000
        (SMALL, Tokens(8_191, 0), None, "0.00016382"),
        (FREE, Tokens(10**6, 10**6), None, "0"),
        (per_million(input_cost_per_token="0.0375"), Tokens(1, 0), None, "0.000000038"),  # 37.5 nano: half up
        (per_million(input_cost_per_token="0.0374"), Tokens(1, 0), None, "0.000000037"),
    ],
)
def test_by_hand_from_price_pages(rates: Rates, used: Tokens, tier: str | None, usd: str):
    assert cost(used, rates, tier) == pico(usd) // 1000  # pyright: ignore


def test_what_is_not_counted_in_tokens():
    whisper = rates_of_dollars({"input_cost_per_second": 0.0001})
    assert cost(Tokens(milliseconds=61_500), whisper) == 6_150_000
    assert cost(Tokens(prompt=10, completion=20, milliseconds=2_000), whisper) == 200_000
    assert cost(Tokens(characters=1_000), rates_of_dollars({"input_cost_per_character": 15e-6})) == 15_000_000
    assert cost(Tokens(images=3), rates_of_dollars({"input_cost_per_image": 0.04})) == 120_000_000
    assert cost(Tokens(pages=2), rates_of_dollars({"ocr_cost_per_page": 0.001})) == 2_000_000
    assert cost(Tokens(queries=2), rates_of_dollars({"input_cost_per_query": 0.002})) == 4_000_000
    both = rates_of_dollars({"input_cost_per_token": 1e-6, "input_cost_per_second": 1.0})
    assert cost(Tokens(prompt=5, milliseconds=9_000), both) == 5_000  # its tokens are what is paid for


def test_searches():
    rates = rates_of_dollars(
        {"input_cost_per_token": 1e-6, "search_context_cost_per_query": {"search_context_size_medium": 0.01}}
    )
    assert breakdown(Tokens(10, searches=2), rates) == Cost(20_010_000, input=10_000, tools=20_000_000)
    assert cost(Tokens(10, searches=2), rates_of_dollars({"input_cost_per_token": 1e-6})) == 10_000


def test_no_rate_is_an_error_only_where_it_is_needed():
    only_input = per_million(input_cost_per_token="1")
    assert cost(Tokens(5), only_input) == 5_000
    for used in (Tokens(5, 1), Tokens(0, 3, reasoning=3)):
        with pytest.raises(UnpricedModel):
            cost(used, only_input)
    with pytest.raises(UnpricedModel):
        cost(Tokens(1), Rates({}))
    with pytest.raises(UnpricedModel):
        cost(Tokens(milliseconds=5), Rates({}))
    assert cost(Tokens(), Rates({})) == 0


def test_parts_never_exceed_the_whole():
    rates = per_million(input_cost_per_token="1", output_cost_per_token="2", cache_read_input_token_cost="0.5")
    assert cost(Tokens(10, 0, cached=50, audio_in=20), rates) == 5_000
    assert cost(Tokens(0, 10, reasoning=50), rates) == 20_000


counts = st.integers(0, 10**7)


@given(st.builds(Tokens, counts, counts, counts, counts, counts, counts, counts, counts, counts, counts),
       st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))  # fmt: skip
def test_the_parts_add_up(used: Tokens, first: int, second: int, third: int):
    rates = rates_of(
        {"input_cost_per_token": first, "output_cost_per_token": second, "cache_read_input_token_cost": third}
    )
    parts = breakdown(used, rates)
    assert parts.total == cost(used, rates) == parts.prompt + parts.completion + parts.tools
    assert min(parts.input, parts.cache_read, parts.cache_creation, parts.output, parts.reasoning) >= -3


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2.5e-06, 2_500_000), (1.5e-07, 150_000), ("0.00000015", 150_000), (0, 0), (3, 3 * 10**12), (1e-13, 0),
        (0.1 + 0.2, 300_000_000_000), (-1e-6, None), (float("nan"), None), (float("inf"), None), ("free", None),
        (None, None), (True, None), ([], None),
    ],
)  # fmt: skip
def test_dollars_become_pico_dollars_by_their_text(value: Any, expected: int | None):
    assert pico(value) == expected


def test_rates_are_told_from_what_else_an_entry_says():
    rates = rates_of({"input_cost_per_token": 1, "max_tokens": 5, "some_cost": 3, "supports_vision": True})
    assert rates.values == {"input_cost_per_token": 1}
    rates = rates_of({"input_cost_per_token": 1, "input_cost_per_token_above_131072_tokens_flex": 2})
    assert rates.at(131_073, "flex").input == 2
    assert rates.at(131_072, "flex").input == rates.at(131_073).input == 1
    assert dollars(2_500) == 2.5e-6


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11}, Tokens(5, 6)),
        ({"prompt_tokens": 5, "completion_tokens": None, "prompt_tokens_details": None}, Tokens(5, 0)),
        ({"prompt_tokens": 5, "cache_read_input_tokens": 2, "cache_creation_input_tokens": 1},
         Tokens(5, 0, cached=2, written=1)),
        ({"input_tokens": 9, "output_tokens": 4, "input_tokens_details": {"cached_tokens": 3},
          "output_tokens_details": {"reasoning_tokens": 2}}, Tokens(9, 4, cached=3, reasoning=2)),
        ({"input_tokens": 9, "output_tokens": 4, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 2,
          "cache_creation": {"ephemeral_1h_input_tokens": 1}, "server_tool_use": {"web_search_requests": 2}},
         Tokens(14, 4, cached=3, written=1, written_1h=1, searches=2)),
        ({"prompt_tokens": "many", "completion_tokens": -4}, Tokens()),
        ({"type": "duration", "seconds": 12.5}, Tokens(milliseconds=12_500)),
    ],
)  # fmt: skip
def test_usage_in_every_dialect(usage: dict[str, Any], tokens: Tokens):
    assert tokens_of(usage) == tokens


def test_usage_objects_count_as_their_wire_form():
    details = {"cached_tokens": 3, "audio_tokens": 1}
    wire: dict[str, Any] = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": details}
    wire["completion_tokens_details"] = {"reasoning_tokens": 2}
    assert tokens_of(Usage(**wire)) == tokens_of(wire) == Tokens(9, 4, cached=3, audio_in=1, reasoning=2)


counts = st.one_of(st.integers(0, 300_000), st.sampled_from([0, 0, 0, None, 1.0, -1, "7", True]))
rate = st.integers(0, 20_000_000)


@given(
    st.dictionaries(st.sampled_from(["prompt_tokens", "completion_tokens", "seconds", "other"]), counts),
    st.none() | st.dictionaries(st.sampled_from(["cached_tokens", "audio_tokens", "text_tokens"]), counts),
    st.none() | st.dictionaries(st.sampled_from(["reasoning_tokens", "accepted_prediction_tokens"]), counts),
    st.dictionaries(
        st.sampled_from(
            [
                "input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost",
                "input_cost_per_token_above_200k_tokens", "output_cost_per_reasoning_token_flex",
            ]
        ),
        rate,
    ),
    st.sampled_from([None, "default", "flex"]),
)  # fmt: skip
def test_the_short_way_comes_to_the_same(usage: Any, prompt: Any, completion: Any, values: Any, tier: str | None):
    usage = {**usage, "prompt_tokens_details": prompt, "completion_tokens_details": completion}
    rates = rates_of(values)
    try:
        expected = breakdown(tokens_of(usage), rates, tier)
    except UnpricedModel:
        with pytest.raises(UnpricedModel):
            of_usage(usage, rates, tier)
        return
    assert of_usage(usage, rates, tier) == expected


def test_a_model_paid_by_time_costs_what_its_call_took():
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    assert of_usage(usage, rates_of_dollars({"input_cost_per_second": 0.0004}), milliseconds=2500).total == 1_000_000
    by_token = rates_of_dollars({"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6})
    assert of_usage(usage, by_token, milliseconds=2500).total == 15_000
