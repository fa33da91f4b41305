"""What the store adds to a config: deployments, and credentials that deployments refer to by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pydantic import ValidationError

from litellm.proxy.config.model_list import CredentialEntry, LitellmParams, ModelEntry
from litellm.types.calls import Json


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A deployment that is not served, and why."""

    id: str
    model_name: str
    reason: str
    in_store: bool = True


@dataclass(frozen=True, slots=True)
class Stock:
    """Deployments of the store, typed, and the values of its credentials. Immutable, as a Config is."""

    entries: tuple[ModelEntry, ...] = ()
    credentials: Mapping[str, Json] = field(default_factory=dict[str, Json], repr=False)
    unusable: Mapping[str, str] = field(default_factory=dict[str, str])
    """Credentials that cannot be read, and why."""
    left_out: tuple[LeftOut, ...] = ()

    def over(self, listed: Sequence[CredentialEntry]) -> "Stock":
        """With the config's credentials, for names that the store does not have."""
        own = {one.credential_name: one.credential_values for one in listed if one.credential_name not in self.unusable}
        return replace(self, credentials={**own, **self.credentials})


EMPTY: Final = Stock()


class NoCredential(Exception):
    """A deployment names credentials that are not there, or cannot be used."""


def furnished(entry: ModelEntry, stock: Stock) -> ModelEntry:
    """The entry with the values of the credential it names; what it says itself wins. Raises NoCredential.

    Without its credential a deployment is not served: its calls could go to another address, with another key.
    """
    name = entry.litellm_params.litellm_credential_name
    if name is None:
        return entry
    if name not in stock.credentials:
        raise NoCredential(f"the credential {name!r} {stock.unusable.get(name, 'does not exist')}")
    params = entry.litellm_params
    own: dict[str, Any] = {one: getattr(params, one) for one in params.model_fields_set}
    try:
        both = LitellmParams.model_validate(
            {**stock.credentials[name], **{one: value for one, value in own.items() if value is not None}},
            context=params.missing,
        )
    except ValidationError as error:
        raise NoCredential(f"the credential {name!r}: {problems_of(error)[0][1]}") from None
    return entry.model_copy(update={"litellm_params": both})


def problems_of(error: ValidationError) -> list[tuple[str, str]]:
    """(field, what is wrong with it); values are not quoted."""
    return [
        (
            ".".join(map(str, one["loc"])),
            f"{'.'.join(map(str, one['loc']))}: {one['msg'].removeprefix('Value error, ')}",
        )
        for one in error.errors(include_url=False, include_input=False, include_context=False)
    ]
