"""Deployments and credentials kept in the store, in memory: current by the feed of keys, opened for the snapshot.

Secrets are sealed in the rows (`store/seal.py`). A value `os.environ/NAME` is taken from the environment, as in the
config, but for what is the gateway's own.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from pydantic import ValidationError

from litellm.catalog import params
from litellm.proxy.config.model_list import LitellmParams, ModelEntry
from litellm.proxy.stock import EMPTY, LeftOut, Stock, problems_of
from litellm.store.seal import PREFIX, Seal, Unsealable, is_sealed
from litellm.types.accounts import Credential, Model, Row
from litellm.types.calls import Json

NO_SALT: Final = "secrets are kept sealed: set the environment variable LITELLM_SALT_KEY"

_REFERENCE: Final = "os.environ/"
_OWN_VARIABLES: Final = ("LITELLM_", "DATABASE_", "DIRECT_URL", "REDIS_")

_SECRET: Final = frozenset({"api_key", "extra_headers", "headers", "extra_body", "extra_query"})
_PLAIN: Final = (
    frozenset(LitellmParams.model_fields)
    | LitellmParams.passed_on
    | {
        "api_version", "region_name", "use_litellm_proxy", "tenant_id", "client_id", "api_type", "deployment_id",
        "azure_scope", "azure_username", "aws_region_name", "vertex_project", "vertex_location", "watsonx_region_name",
    }
) - _SECRET  # fmt: skip
_HINT: Final = re.compile(r"(^|_)(api)?(key|token|secret|password|passwd|credentials?|auth|authorization|private)(_|$)")


class Refused(ValueError):
    """A value that is not kept. `name` is the parameter's."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class Shelf:
    """A follower of the feed (`keys/book.py`). `heard` gets the stock after every change of it."""

    kinds: ClassVar[tuple[type[Row], ...]] = (Model, Credential)

    def __init__(self, seal: Seal | None, environ: Mapping[str, str]) -> None:
        self._seal = seal
        self._environ = environ
        self._models: dict[str, Model] = {}
        self._credentials: dict[str, Credential] = {}
        self.heard: Callable[[Stock], None] | None = None
        self.stock = EMPTY

    def put(self, row: Row) -> None:
        if isinstance(row, Model):
            self._models[row.id] = row
        elif isinstance(row, Credential):
            self._credentials[row.id] = row

    def remove(self, kind: str, id: str) -> None:
        (self._models if kind == "model" else self._credentials).pop(id, None)

    def settle(self) -> None:
        """A round of the feed has been told whole."""
        self.stock = self._opened()
        if self.heard is not None:
            self.heard(self.stock)

    def _opened(self) -> Stock:
        """What cannot be used is left out, and said why."""
        credentials: dict[str, Json] = {}
        unusable: dict[str, str] = {}
        for row in self._credentials.values():
            try:
                credentials[row.id] = self.values(row)
            except (Unsealable, Refused) as error:
                unusable[row.id] = f"cannot be used: {error}"
        entries: list[ModelEntry] = []
        left_out: list[LeftOut] = []
        for row in sorted(self._models.values(), key=lambda row: (row.created_at, row.id)):
            try:
                entries.append(self.entry(row))
            except (Unsealable, Refused) as error:
                left_out.append(LeftOut(row.id, row.model_name, str(error)))
        return Stock(tuple(entries), credentials, unusable, tuple(left_out))

    def entry(self, row: Model) -> ModelEntry:
        """A row as the config would say it. Raises Unsealable; Refused for one that is blocked, or wrong."""
        if row.blocked:
            raise Refused("blocked", "it is blocked")
        missing: dict[str, str] = {}
        said: Json = {}
        for name, value in row.litellm_params.items():
            opened = self._open(value, _about_model(row.id, name))
            found = self._found(name, opened)
            if found is None and opened is not None:
                missing[name] = opened.removeprefix(_REFERENCE)
            else:
                said[name] = found
        info = {**row.model_info, "id": row.id}
        try:
            return ModelEntry.model_validate(
                {"model_name": row.model_name, "litellm_params": said, "model_info": info}, context=missing
            )
        except ValidationError as error:
            raise Refused(*problems_of(error)[0]) from None

    def values(self, row: Credential) -> Json:
        """Raises Unsealable, Refused."""
        opened = {name: self._open(value, _about_value(row.id, name)) for name, value in row.values.items()}
        return {name: value for name, one in opened.items() if (value := self._found(name, one)) is not None}

    def sealed_params(self, id: str, given: Json) -> Json:
        """`litellm_params` as the row `id` keeps them. Raises Refused."""
        return {
            name: self._close(name, value, _about_model(id, name)) if is_secret(name) else self._checked(name, value)
            for name, value in given.items()
        }

    def sealed_values(self, name: str, given: Json) -> Json:
        """A credential's values as its row keeps them: sealed, all of them. Raises Refused."""
        written = {one: value for one, value in given.items() if value is not None and not is_reference(value)}
        try:
            LitellmParams.model_validate({**written, "model": "openai/any"})
        except ValidationError as error:
            raise Refused(*problems_of(error)[0]) from None
        return {one: self._close(one, value, _about_value(name, one)) for one, value in given.items()}

    def resealed(self, row: Model | Credential) -> Json:
        """A row's values, those under a former salt sealed under the newest; the others as they are. Raises Unsealable
        for one that no salt at hand opens."""
        about = _about_model if isinstance(row, Model) else _about_value
        given = row.litellm_params if isinstance(row, Model) else row.values
        return {name: self._resealed(value, about(row.id, name)) for name, value in given.items()}

    def _resealed(self, value: Any, about: str) -> Any:
        if self._seal is None or not is_sealed(value) or self._seal.is_current(value):
            self._open(value, about)
            return value
        return self._seal.close(self._seal.open(value, about), about)

    def _close(self, name: str, value: Any, about: str) -> Any:
        if value is None or is_reference(value):
            return self._checked(name, value)
        if self._seal is None:
            raise Refused(name, f"{name}: {NO_SALT}")
        return self._seal.close(value, about)

    def _checked(self, name: str, value: Any) -> Any:
        if is_sealed(value):
            raise Refused(name, f"{name}: a value may not begin with {PREFIX}")
        self._found(name, value)
        return value

    def _open(self, value: Any, about: str) -> Any:
        if not is_sealed(value):
            return value
        if self._seal is None:
            raise Unsealable(NO_SALT)
        return self._seal.open(value, about)

    def _found(self, name: str, value: Any) -> Any:
        """A variable's value in a reference's place, None if it is not set. Raises Refused for one of our own."""
        if not is_reference(value):
            return value
        variable = value.removeprefix(_REFERENCE)
        if variable.startswith(_OWN_VARIABLES):
            raise Refused(name, f"{name}: {variable} is the gateway's own, and goes to no endpoint")
        return self._environ.get(variable) or None


def is_reference(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(_REFERENCE)


def is_secret(name: str) -> bool:
    """Whether a parameter of this name is kept sealed: what nobody here knows is, if it looks like one."""
    if name in _PLAIN or LitellmParams.is_rate(name):
        return False
    return name in _SECRET or params.is_credential(name) or _HINT.search(name.lower()) is not None


def shown(given: Json) -> Json:
    """Of stored parameters those that are known here to be no secret. An address is shown without its query."""
    plain = {name: value for name, value in given.items() if name in _PLAIN and not is_sealed(value)}
    bases = {name: str(plain[name]).partition("?")[0] for name in ("api_base", "base_url") if plain.get(name)}
    return {**plain, **bases}


def _about_model(id: str, name: str) -> str:
    return f"model/{id}/{name}"


def _about_value(name: str, one: str) -> str:
    return f"credential/{name}/{one}"
