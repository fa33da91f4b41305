"""What `router_settings` says for all model groups, and `router_settings.model_groups` for single ones."""

from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field

from litellm.proxy.config.kinds import Amount, Count, Positive
from litellm.proxy.config.section import Section

LONGEST_WAIT: Final = 30.0  # seconds

MidStream = Literal["continue", "error"]
"""What follows when a stream breaks off."""


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


class HedgingSettings(Strict):
    """`hedging`: a second deployment is asked where the first is unusually slow."""

    percentile: Annotated[Amount, Field(le=100)] = Field(
        default=95.0, description="Of the times to the first token: who takes longer is slow. Default: 95."
    )
    max_share: Annotated[Amount, Field(le=1)] = Field(
        default=0.05, description="Second attempts at most, as a share of the calls. Default: 0.05."
    )
    min_seconds: Amount = Field(default=0.0, description="No second attempt is made earlier. Default: 0.")
    min_samples: Count = Field(default=20, description="How many times must be known before. Default: 20.")


class GroupSettings(PhaseTimeouts):
    """A value of `model_groups`."""

    model_config = ConfigDict(extra="forbid")

    total_timeout: Positive | None = Field(default=None, description="As in `router_settings`, for this model.")
    queue: QueueSettings | None = Field(default=None, description="As in `router_settings`, for this model.")
    hedging: HedgingSettings | None = Field(default=None, description="A second attempt where the first is slow.")
    mid_stream_fallback: MidStream | None = Field(default=None, description="As in `router_settings`, for this model.")
