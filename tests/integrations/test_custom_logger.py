"""CustomLogger: every hook is there and does nothing."""

import asyncio
import inspect
from typing import Any

from litellm.integrations.custom_logger import GATEWAY_HOOKS, CustomLogger, overrides

HOOKS = [name for name in vars(CustomLogger) if name.startswith(("log_", "async_"))]


def test_the_hooks_of_the_contract() -> None:
    assert {
        "log_pre_api_call", "log_post_api_call", "log_stream_event", "log_success_event", "log_failure_event",
        "async_log_success_event", "async_log_failure_event", "async_log_stream_event", *GATEWAY_HOOKS,
    } == {*HOOKS}  # fmt: skip


def test_they_do_nothing() -> None:
    logger = CustomLogger()
    for name in HOOKS:
        hook = getattr(logger, name)
        if name == "async_post_call_streaming_iterator_hook":
            continue
        given = {p.name: None for p in inspect.signature(hook).parameters.values() if p.default is p.empty}
        given = {n: v for n, v in given.items() if n != "kwargs" or not _takes_rest(hook)}
        result = asyncio.run(hook(**given)) if inspect.iscoroutinefunction(hook) else hook(**given)
        assert result is None


def _takes_rest(hook: Any) -> bool:
    return any(p.kind is p.VAR_KEYWORD for p in inspect.signature(hook).parameters.values())


def test_the_iterator_hook_passes_everything_on() -> None:
    async def source() -> Any:
        yield 1
        yield 2

    async def main() -> list[int]:
        hook = CustomLogger().async_post_call_streaming_iterator_hook
        return [item async for item in hook(user_api_key_dict=None, response=source(), request_data={})]

    assert asyncio.run(main()) == [1, 2]


def test_what_a_subclass_overrides() -> None:
    class Mine(CustomLogger):
        def log_success_event(self, *_: Any) -> None: ...

    mine = Mine()
    assert overrides(mine, "log_success_event")
    assert not overrides(mine, "log_failure_event")
    mine.log_failure_event = print  # type: ignore[method-assign]
    assert overrides(mine, "log_failure_event")


def test_message_logging() -> None:
    assert not CustomLogger().turn_off_message_logging
    assert CustomLogger(turn_off_message_logging=True).turn_off_message_logging
    assert CustomLogger(message_logging=False).turn_off_message_logging
    assert CustomLogger(anything_else=1).message_logging
