"""Callbacks by name: what there is can be made, what there is not says so."""

import pytest

from litellm.integrations import registry
from litellm.integrations.custom_logger import CustomLogger


@pytest.mark.parametrize("name", sorted(registry.BUILT))
def test_every_row_is_a_logger(name: str) -> None:
    from importlib import import_module

    module, cls = registry.BUILT[name]
    assert issubclass(getattr(import_module(module), cls), CustomLogger)


def test_what_is_not_built_is_told_from_what_is_unknown() -> None:
    missing = sorted(registry.KNOWN - registry.BUILT.keys())
    for name in missing:
        with pytest.raises(registry.CallbackNotBuilt, match=f"{name!r} is not built yet"):
            registry.named(name)
    with pytest.raises(ValueError, match="unknown callback 'no-such'") as caught:
        registry.named("no-such")
    assert not isinstance(caught.value, registry.CallbackNotBuilt)
