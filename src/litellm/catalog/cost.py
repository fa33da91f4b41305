"""What a response costs: token counts times rates, in whole numbers.

Rates are pico-dollars per unit, costs are nano-dollars, and a cost is rounded once, half up, at the end. A rate goes by
the field that LiteLLM's users know it by (`input_cost_per_token`), with `_above_200k_tokens` for prompts longer than
that and `_flex`, `_priority`, `_batches` for a service tier.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Final, NamedTuple, cast

from litellm.types.units import NANO

PICO: Final = 10**12

Usage = Mapping[str, Any]
"""OpenAI's `usage` object: a dict, or one of `litellm.types.usage`."""


class UnpricedModel(ValueError):
    """There is no rate for something that was used."""


@dataclass(slots=True)
class Tokens:
    """What was used. The parts of the prompt and of the completion are included in them, and never exceed them."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    written: int = 0
    """Prompt tokens put into the provider's cache."""
    written_1h: int = 0
    """The same, to be kept for an hour."""
    audio_in: int = 0
    image_in: int = 0
    reasoning: int = 0
    audio_out: int = 0
    image_out: int = 0
    searches: int = 0
    milliseconds: int = 0
    """Of audio heard or made, or of an endpoint's time where that is what costs."""
    characters: int = 0
    """Of text to be spoken."""
    pages: int = 0
    images: int = 0
    queries: int = 0


@dataclass(frozen=True, slots=True)
class Prices:
    """The rates of one length of prompt and one service tier, pico-dollars; None: not known."""

    input: int | None = None
    output: int | None = None
    cached: int | None = None
    written: int | None = None
    written_1h: int | None = None
    audio_in: int | None = None
    image_in: int | None = None
    reasoning: int | None = None
    audio_out: int | None = None
    image_out: int | None = None


FIELDS: Final = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cached": "cache_read_input_token_cost",
    "written": "cache_creation_input_token_cost",
    "written_1h": "cache_creation_input_token_cost_above_1hr",
    "audio_in": "input_cost_per_audio_token",
    "image_in": "input_cost_per_image_token",
    "reasoning": "output_cost_per_reasoning_token",
    "audio_out": "output_cost_per_audio_token",
    "image_out": "output_cost_per_image_token",
}

# What has no rate of its own costs what the next one says.
_FALLBACKS: Final = {
    "cached": ("input",),
    "written": ("input",),
    "written_1h": ("written", "input"),
    "audio_in": ("input",),
    "image_in": ("input",),
    "reasoning": ("output",),
    "audio_out": ("output",),
    "image_out": ("output",),
}

SEARCH: Final = "search_cost_per_query"

# What is counted otherwise than in tokens: the fields that price it (the first there is), and for how many of it.
_UNITS: Final = {
    "milliseconds": (("input_cost_per_second", "output_cost_per_second"), 1000),
    "characters": (("input_cost_per_character", "output_cost_per_character"), 1),
    "pages": (("ocr_cost_per_page",), 1),
    "images": (("output_cost_per_image", "input_cost_per_image"), 1),
    "queries": (("input_cost_per_query",), 1),
}
_OTHER: Final = frozenset({SEARCH, "file_search_cost_per_query", "annotation_cost_per_page"})

_NAMES: Final = _OTHER.union(FIELDS.values(), *(names for names, _ in _UNITS.values()))
_RATE: Final = re.compile(
    f"({'|'.join(sorted(_NAMES, key=len, reverse=True))})"
    r"(?:_above_(\d+)(k?)_tokens)?(?:_flex|_priority|_batches)?"
)

_SERVICES: Final = {"flex": "_flex", "priority": "_priority", "fast": "_priority", "batch": "_batches"}


@dataclass(frozen=True, slots=True)
class Rates:
    """All rates of a model, pico-dollars by field. `at` picks those of one request, and remembers them."""

    values: Mapping[str, int]
    thresholds: tuple[tuple[int, str], ...] = ()
    """(prompt tokens, suffix of the rates for longer prompts), the highest first."""
    _picked: dict[tuple[str, str], Prices] = field(default_factory=dict[tuple[str, str], Prices], repr=False)

    def at(self, prompt_tokens: int, service_tier: str | None = None) -> Prices:
        """A tier's rates hold for the whole request, not only for the tokens above it."""
        above = ""
        if self.thresholds:
            above = next((suffix for tokens, suffix in self.thresholds if prompt_tokens > tokens), "")
        service = _SERVICES.get(service_tier or "", "")
        found = self._picked.get((above, service))
        return found or self._picked.setdefault((above, service), self._pick(above, service))

    def _pick(self, above: str, service: str) -> Prices:
        own = {name: self._rate(name, above, service) for name in FIELDS}
        for name, others in _FALLBACKS.items():
            if own[name] is None:
                own[name] = next((own[other] for other in others if own[other] is not None), None)
        return Prices(**own)

    def _rate(self, name: str, above: str, service: str) -> int | None:
        """What the service tier does not price costs the standard rate, of the same length of prompt if there is."""
        stem = FIELDS[name]
        candidates = (stem + above + service, stem + above, stem + service, stem)
        return next((self.values[key] for key in candidates if key in self.values), None)


