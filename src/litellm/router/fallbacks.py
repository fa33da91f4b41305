"""Which model groups to turn to when one has given up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from litellm import exceptions as e

MOST: Final = 5
UNFIT: Final = "not for this caller's tags, for what it brings along, or for so long a prompt"
"""Why a fallback's deployment is not asked (`Ask.fit`)."""
Table = Mapping[str, tuple[str, ...]]
"""Model group -> the groups to turn to; `*` stands for every other group."""


@dataclass(frozen=True, slots=True)
class Fallbacks:
    general: Table = field(default_factory=dict[str, tuple[str, ...]])
    context_window: Table = field(default_factory=dict[str, tuple[str, ...]])
    content_policy: Table = field(default_factory=dict[str, tuple[str, ...]])
    default: tuple[str, ...] = ()
    most: int = MOST

    def after(self, group: str, error: e.LiteLLMError, own: tuple[str, ...] | None = None) -> list[str]:
        """The caller's own first, then those for this error, this group's, the default ones. An empty `own`: none."""
        if own == ():
            return []
        special: Table = {}
        if isinstance(error, e.ContextWindowExceededError):
            special = self.context_window
        elif isinstance(error, e.ContentPolicyViolationError):
            special = self.content_policy
        listed = (*(own or ()), *_of(special, group), *_of(self.general, group), *self.default)
        return [name for name in dict.fromkeys(listed) if name != group][: self.most]

    def reachable(self, group: str, own: tuple[str, ...] | None = None) -> list[str]:
        """Every group that a call may come to by whatever error."""
        if own == ():
            return []
        tables = (self.context_window, self.content_policy, self.general)
        listed = (*(own or ()), *(name for table in tables for name in _of(table, group)), *self.default)
        return [name for name in dict.fromkeys(listed) if name != group]

    def any(self, group: str, own: tuple[str, ...] | None) -> bool:
        """Are there any for an ordinary failure?"""
        return own != () and bool(own or self.default or _of(self.general, group))


def _of(table: Table, group: str) -> tuple[str, ...]:
    return table.get(group) or table.get("*", ())


NONE: Final = Fallbacks()
