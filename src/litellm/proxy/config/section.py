"""What every section of config.yaml has in common: its known names, those without effect so far, what it shows."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from litellm.catalog import cost


class Section(BaseModel):
    """A mapping of config.yaml. Null stands for absent everywhere."""

    model_config = ConfigDict(
        extra="allow", frozen=True, hide_input_in_errors=True, allow_inf_nan=False, protected_namespaces=()
    )

    later: ClassVar[frozenset[str]] = frozenset()
    """Known names without an effect so far, unless they are fields."""
    idle: ClassVar[frozenset[str]] = frozenset()
    """Fields without an effect so far."""
    later_prefixes: ClassVar[tuple[str, ...]] = ()
    unguarded: ClassVar[frozenset[str]] = frozenset()
    """Names without effect that restrict something: their warning says that nothing is enforced."""
    open: ClassVar[bool] = False
    """Any name is allowed: only near misses of known ones are worth a warning."""
    passed_on: ClassVar[frozenset[str]] = frozenset()
    """Names that mean nothing here and are no mistake."""
    priced: ClassVar[bool] = False
    """Any rate of `catalog/cost.py` may stand here, fields or not."""

    @classmethod
    def known(cls) -> frozenset[str]:
        return frozenset(cls.model_fields) | cls.later | cls.passed_on

    @classmethod
    def has_no_effect(cls, name: str) -> bool:
        if name in cls.model_fields:
            return name in cls.idle
        return name in cls.later or (name.startswith(cls.later_prefixes) and not cls.is_rate(name))

    @classmethod
    def is_rate(cls, name: str) -> bool:
        return cls.priced and cost.is_rate(name)

    def __repr_args__(self) -> Any:
        """Fields that are set; never the names that are not fields, whose values may be anything."""
        shown = ((name, getattr(self, name)) for name, info in type(self).model_fields.items() if info.repr)
        return [(name, value) for name, value in shown if value is not None]
