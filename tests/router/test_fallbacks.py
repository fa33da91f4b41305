"""Which groups are asked after one has given up."""

from litellm import exceptions as e
from litellm.router.budget import MOST, PER_SECOND, RetryBudget
from litellm.router.fallbacks import Fallbacks

TABLES = Fallbacks(
    general={"a": ("b", "c"), "*": ("z",)},
    context_window={"a": ("long",)},
    content_policy={"a": ("lax",)},
    default=("d",),
)


def test_their_order() -> None:
    plain = e.InternalServerError("no")
    assert TABLES.after("a", plain) == ["b", "c", "d"]
    assert TABLES.after("other", plain) == ["z", "d"]
    assert TABLES.after("d", plain) == ["z"]
    assert TABLES.after("a", e.ContextWindowExceededError("no")) == ["long", "b", "c", "d"]
    assert TABLES.after("a", e.ContentPolicyViolationError("no")) == ["lax", "b", "c", "d"]
    assert TABLES.after("a", plain, ("mine", "b")) == ["mine", "b", "c", "d"]
    assert TABLES.after("a", plain, ()) == []
    assert Fallbacks(general=TABLES.general, most=1).after("a", plain) == ["b"]


def test_where_a_call_may_come_to() -> None:
    assert TABLES.reachable("a") == ["long", "lax", "b", "c", "d"]
    assert TABLES.reachable("a", ()) == []
    assert (TABLES.any("a", None), TABLES.any("a", ()), Fallbacks().any("a", None)) == (True, False, False)


def test_retries_are_a_share_of_the_calls_and_some_each_second() -> None:
    budget = RetryBudget(0.0)
    assert sum(budget.spend(0.0) for _ in range(1000)) == PER_SECOND
    budget.calls += 100
    assert 19 <= sum(budget.spend(0.0) for _ in range(1000)) <= 20  # a fifth cannot be said in binary
    assert sum(budget.spend(1.0) for _ in range(1000)) == PER_SECOND
    assert sum(budget.spend(1e6) for _ in range(1000)) == MOST
    unasked = RetryBudget(0.0)
    assert sum(unasked.spend(3600.0) for _ in range(1000)) == MOST, "seconds count before the first retry, too"
