"""Old import paths, served from where things live now.

A module that only keeps an old path alive is a table:

    __getattr__, __dir__ = names(__name__, {"litellm.sdk.main": "completion acompletion"})

A name loads its home when it is first asked for (PEP 562), and is then kept in the module, where callers may replace
it. `old=new` serves the home's `new` under the name `old`.
"""

import sys
from importlib import import_module
from types import ModuleType

TYPE_CHECKING = False  # for type checkers alone; importing `typing` would cost most of an old path's import

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


def names(module: str, table: "Mapping[str, str]") -> "tuple[Callable[[str], Any], Callable[[], list[str]]]":
    """The `__getattr__` and the `__dir__` of a module. `table`: a home -> the names it serves, separated by blanks."""
    homes = {
        old: (home, new or old)
        for home, words in table.items()
        for old, _, new in (word.partition("=") for word in words.split())
    }

    def load(name: str) -> "Any":
        if name not in homes:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        home, new = homes[name]
        value = getattr(import_module(home), new)
        return vars(sys.modules[module]).setdefault(name, value)

    def listed() -> list[str]:
        return sorted({*vars(sys.modules[module]), *homes})

    return load, listed


def callable_module(name: str) -> type[ModuleType]:
    """The class of a module that shares a function's name: calling the module calls its function `name`."""

    class CallableModule(ModuleType):
        def __call__(self, *args: "Any", **kwargs: "Any") -> "Any":
            return getattr(self, name)(*args, **kwargs)

        @property
        def __signature__(self) -> "Any":
            from inspect import signature  # slow to load, and seldom wanted

            return signature(getattr(self, name))

    return CallableModule
