"""One call's cost: it ends once, and what was not sent costs nothing."""

import pytest

from litellm.catalog.cost import rates_of_dollars
from litellm.proxy.budgeting import Budgeting
from litellm.proxy.errors import DISCONNECTED
from litellm.router.deployments import Deployment
from litellm.router.spending import Allowance, Spending
from litellm.types.calls import Ask, Target

RATES = rates_of_dollars({"input_cost_per_token": 2e-6, "output_cost_per_token": 1e-5})


def test_a_row_that_was_written_stays_as_it_is() -> None:
    """The relay tells a stream's end, then the request's own end comes, and the caller may hang up in between."""
    spending = Spending()
    spending.follow({"provider:openai": Allowance(10**9)})
    one = Deployment("a", "m", Target("openai", "x", "http://host/v1"), rates=RATES)
    charge = Budgeting(spending).begin(Ask("chat", "m", {}, True), (one,), 40)
    charge.streamed(DISCONNECTED, None, None, 3, 50_000)
    written = charge.row.spend, charge.row.completion_tokens, charge.row.error, charge.row.usage_source
    assert written == (50_000, 3, DISCONNECTED, "estimated")
    charge.abandoned()
    charge.streamed(None, {"prompt_tokens": 1}, None, 9, 99_000)
    charge.answered({"prompt_tokens": 1}, None)
    charge.failed(ValueError())
    assert (charge.row.spend, charge.row.completion_tokens, charge.row.error, charge.row.usage_source) == written
    assert spending.standings()[0].spent == 50_000 and charge.further == []


@pytest.mark.parametrize("sent", [True, False])
@pytest.mark.parametrize("told", [True, False], ids=["one of several", "the only one"])
def test_a_call_that_is_given_up_before_anything_was_sent_costs_nothing(sent: bool, told: bool) -> None:
    spending = Spending()
    spending.follow({"provider:openai": Allowance(10**9)})
    one = Deployment("a", "m", Target("openai", "x", "http://host/v1"), rates=RATES)
    charge = Budgeting(spending).begin(Ask("chat", "m", {}), (one,), 40)
    if told:
        charge.tries(one)
    charge.abandoned(sent=sent)
    assert (charge.row.usage_source, charge.row.error) == ("estimated" if sent else "none", DISCONNECTED)
    assert spending.standings()[0].spent == (20_000 if sent else 0)


def test_of_two_that_are_asked_at_once_the_other_costs_its_prompt() -> None:
    spending = Spending()
    spending.follow({"provider:openai": Allowance(10**9)})
    two = [Deployment(name, "m", Target("openai", "x", "http://host/v1"), rates=RATES) for name in "ab"]
    charge = Budgeting(spending).begin(Ask("chat", "m", {}), tuple(two), 40)
    for one in two:
        charge.tries(one)
    charge.abandoned(sent=False)
    assert (charge.row.usage_source, charge.row.model_id, charge.further) == ("estimated", "a", [])
    assert spending.standings()[0].spent == 20_000
