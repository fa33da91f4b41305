"""The base of everything that SDK callers get back: pydantic outside, the wire's dict inside.

Objects are made of wire JSON without validation: an endpoint's answer is kept as it came, odd shapes and unknown fields
included, and making one is on the SDK's hot path (a validating constructor costs ten times as much). What pydantic
gives is its interface: `model_dump`, `model_dump_json`, `model_copy`, equality, pickling, `model_extra`.

Declared fields always have a value; everything else lives in pydantic's extra fields and is absent unless set.
"""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Final, Self, TypeVar, cast

from pydantic import BaseModel, ConfigDict

Json = dict[str, Any]

put: Final = object.__setattr__  # pydantic's own would validate names on every assignment

T = TypeVar("T", bound="OpenAIObject")


class OpenAIObject(BaseModel):
    """Attribute and dict access to one JSON object. `json()`, `dict()` and `to_dict()` return a dict, as in LiteLLM."""

    model_config = ConfigDict(extra="allow", protected_namespaces=(), defer_build=True)

    _defaults: ClassVar[Json] = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        cls._defaults = {
            name: None if field.is_required() or field.default_factory else field.default
            for name, field in cls.model_fields.items()
        }

    def __init__(self, **data: Any) -> None:
        self._fill(data)

    @classmethod
    def from_wire(cls, wire: Json) -> Self:
        """`wire` itself is not kept, what is nested in it may be."""
        made = object.__new__(cls)
        made._fill(wire)
        return made

    def _fill(self, wire: Json) -> None:
        fields, extra = self._defaults.copy(), Json()
        for name, value in wire.items():
            if name not in fields:
                extra[name] = value
            elif value is not None:
                fields[name] = value
        self._shape(fields, extra)
        put(self, "__dict__", fields)
        put(self, "__pydantic_extra__", extra)
        given = set(wire)
        given.update(extra)
        put(self, "__pydantic_fields_set__", given)
        put(self, "__pydantic_private__", None)

    @staticmethod
    def _shape(fields: Json, extra: Json) -> None:
        """Give nested values and special fields their form, in place."""

    def _find(self, name: str) -> Json | None:
        """The dict that holds a name's value."""
        for values in (cast(Json, self.__dict__), self.__pydantic_extra__, self.__pydantic_private__):
            if values is not None and name in values:
                return values
        return None

    def __getitem__(self, name: str) -> Any:
        found = self._find(name)
        if found is None:
            raise KeyError(name)
        return found[name]

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self, name, value)

    def __delitem__(self, name: str) -> None:
        found = self._find(name)
        if found is None:
            raise KeyError(name)
        del found[name]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._find(name) is not None

    def get(self, name: str, default: Any = None) -> Any:
        found = self._find(name)
        return default if found is None else found[name]

    def keys(self) -> list[str]:
        return [*self.__dict__, *(self.__pydantic_extra__ or ())]

    def values(self) -> list[Any]:
        return [self[name] for name in self.keys()]

    def items(self) -> list[tuple[str, Any]]:
        return [(name, self[name]) for name in self.keys()]

    def __iter__(self) -> Iterator[tuple[str, Any]]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return iter(self.items())

    def __str__(self) -> str:
        return repr(self)

    def model_dump(self, *, warnings: Any = False, **options: Any) -> Json:
        """As pydantic's, but silent about a field whose endpoint sent another type than OpenAI's."""
        return super().model_dump(warnings=warnings, **options)

    def model_dump_json(self, *, warnings: Any = False, **options: Any) -> str:
        return super().model_dump_json(warnings=warnings, **options)

    def dict(self, **options: Any) -> Json:
        return self.model_dump(**options)

    def json(self, **options: Any) -> Json:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.model_dump(**options)

    def to_dict(self, **options: Any) -> Json:
        return self.model_dump(**options)


def optional(name: str, doc: str = "") -> Any:
    """A field that reads as None while it is unset, and is then absent from dumps and `in`."""

    def read(self: OpenAIObject) -> Any:
        return (self.__pydantic_extra__ or {}).get(name)

    def write(self: OpenAIObject, value: Any) -> None:
        if self.__pydantic_extra__ is not None:
            self.__pydantic_extra__[name] = value

    def unset(self: OpenAIObject) -> None:
        (self.__pydantic_extra__ or {}).pop(name, None)

    return property(read, write, unset, doc)


def one(cls: type[T], value: Any) -> T:
    """`value` as a `cls`: itself, or made of a dict or of another library's model; empty if it is none of them."""
    if isinstance(value, cls):
        return value
    if isinstance(value, dict):
        return cls.from_wire(cast(Json, value))
    return cls.from_wire(value.model_dump() if isinstance(value, BaseModel) else {})


def many(cls: type[T], value: Any) -> list[T]:
    """The objects of a list; what is no object in it is left out."""
    if not isinstance(value, list):
        return []
    return [one(cls, item) for item in cast(list[Any], value) if isinstance(item, dict | BaseModel)]


def joined(value: Any, more: Json) -> Json:
    """`provider_specific_fields` with more in it; one that is no object is replaced."""
    return {**cast(Json, value), **more} if isinstance(value, dict) else more


def reshape(extra: Json, name: str, make: Callable[[Any], Any]) -> None:
    """Convert an optional field if it is there; null counts as absent."""
    if name in extra:
        value = extra.pop(name)
        if value is not None:
            extra[name] = make(value)
