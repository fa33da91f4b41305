"""What a Router's calls have cost, for the budgets of its providers and deployments."""

from collections.abc import Sequence
from typing import Any

from litellm.catalog import tokens
from litellm.sdk.hidden import HiddenParams, breakdown_of
from litellm.types.calls import Json, as_list
from litellm.types.units import NANO, Nano


def of_answer(hidden: Json) -> Nano:
    """By the answer's hidden parameters; 0 if nobody knows a price."""
    dollars = hidden.get("response_cost")
    return round(dollars * NANO) if isinstance(dollars, int | float) else 0


def of_stream(hidden: Json, chunks: Sequence[Any], params: Json) -> Nano:
    """One that has told no usage has cost its prompt, by estimate, and a token for each of its chunks."""
    if hidden.get("usage") is not None or not isinstance(hidden, HiddenParams):
        return of_answer(hidden)
    messages = as_list(params.get("messages"))
    asked = tokens.estimate_messages(messages) if messages else tokens.estimate_tokens(str(params.get("prompt")))
    usage = {"prompt_tokens": asked, "completion_tokens": len(chunks)}
    made = breakdown_of(usage, None, {**hidden}, hidden.prices)
    return of_answer({"response_cost": made["total_cost"]}) if made is not None else 0
