"""Where a call may be served: the `allowed_model_region` of its key and its end user, and deployments' `region_name`.

`eu` allows itself and the cloud regions whose names begin with it (`eu-west-1`); any other region allows its like. A
deployment that does not say where it is serves nobody who asks.
"""

from typing import Final, NamedTuple

from litellm.proxy.keys.identity import Identity
from litellm.router.deployments import Deployment
from litellm.types.accounts import EndUser

_ALSO_CALLED: Final = {"eu": ("europe",)}
"""Google's names: https://cloud.google.com/vertex-ai/docs/general/locations"""


class Bound(NamedTuple):
    """`regions`: all of those that a call has to stay in. `default_model` is asked if the model has nobody there."""

    regions: tuple[str, ...]
    default_model: str | None = None


def bound(identity: Identity, customer: EndUser | None) -> Bound | None:
    """None for a call that may go anywhere."""
    if customer is None or customer.allowed_model_region is None:
        return None if identity.region is None else Bound((identity.region,), customer and customer.default_model)
    said = (identity.region, customer.allowed_model_region)
    return Bound(tuple(region for region in said if region is not None), customer.default_model)


def within(regions: tuple[str, ...], group: tuple[Deployment, ...]) -> tuple[Deployment, ...]:
    """The deployments that are in all of the regions: the key's and the end user's."""
    return tuple(one for one in group if all(_inside(one.region, region) for region in regions))


def _inside(region: str | None, allowed: str) -> bool:
    if region is None:
        return False
    said, asked = region.casefold(), allowed.casefold()
    names = (asked, *_ALSO_CALLED.get(asked, ()))
    return any(said == name or said.startswith((f"{name}-", f"{name}_")) for name in names)
