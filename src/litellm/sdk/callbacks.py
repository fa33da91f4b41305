"""The SDK's calls as news for callbacks: when there is a Record, what it costs, what a stream adds up to."""

from typing import TYPE_CHECKING, Any

from litellm import exceptions as e
from litellm.sdk.hidden import HiddenParams
from litellm.settings import settings
from litellm.types.calls import Json, Op

if TYPE_CHECKING:  # loaded once somebody listens
    from litellm.engine.events import Record


def anybody(given: Json) -> bool:
    """Whether there are callbacks, of everybody's or of this call's own."""
    known = settings.__dict__.get
    return bool(
        given.get("logger_fn")
        or known("callbacks")
        or known("success_callback")
        or known("failure_callback")
        or known("input_callback")
        or known("_async_success_callback")
        or known("_async_failure_callback")
        or known("_async_input_callback")
    )


def record_of(op: Op, asynchronous: bool, given: Json) -> "Record | None":
    """None if nobody listens to this call. Raises BadRequestError for the name of a callback that is not there."""
    from litellm.engine import builder, listeners
    from litellm.engine.events import Record
    from litellm.sdk import costs

    # All that a worker thread will need: a fork in the middle of its import would leave the child with a lock for good.
    assert builder and costs
    if given.get("no-log"):
        return None
    own = given.get("logger_fn")
    try:
        heard = listeners.of(settings, asynchronous)
    except ValueError as error:
        raise e.BadRequestError(message=str(error), llm_provider="", model=str(given.get("model"))) from None
    if callable(own):
        listeners.add_own(heard, own)
    if not heard.at:
        return None
    record = Record(heard, op, asynchronous, given, redact=settings.turn_off_message_logging)
    record.price = _price
    return record


def _price(response: Any, seconds: float) -> Json | None:
    """The answer has been priced already if somebody has asked for its cost; None if that was not by us."""
    hidden = getattr(response, "_hidden_params", None)
    return hidden.breakdown if isinstance(hidden, HiddenParams) else None


def assembled(chunks: list[Any], hidden: Json) -> Any:
    """The answer that a stream's chunks add up to, with the usage that the endpoint reported at its end."""
    from litellm.engine.builder import stream_chunk_builder

    made = stream_chunk_builder(chunks)
    if made is not None:
        made.usage = made.usage or hidden.get("usage")
        made._hidden_params = hidden  # pyright: ignore[reportPrivateUsage]
    return made
