"""How one of several deployments is chosen: a table of pure functions, one file each."""

from collections.abc import Callable, Sequence
from typing import Final

from litellm.router.deployments import Deployment
from litellm.router.strategies.cost_based import cost_based
from litellm.router.strategies.latency_based import latency_based
from litellm.router.strategies.least_busy import least_busy
from litellm.router.strategies.power_of_two import power_of_two
from litellm.router.strategies.simple_shuffle import simple_shuffle
from litellm.router.strategies.usage_based import usage_based

Strategy = Callable[[Sequence[Deployment], float, float], Deployment]
"""(candidates, at least one, all of them open; now; a draw in [0, 1)) -> the one to ask."""

STRATEGIES: Final[dict[str, Strategy]] = {
    "simple-shuffle": simple_shuffle,
    "least-busy": least_busy,
    "latency-based-routing": latency_based,
    "usage-based-routing": usage_based,
    "usage-based-routing-v2": usage_based,
    "cost-based-routing": cost_based,
    "power-of-two": power_of_two,
}
