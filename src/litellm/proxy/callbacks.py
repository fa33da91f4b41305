"""What a config names in Python: callbacks, and handlers of custom providers.

A name with a dot is an object, `module.instance`: the module is a file beside the config, or below its folder
(`hooks/log.py` is `hooks.log`), or one that can be imported. A file is run once, and again after it has changed.
"""

import sys
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from litellm.catalog import cost
from litellm.engine import custom
from litellm.engine.listeners import Moment, gather, is_logger
from litellm.engine.resolve import Wish
from litellm.engine.standard import usage_of
from litellm.integrations.custom_logger import GATEWAY_HOOKS, overrides
from litellm.proxy import prices
from litellm.proxy.config.load import Config
from litellm.proxy.hooks import CALLED, Hooks
from litellm.proxy.hooks import gather as gather_hooks
from litellm.router.deployments import Deployment
from litellm.router.told import Telling
from litellm.types import utils as types
from litellm.types.calls import Json, Op, Target

_EVERYTHING: Final[tuple[Moment, ...]] = ("input", "post", "success", "failure")
_MOMENTS: Final[dict[str, tuple[Moment, ...]]] = {
    "callbacks": _EVERYTHING,
    "input_callback": ("input",),
    "success_callback": ("post", "success"),
    "failure_callback": ("failure",),
}


class ObjectError(ValueError):
    """What a config names in Python cannot be had. The message begins with the setting's path."""


def telling(config: Config) -> Telling | None:
    """None if the config names no callback. Raises ObjectError."""
    settings = config.litellm_settings
    lists = [
        ([_callback(setting, name, config) for name in getattr(settings, setting) or ()], moments)
        for setting, moments in _MOMENTS.items()
    ]
    listeners = gather(lists, asynchronous=True)
    return Telling(listeners, _price, bool(settings.turn_off_message_logging)) if listeners.at else None


def hooks(config: Config) -> Hooks | None:
    """None if no callback of the config stands in a request's way. Raises ObjectError."""
    settings = config.litellm_settings
    found = [_callback(setting, name, config) for setting in _MOMENTS for name in getattr(settings, setting) or ()]
    return gather_hooks([callback for callback in found if is_logger(callback)])


def custom_providers(config: Config) -> list[Json]:
    """`custom_provider_map` with the handlers themselves. Raises ObjectError."""
    rows = config.litellm_settings.custom_provider_map or ()
    return [{"provider": row.provider, "custom_handler": _handler(row.custom_handler, config)} for row in rows]


def target(rows: list[Json], wish: Wish) -> Target | None:
    """Where calls of a deployment of a custom provider go; None for any other."""
    found = custom.find(rows, wish.model, wish.custom_llm_provider)
    return custom.target(wish, found, custom.Bound(found[2], True, _empty_result)) if found else None


def _handler(name: str, config: Config) -> Any:
    return _object("litellm_settings.custom_provider_map", name, config)


def _callback(setting: str, name: str, config: Config) -> Any:
    """Names without a dot are the registry's; the schema has checked them."""
    if "." not in name:
        return name
    path = f"litellm_settings.{setting}"
    found = _object(path, name, config)
    if not callable(found) and not is_logger(found):
        raise ObjectError(f"{path}: {name} is neither a function nor a CustomLogger, but a {type(found).__name__}")
    _refuse_what_would_not_be_asked(path, name, found)
    return found


def _refuse_what_would_not_be_asked(path: str, name: str, found: Any) -> None:
    """To leave a hook out unasked would be to fail open."""
    for hook in set(GATEWAY_HOOKS).difference(CALLED):
        if is_logger(found) and hasattr(found, hook) and overrides(found, hook):
            raise ObjectError(f"{path}: {name} has {hook}, which this gateway does not call yet")


def _object(path: str, name: str, config: Config) -> Any:
    module_name, _, attribute = name.rpartition(".")
    folders = [source.parent for source in config.sources]
    try:
        return getattr(_module(module_name, folders), attribute)
    except AttributeError:
        raise ObjectError(f"{path}: {module_name} has no {attribute}") from None
    except Exception as error:  # the user's module runs here, and may fail in any way
        raise ObjectError(f"{path}: {name}: {type(error).__name__}: {error}") from error


def _module(name: str, folders: Sequence[Path]) -> ModuleType:
    for folder in folders:
        file = folder.joinpath(*name.split(".")).with_suffix(".py")
        if file.is_file():
            return _from_file(name, file.resolve(), file.stat().st_mtime_ns)
    return import_module(name)


@cache
def _from_file(name: str, file: Path, _changed: int) -> ModuleType:
    """The module of a file as it was at a time. What stands beside it can be imported from it."""
    folder = str(file.parents[name.count(".")])
    if folder not in sys.path:
        sys.path.append(folder)
    spec = spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None, "it ends in .py"
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _empty_result(op: Op) -> Any:
    if op == "embedding":
        return types.EmbeddingResponse()
    return types.ModelResponse(choices=[types.Choices(message=types.Message(content=None))])


def _price(deployment: Deployment, response: Any, seconds: float) -> Json | None:
    """The parts of what the answer's header says."""
    usage = usage_of(response)
    made = prices.of_answer(deployment, response, usage, seconds) if usage else None
    return None if made is None else cost.in_dollars(made)
