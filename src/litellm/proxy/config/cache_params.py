"""`litellm_settings.cache_params`: where answers are kept, and whose they are."""

import os
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from litellm.caching.places import IN_REDIS, SEMANTIC, Place
from litellm.proxy.config.kinds import Count, Positive, Secret, names_of
from litellm.proxy.config.section import Section

Similarity = Annotated[Positive, Field(le=1)]


class CacheParams(Section):
    """`cache_params`: where answers are kept, and whose they are."""

    later: ClassVar[frozenset[str]] = names_of("max_connections redis_startup_nodes sentinel_nodes service_name")

    type: Literal["local", "redis", "disk", "semantic", "local-semantic", "redis-semantic"] | None = Field(
        default=None,
        description="Default `local`: memory. `semantic` (or `local-semantic`) is in memory, too.",
    )
    similarity_threshold: Similarity | None = Field(
        default=None,
        description="Above 0, up to 1: the cosine from which on two questions are the same. For `semantic` ones.",
    )
    embedding_model: str | None = Field(default=None, description="The model group that embeds questions.")
    redis_semantic_cache_embedding_model: str | None = Field(default=None, description="Another name of the last.")
    scope: Literal["key", "team", "global"] | None = Field(
        default=None, description="Who shares answers. Default `team`: a key's team, or the key if it has none."
    )
    mode: Literal["default_on", "default_off"] | None = Field(
        default=None, description="`default_off`: only requests that say `cache: {use-cache: true}`."
    )
    ttl: Positive | None = Field(default=None, description="Seconds that an answer is kept. Default 600.")
    namespace: str | None = Field(default=None, description="Answers of another namespace are not found.")
    supported_call_types: tuple[str, ...] | None = Field(
        default=None, description="Of `completion`, `text_completion`, `embedding`. Default: all."
    )
    single_flight: bool = Field(default=True, description="The same ask, twice at once, is sent once.")
    max_size_in_memory: Count | None = Field(
        default=None, description="Answers kept in memory. Default 200; of `semantic` 2,000, which is the most."
    )
    disk_cache_dir: str | None = Field(default=None, description="The folder of `disk`. Default `.litellm_cache`.")
    host: str | None = Field(default=None, description="Redis's. Default: the variable REDIS_HOST, or localhost.")
    port: Count | None = Field(default=None, description="Redis's. Default: REDIS_PORT, or 6379.")
    password: Secret | None = Field(default=None, description="Redis's. Default: REDIS_PASSWORD.")
    ssl: bool | None = Field(default=None, description="Speak TLS to Redis. Default: REDIS_SSL.")
    url: Secret | None = Field(
        default=None,
        description="`redis://...` in place of the last four. Default: REDIS_URL, if they say no host and no port.",
    )

    @property
    def is_semantic(self) -> bool:
        return self.type in SEMANTIC

    @property
    def is_in_redis(self) -> bool:
        return self.type in IN_REDIS

    @property
    def embeds_with(self) -> str | None:
        return self.embedding_model or self.redis_semantic_cache_embedding_model

    @property
    def place(self) -> Place:
        """Raises ValueError for a REDIS_PORT that is none."""
        return Place(
            self.type or "local",
            self.namespace,
            self.max_size_in_memory,
            self.disk_cache_dir,
            self.url.get_secret_value() if self.url else None,
            self.host,
            self.port,
            self.password.get_secret_value() if self.password else None,
            bool(self.ssl),
        ).completed(os.environ)
