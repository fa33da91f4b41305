"""What `router_settings` says for all model groups, and `router_settings.model_groups` for single ones."""

from typing import Final

from pydantic import ConfigDict, Field

from litellm.proxy.config.kinds import Count, Positive
from litellm.proxy.config.section import Section

LONGEST_WAIT: Final = 30.0  # seconds


class Strict(Section):
    """A mapping in which a name that nobody knows is an error."""

    model_config = ConfigDict(extra="forbid")


class PhaseTimeouts(Section):
    """Bounds of one attempt's phases."""

    connect_timeout: Positive | None = Field(default=None, description="Seconds for connecting, TLS included.")
    first_token_timeout: Positive | None = Field(
        default=None,
        description="Seconds from the start of a streamed attempt to its first event. Until then the caller is told "
        "nothing, so that a stall is tried again elsewhere.",
    )
    between_tokens_timeout: Positive | None = Field(
        default=None, description="Seconds between two events of a stream; comments are none."
    )


class QueueSettings(Strict):
    """`queue`: calls wait for a deployment instead of being refused."""

    max_size: Count = Field(default=100, description="Calls of a model that may wait. Default: 100.")
    max_wait: Positive = Field(default=LONGEST_WAIT, description="Seconds that a call waits at most. Default: 30.")
    max_per_tenant: Count | None = Field(
        default=None, description="How many of one team, user or key. Default: half of `max_size`."
    )


class GroupSettings(PhaseTimeouts):
    """A value of `model_groups`."""

    model_config = ConfigDict(extra="forbid")

    total_timeout: Positive | None = Field(default=None, description="As in `router_settings`, for this model.")
    queue: QueueSettings | None = Field(default=None, description="As in `router_settings`, for this model.")
