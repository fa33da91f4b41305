"""What `router_settings` says for all model groups, and `router_settings.model_groups` for single ones."""

from typing import Final

from pydantic import ConfigDict, Field

from litellm.proxy.config.kinds import Count, Positive
from litellm.proxy.config.section import Section

LONGEST_WAIT: Final = 30.0  # seconds


class Strict(Section):
    """A mapping in which a name that nobody knows is an error."""

    model_config = ConfigDict(extra="forbid")


class QueueSettings(Strict):
    """`queue`: calls wait for a deployment instead of being refused."""

    max_size: Count = Field(default=100, description="Calls of a model that may wait. Default: 100.")
    max_wait: Positive = Field(default=LONGEST_WAIT, description="Seconds that a call waits at most. Default: 30.")
    max_per_tenant: Count | None = Field(
        default=None, description="How many of one team, user or key. Default: half of `max_size`."
    )


class GroupSettings(Strict):
    """A value of `model_groups`."""

    queue: QueueSettings | None = Field(default=None, description="As in `router_settings`, for this model.")