def rates_of(values: Mapping[str, int]) -> Rates:
    """Rates of a row of `models.json`, or of anything with such fields; others are left out."""
    rates: dict[str, int] = {}
    thresholds: dict[str, int] = {}
    for name, value in values.items():
        match = _RATE.fullmatch(name) if "_cost" in name else None
        if match:
            rates[name] = value
            if match[2]:
                thresholds[f"_above_{match[2]}{match[3]}_tokens"] = int(match[2]) * (1000 if match[3] else 1)
    ordered = sorted(((tokens, suffix) for suffix, tokens in thresholds.items()), reverse=True)
    return Rates(rates, tuple(ordered))


def is_rate(name: str) -> bool:
    """Whether a field of this name is a rate that the arithmetic here knows."""
    return "_cost" in name and _RATE.fullmatch(name) is not None


def overlaid(base: Rates, own: Rates) -> Rates:
    """`own` over `base`. A price of one's own is flat: it replaces the base's tiers and service tiers, too, and what
    the base has for parts of the same: whose prompt is free does not pay for what of it was cached."""
    replaced = {match[1] for name in own.values if (match := _RATE.fullmatch(name))}
    replaced |= {FIELDS[part] for part, others in _FALLBACKS.items() if FIELDS[others[-1]] in replaced}
    kept = {k: v for k, v in base.values.items() if (match := _RATE.fullmatch(k)) and match[1] not in replaced}
    return rates_of({**kept, **own.values})


def rates_of_dollars(values: Mapping[str, Any]) -> Rates:
    """Rates as users write them: dollars, as numbers or text. What is not a price is left out."""
    found = {name: rate for name, value in values.items() if "_cost" in name and (rate := pico(value)) is not None}
    searches = values.get("search_context_cost_per_query")
    if isinstance(searches, Mapping):
        sizes: Mapping[str, Any] = searches  # pyright: ignore[reportUnknownVariableType]
        found.setdefault(SEARCH, pico(sizes.get("search_context_size_medium")) or 0)
    return rates_of(found)


def pico(dollars: Any) -> int | None:
    """Dollars to pico-dollars, by way of the text: 1.5e-07 is 150000 exactly. None for what is no price."""
    if isinstance(dollars, bool) or not isinstance(dollars, int | float | str | Decimal):
        return None
    try:
        value = Decimal(str(dollars)) * PICO
        return int(value.quantize(Decimal(1), ROUND_HALF_UP)) if value >= 0 else None
    except InvalidOperation:  # not a number, or not a finite one
        return None


def dollars(nano: int) -> float:
    return nano / NANO


class Cost(NamedTuple):
    """Nano-dollars. The parts add up to the total: each is rounded, the last that is not 0 is the remainder."""

    total: int = 0
    input: int = 0
    """The prompt but for what was read from, or put into, the provider's cache."""
    cache_read: int = 0
    cache_creation: int = 0
    output: int = 0
    """The completion but for reasoning."""
    reasoning: int = 0
    tools: int = 0

    @property
    def prompt(self) -> int:
        return self.input + self.cache_read + self.cache_creation

    @property
    def completion(self) -> int:
        return self.output + self.reasoning


def in_dollars(made: Cost, total: int | None = None) -> dict[str, float]:
    """A CostBreakdown (types/standard_logging.py). `total`, nano-dollars: after discount and margin, if any."""
    return {
        "input_cost": dollars(made.prompt),
        "output_cost": dollars(made.completion),
        "tool_usage_cost": dollars(made.tools),
        "original_cost": dollars(made.total),
        "total_cost": dollars(made.total if total is None else total),
    }


