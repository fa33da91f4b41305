"""Every OpenAI-compatible host is a row of `catalog/hosts.json`; this makes a provider of a row."""

from functools import cache

from litellm.catalog import hosts
from litellm.providers import openai
from litellm.providers.base import NO_RULES, ParamRules, Provider


@cache
def provider_of(name: str) -> Provider:
    """The provider of a host's name. Raises KeyError for a name that has no row."""
    row = hosts.rows()[name]
    rules = ParamRules(row.rename, row.unsupported, row.clamp, row.force, row.flatten_content)
    return Provider(
        name=name,
        base_url=row.base_url,
        key_env=row.key_env,
        base_env=row.base_env,
        default_key=row.default_key,
        model_prefix=row.model_prefix,
        headers=row.headers,
        operations={op: openai.OPERATIONS[op] for op in row.endpoints},
        rules=NO_RULES if rules == NO_RULES else rules,
    )
