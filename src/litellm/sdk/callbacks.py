"""The SDK's calls as news for callbacks: when there is a Record, what it costs, what a stream adds up to."""

import logging
from typing import Any, Final

from litellm import exceptions as e
from litellm.engine import listeners
from litellm.engine.events import Record
from litellm.settings import settings
from litellm.types.calls import Json, Op

_log: Final = logging.getLogger("litellm")


def record_of(op: Op, asynchronous: bool, given: Json) -> Record | None:
    """None if nobody listens to this call. Raises BadRequestError for the name of a callback that is not there."""
    if given.get("no-log"):
        return None
    try:
        heard = listeners.of(settings, asynchronous)
    except ValueError as error:
        raise e.BadRequestError(message=str(error), llm_provider="", model=str(given.get("model"))) from None
    if not heard.at:
        return None
    return Record(heard, op, asynchronous, given, price=_price, redact=settings.turn_off_message_logging)


def assembled(chunks: list[Any], hidden: Json) -> Any:
    """The answer that a stream's chunks add up to, with the usage that the endpoint reported at its end."""
    from litellm.sdk.builder import stream_chunk_builder

    made = stream_chunk_builder(chunks)
    if made is not None:
        made.usage = made.usage or hidden.get("usage")
        made._hidden_params = hidden  # pyright: ignore[reportPrivateUsage]
    return made


def _price(response: Any, kwargs: Json) -> float | None:
    return None