def cost(tokens: Tokens, rates: Rates, service_tier: str | None = None) -> int:
    """The price of one response, in nano-dollars.

    Cached prompt tokens are part of the prompt and are charged at their own rate; reasoning tokens are part of the
    completion (OpenAI API reference, "usage"). Raises UnpricedModel if `rates` lacks a rate that is needed.
    """
    return _rounded(sum(_amounts(tokens, rates, service_tier)))


def breakdown(tokens: Tokens, rates: Rates, service_tier: str | None = None) -> Cost:
    """The same, in parts."""
    amounts = _amounts(tokens, rates, service_tier)
    total, parts = _rounded(sum(amounts)), [_rounded(amount) for amount in amounts]
    last = max((i for i, amount in enumerate(amounts) if amount), default=0)
    parts[last] += total - sum(parts)
    return Cost(total, *parts)


def of_usage(usage: Usage, rates: Rates, service_tier: str | None = None, milliseconds: int = 0) -> Cost:
    """`breakdown` of what an endpoint counted, by a short way for what nearly every chat's usage is.

    `milliseconds` is what the call took, for models that are paid by time. Raises UnpricedModel.
    """
    found = _plain(usage, rates, service_tier)
    if found is not None:
        return found
    tokens = tokens_of(usage)
    if milliseconds and not tokens.milliseconds and rates.at(tokens.prompt, service_tier).input is None:
        tokens = replace(tokens, milliseconds=milliseconds)
    return breakdown(tokens, rates, service_tier)


# What `tokens_of` reads beside `prompt_tokens`, `completion_tokens` and their details.
_FURTHER: Final = frozenset(
    {"cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation", "server_tool_use", "seconds"}
)


