"""Which deployments of a group are for a request with tags."""

from collections.abc import Collection
from typing import Final

from litellm.router.deployments import Deployment

CATCH_ALL: Final = "default"
"""The tag of deployments that serve whatever no other tag is for."""


def tagged(group: tuple[Deployment, ...], tags: Collection[str], any_will_do: bool) -> tuple[Deployment, ...]:
    """The deployments for a request with these tags; for the rest those of the tag `default`, else those without."""
    if tags:
        asked = frozenset(tags)
        fitting = tuple(one for one in group if (one.tags & asked if any_will_do else asked <= one.tags))
        return fitting or tuple(one for one in group if CATCH_ALL in one.tags)
    return tuple(one for one in group if CATCH_ALL in one.tags) or tuple(one for one in group if not one.tags)
