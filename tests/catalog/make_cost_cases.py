"""Write cost_cases.json: usage, prices as providers print them, and the cost, worked out another way than ours.

    python tests/catalog/make_cost_cases.py

Here every token is charged by itself, so to say: a list of (count, dollars for a million) is added up in fractions and
rounded at the end. Nothing of the package is imported.
"""

import json
import random
from fractions import Fraction
from math import floor
from pathlib import Path

KINDS = {
    "cache_read_input_token_cost": "input_cost_per_token",
    "cache_creation_input_token_cost": "input_cost_per_token",
    "cache_creation_input_token_cost_above_1hr": "cache_creation_input_token_cost",
    "input_cost_per_audio_token": "input_cost_per_token",
    "input_cost_per_image_token": "input_cost_per_token",
    "output_cost_per_reasoning_token": "output_cost_per_token",
    "output_cost_per_audio_token": "output_cost_per_token",
    "output_cost_per_image_token": "output_cost_per_token",
}


def price(prices: dict[str, str], kind: str, above: str, service: str) -> Fraction:
    """The most particular price of a kind; a kind without any costs what the plainer kind does."""
    while True:
        for name in (kind + above + service, kind + above, kind + service, kind):
            if name in prices:
                return Fraction(prices[name])
        kind = KINDS[kind]


def expected(case: dict) -> int:
    usage, prices = case["usage"], case["prices"]
    asked, said = usage.get("prompt_tokens_details", {}), usage.get("completion_tokens_details", {})
    prompt, completion = usage["prompt_tokens"], usage["completion_tokens"]
    sizes = sorted({int(name.split("_above_")[1].split("k_")[0]) for name in prices if name.endswith("k_tokens")})
    passed = [size for size in sizes if prompt > size * 1000]
    above = f"_above_{passed[-1]}k_tokens" if passed else ""
    service = {"flex": "_flex", "priority": "_priority", "batch": "_batches"}.get(case.get("service_tier", ""), "")
    hour = asked.get("cache_creation_token_details", {}).get("ephemeral_1h_input_tokens", 0)
    parts = {
        "cache_read_input_token_cost": asked.get("cached_tokens", 0),
        "cache_creation_input_token_cost": asked.get("cache_creation_tokens", 0) - hour,
        "cache_creation_input_token_cost_above_1hr": hour,
        "input_cost_per_audio_token": asked.get("audio_tokens", 0),
        "input_cost_per_image_token": asked.get("image_tokens", 0),
        "output_cost_per_reasoning_token": said.get("reasoning_tokens", 0),
        "output_cost_per_audio_token": said.get("audio_tokens", 0),
        "output_cost_per_image_token": said.get("image_tokens", 0),
    }
    inside = sum(count for kind, count in parts.items() if kind.startswith(("cache", "input")))
    parts["input_cost_per_token"] = prompt - inside
    parts["output_cost_per_token"] = completion - (sum(parts.values()) - prompt)
    dollars = sum(Fraction(count) * price(prices, kind, above, service) for kind, count in parts.items() if count)
    return floor(Fraction(dollars) * 1000 + Fraction(1, 2))  # dollars for a million tokens -> nano-dollars for one


def case(random: random.Random) -> dict:
    def money(most: int) -> str:
        return f"{random.randrange(1, most * 10**4) / 10**4:.{random.choice((1, 2, 3, 4))}f}"

    prices = {"input_cost_per_token": money(20), "output_cost_per_token": money(90)}
    prices |= {kind: money(40) for kind in KINDS if random.random() < 0.5}
    if random.random() < 0.4:
        for size in random.sample((128, 200, 272), random.choice((1, 2))):
            prices |= {f"{kind}_above_{size}k_tokens": money(40) for kind in [*prices] if "_above_" not in kind}
    for service in ("flex", "priority", "batches"):
        if random.random() < 0.3:
            prices |= {f"{kind}_{service}": money(40) for kind in list(prices)[:3] if not kind.endswith(service)}
    prompt, completion = random.choice((0, 1, 7, 999, 4_321, 128_000, 200_001, 400_000)), random.randrange(9_000)
    cut = sorted(random.randrange(prompt + 1) for _ in range(4))
    end = sorted(random.randrange(completion + 1) for _ in range(3))
    asked = {"cached_tokens": cut[0], "cache_creation_tokens": cut[1] - cut[0]}
    asked |= {"audio_tokens": cut[2] - cut[1], "image_tokens": cut[3] - cut[2]}
    said = {"reasoning_tokens": end[0], "audio_tokens": end[1] - end[0], "image_tokens": end[2] - end[1]}
    asked = {name: count for name, count in asked.items() if random.random() < 0.6}
    said = {name: count for name, count in said.items() if random.random() < 0.6}
    if asked.get("cache_creation_tokens") and random.random() < 0.5:
        hour = random.randrange(asked["cache_creation_tokens"] + 1)
        asked["cache_creation_token_details"] = {"ephemeral_1h_input_tokens": hour}
    usage = {"prompt_tokens": prompt, "completion_tokens": completion}
    usage |= {"prompt_tokens_details": asked} if asked else {}
    usage |= {"completion_tokens_details": said} if said else {}
    made = {"usage": usage, "prices": prices}
    if random.random() < 0.5:
        made["service_tier"] = random.choice(("flex", "priority", "batch", "default", "auto"))
    return made | {"nano": expected(made)}


def main() -> None:
    source = random.Random(20_261_122)
    lines = ",\n".join(json.dumps(case(source)) for _ in range(200))
    Path(__file__).with_name("cost_cases.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
