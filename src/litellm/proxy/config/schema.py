"""config.yaml as types: which names there are, what each holds, what it does. Each section has a module of its own.

A field there is a name with an effect; its description is what `docs/configuration.md` says of it (`reference.py`). A
name in `later` that is no field is LiteLLM's, accepted with a warning that it has no effect yet; whoever builds the
feature makes it a field. Fields in `idle` have their type already, and get the same warning.

Nothing secret shows in `repr`: secrets are SecretStr, fields that may carry one are left out, and so is every name
that is not a field.
"""

from typing import ClassVar

from pydantic import Field

from litellm.proxy.config.general_settings import GeneralSettings
from litellm.proxy.config.kinds import names_of
from litellm.proxy.config.litellm_settings import LitellmSettings
from litellm.proxy.config.model_list import CredentialEntry, ModelEntry
from litellm.proxy.config.router_settings import RouterSettings
from litellm.proxy.config.section import Section


class ConfigFile(Section):
    """The file's top level."""

    later: ClassVar[frozenset[str]] = names_of(
        """
        assistant_settings callback_settings files_settings finetune_settings guardrails mcp_servers
        prompts search_tools vector_store_registry worker_registry
        """
    )
    unguarded: ClassVar[frozenset[str]] = names_of("guardrails")

    model_list: tuple[ModelEntry, ...] = Field(default=(), description="The deployments. See below.")
    credential_list: tuple[CredentialEntry, ...] = Field(default=(), repr=False, description="Named credentials.")
    litellm_settings: LitellmSettings = Field(default_factory=LitellmSettings, description="See below.")
    router_settings: RouterSettings = Field(default_factory=RouterSettings, description="See below.")
    general_settings: GeneralSettings = Field(default_factory=GeneralSettings, description="See below.")
    environment_variables: dict[str, str] = Field(
        default_factory=dict[str, str],
        repr=False,
        description="Variables to set in the gateway's process, before any `os.environ/NAME` is read.",
    )
    include: tuple[str, ...] = Field(
        default=(),
        description="Further files, relative to this one. Their lists extend the ones here, their other top-level keys "
        "replace those here.",
    )
