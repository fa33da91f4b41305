"""`thinking`, as callers spell it."""

from typing import Any


def validate_and_fix_thinking_param(thinking: dict[str, Any] | None) -> dict[str, Any] | None:
    """With `budget_tokens` where a caller wrote `budgetTokens`; another dict, the caller's stays as it is."""
    if not thinking or "budgetTokens" not in thinking:
        return thinking
    fixed = {name: value for name, value in thinking.items() if name != "budgetTokens"}
    fixed.setdefault("budget_tokens", thinking["budgetTokens"])
    return fixed