def _plain(usage: Usage, rates: Rates, service_tier: str | None) -> Cost | None:
    """The cost of text in, of it cached, and text out, of it reasoning. None: something else counts, too.

    The same as `breakdown`, in a tenth of its time; a test holds the two together.
    """
    if usage.__class__ is not dict or not _FURTHER.isdisjoint(usage):
        return None
    prompt: int = usage.get("prompt_tokens", 0)  # `_only` looks whether they are
    completion: int = usage.get("completion_tokens", 0)
    cached = _only(usage.get("prompt_tokens_details"), "cached_tokens", prompt)
    thought = _only(usage.get("completion_tokens_details"), "reasoning_tokens", completion)
    if cached is None or thought is None:
        return None
    prices = rates.at(prompt, service_tier)
    if prices.input is None or prices.output is None:
        return None
    # `_pick` has put input's and output's rates where there is none for a part of them.
    asked, read = (prompt - cached) * prices.input, cached * (prices.cached or 0)
    said, reasoned = (completion - thought) * prices.output, thought * (prices.reasoning or 0)
    total = (asked + read + said + reasoned + 500) // 1000
    if not (read or reasoned):
        first = (asked + 500) // 1000 if said else total
        return _made(Cost, (total, first, 0, 0, total - first, 0, 0))
    parts = [(asked + 500) // 1000, (read + 500) // 1000, 0, (said + 500) // 1000, (reasoned + 500) // 1000]
    left = total - sum(parts)
    if left:
        parts[4 if reasoned else 3 if said else 1 if read else 0] += left
    return _made(Cost, (total, *parts, 0))


_new = cast("Any", tuple).__new__
_made: Final[Callable[[type[Cost], tuple[int, ...]], Cost]] = _new  # `Cost(...)` takes twice as long


def _only(details: Any, name: str, whole: Any) -> int | None:
    """A count that is part of `whole`, if no other is beside it; None if there is, or if these are no counts."""
    if type(whole) is not int or not 0 <= whole < 2**53:
        return None
    if not details:
        return 0
    if type(details) is not dict:
        return None
    counts: dict[str, Any] = details  # pyright: ignore[reportUnknownVariableType]
    if not any(counts.values()):
        return 0
    count = counts.get(name)
    alone = sum(map(bool, counts.values())) == 1
    return count if alone and type(count) is int and 0 < count <= whole else None


_FEMTO: Final = 1000  # amounts are summed in thousandths of a pico-dollar, for the sake of milliseconds


def _rounded(amount: int) -> int:
    unit = _FEMTO * (PICO // NANO)
    return (2 * amount + unit) // (2 * unit)


def _amounts(tokens: Tokens, rates: Rates, service_tier: str | None) -> tuple[int, int, int, int, int, int]:
    """The parts of a Cost, unrounded, in their order."""
    prices = rates.at(tokens.prompt, service_tier)
    other = _by_unit(tokens, rates, prices)
    paid = other > 0
    text, cached, written_1h, written, audio, image = _split(
        tokens.prompt, tokens.cached, tokens.written_1h, tokens.written, tokens.audio_in, tokens.image_in
    )
    said, spoken, drawn, thought = _split(tokens.completion, tokens.audio_out, tokens.image_out, tokens.reasoning)
    return (
        _charge(text, prices.input, paid)
        + _charge(audio, prices.audio_in, paid)
        + _charge(image, prices.image_in, paid)
        + other,
        _charge(cached, prices.cached, paid),
        _charge(written, prices.written, paid) + _charge(written_1h, prices.written_1h, paid),
        _charge(said, prices.output, paid)
        + _charge(spoken, prices.audio_out, paid)
        + _charge(drawn, prices.image_out, paid),
        _charge(thought, prices.reasoning, paid),
        tokens.searches * rates.values.get(SEARCH, 0) * _FEMTO if tokens.searches else 0,
    )


def _by_unit(tokens: Tokens, rates: Rates, prices: Prices) -> int:
    """What else was counted, if it has a price; unless its tokens were counted too, and have one (`gpt-image-1`)."""
    counted = tokens.prompt or tokens.completion
    if counted and (prices.input or prices.output):
        return 0
    amount = 0
    for name, (fields, number) in _UNITS.items():
        used: int = getattr(tokens, name)
        rate = next((rates.values[field] for field in fields if field in rates.values), None)
        if used and rate is not None:
            amount += used * rate * _FEMTO // number
        elif used and not counted:
            raise UnpricedModel(f"no rate for {name}")
    return amount


def _split(whole: int, *parts: int) -> tuple[int, ...]:
    """(what remains, each part); a part takes no more than is left, so that nothing is charged twice."""
    if not any(parts):
        return whole, *parts
    taken: list[int] = []
    for part in parts:
        taken.append(min(part, whole))
        whole -= taken[-1]
    return whole, *taken


def _charge(tokens: int, rate: int | None, paid: bool) -> int:
    """Tokens without a rate cost nothing where something else is what is paid for."""
    if not tokens:
        return 0
    if rate is not None:
        return tokens * rate * _FEMTO
    if paid:
        return 0
    raise UnpricedModel("there is no rate for tokens of a kind that was used")


def tokens_of(usage: Usage) -> Tokens:
    """The counts in an endpoint's `usage`: OpenAI's of chats, of responses (`input_tokens`), or Anthropic's."""
    native = usage.get("prompt_tokens") is None and usage.get("input_tokens") is not None
    prompt_details = _part(usage, "input_tokens_details" if native else "prompt_tokens_details")
    completion_details = _part(usage, "output_tokens_details" if native else "completion_tokens_details")
    cached = _count(prompt_details, "cached_tokens") or _count(usage, "cache_read_input_tokens")
    created = _count(prompt_details, "cache_creation_tokens") or _count(usage, "cache_creation_input_tokens")
    written = _part(prompt_details, "cache_creation_token_details") or _part(usage, "cache_creation")
    for_an_hour = _count(written, "ephemeral_1h_input_tokens")
    prompt = _count(usage, "input_tokens" if native else "prompt_tokens")
    if native and (usage.get("cache_read_input_tokens") or usage.get("cache_creation_input_tokens")):
        prompt += cached + created  # Anthropic's input_tokens are those that neither came from nor went to the cache
    tools = _part(usage, "server_tool_use")
    return Tokens(
        prompt=prompt,
        completion=_count(usage, "output_tokens" if native else "completion_tokens"),
        cached=cached,
        written=max(created - for_an_hour, 0),
        written_1h=for_an_hour,
        audio_in=_count(prompt_details, "audio_tokens"),
        image_in=_count(prompt_details, "image_tokens"),
        reasoning=_count(completion_details, "reasoning_tokens"),
        audio_out=_count(completion_details, "audio_tokens"),
        image_out=_count(completion_details, "image_tokens"),
        searches=_count(tools, "web_search_requests") or _count(prompt_details, "web_search_requests"),
        milliseconds=int(_number(usage.get("seconds")) * 1000),
    )


def _part(values: Usage, name: str) -> Usage:
    value = values.get(name)
    return value if hasattr(value, "get") else {}  # pyright: ignore[reportReturnType]


def _count(values: Usage, name: str) -> int:
    """Endpoints send null, and now and then a float or nonsense, which count as what they can."""
    return int(_number(values.get(name)))


def _number(value: Any) -> float:
    return value if isinstance(value, int | float) and 0 <= value < 2**53 else 0
