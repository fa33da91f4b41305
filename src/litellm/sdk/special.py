"""Whether a call has anything about it that most have not: looked up twice, in C, instead of name by name.

On every call's path. True is no promise that there is something, False is one that there is nothing.
"""

from typing import Any, Final

from litellm.sdk.hidden import PRICED
from litellm.settings import settings
from litellm.types.calls import Json

_ARGUMENTS: Final = PRICED | {"fallbacks", "context_window_fallback_dict", "client", "mock_delay", "mock_timeout"}
_SETTINGS: Final = frozenset(
    {
        "callbacks", "input_callback", "success_callback", "failure_callback", "_async_input_callback",
        "_async_success_callback", "_async_failure_callback", "model_fallbacks", "client_session", "aclient_session",
        "cache",
    }
)  # fmt: skip


def perhaps(further: dict[str, Any], given: Json) -> bool:
    """`further` are the arguments that the function does not name, `given` all of them."""
    return not (
        further.keys().isdisjoint(_ARGUMENTS)
        and settings.__dict__.keys().isdisjoint(_SETTINGS)  # a list that nobody has touched is not there
        and not given.get("model_list")
    )
