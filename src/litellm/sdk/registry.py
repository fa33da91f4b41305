"""`JSONProviderRegistry`: the OpenAI-compatible hosts of the catalog, by LiteLLM's class."""

from typing import Any

from litellm.catalog import hosts


class SimpleProviderConfig:
    """One host."""

    def __init__(self, slug: str, host: hosts.Host) -> None:
        self.slug = slug
        self.base_url = host.base_url
        self.api_key_env = host.key_env[0] if host.key_env else None
        self.api_base_env = host.base_env[0] if host.base_env else None
        self.base_class = "openai_gpt"
        self.param_mappings = host.rename
        self.constraints: dict[str, Any] = {name: {"min": low, "max": high} for name, (low, high) in host.clamp.items()}
        self.special_handling: dict[str, Any] = {"convert_content_list_to_string": host.flatten_content}


class JSONProviderRegistry:
    @staticmethod
    def get(slug: str) -> SimpleProviderConfig | None:
        host = hosts.rows().get(slug)
        return None if host is None else SimpleProviderConfig(slug, host)

    @staticmethod
    def exists(slug: str) -> bool:
        return slug in hosts.rows()

    @staticmethod
    def list_providers() -> list[str]:
        return [*hosts.rows()]

    @staticmethod
    def load() -> None:
        """The catalog is read when it is first asked."""
