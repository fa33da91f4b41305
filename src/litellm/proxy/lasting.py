"""What the requests of every snapshot share, from one reload to the next: the cache, the calls that are known by their
Idempotency-Key, who goes where again, and what budgets of providers and deployments have spent.

Each is made when a config first wants it, and nothing of its code is loaded before. Another takes its place when its
settings have changed; the former is closed with the gateway, as requests in flight may still ask it.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from litellm.proxy import routing
from litellm.proxy.config.load import Config
from litellm.proxy.metrics import Metrics
from litellm.proxy.server import StartError, Worker
from litellm.proxy.snapshot import Snapshot

if TYPE_CHECKING:
    from litellm.proxy.budgeting import Budgeting
    from litellm.proxy.cached import Cache
    from litellm.proxy.idempotency import Once
    from litellm.router.affinity import Affinity


class Lasting:
    """One worker's."""

    def __init__(self, worker: Worker, metrics: Metrics) -> None:
        self._worker = worker
        self._metrics = metrics
        self._config: Config | None = None  # the latest
        self._affinity: Affinity | None = None
        self._budgeting: Budgeting | None = None
        self._cache: Cache | None = None
        self._once: Once | None = None
        self._once_for: object = None  # the settings it was made by
        self._replaced: list[Cache | Once] = []

    def completed(self, snapshot: Snapshot) -> Snapshot:
        """With what it wants of this. Raises StartError for a cache that cannot be."""
        completed = replace(self._budgeted(self._sticking(self._with_cache(snapshot))), once=self._one_call)
        self._config = snapshot.config
        return completed

    def _sticking(self, snapshot: Snapshot) -> Snapshot:
        """With what keeps calls together on one deployment, if the config wants that."""
        given = snapshot.config.router_settings
        if not given.optional_pre_call_checks:
            return snapshot
        from litellm.proxy.sticking import CHECKS, Sticking
        from litellm.router.affinity import Affinity

        self._affinity = self._affinity or Affinity()
        checks = CHECKS.intersection(given.optional_pre_call_checks)
        sticking = Sticking(self._affinity, checks, given.deployment_affinity_ttl_seconds)
        return replace(snapshot, sticking=sticking if checks else None)

    def _budgeted(self, snapshot: Snapshot) -> Snapshot:
        """With what the budgets are counted by, if there are any."""
        if not routing.has_budgets(snapshot.config, snapshot.entries):
            return snapshot
        from litellm.proxy.budgeting import Budgeting
        from litellm.router.spending import Spending

        self._budgeting = self._budgeting or Budgeting(Spending())
        return replace(snapshot, budgeting=self._budgeting)

    def _with_cache(self, snapshot: Snapshot) -> Snapshot:
        settings = snapshot.config.litellm_settings
        if not settings.cache:
            return snapshot
        from litellm.proxy import cached
        from litellm.proxy.config.cache_params import CacheParams

        wanted = settings.cache_params or CacheParams()
        if self._cache is None or self._cache.settings != wanted:
            former = self._cache
            try:
                self._cache = cached.make(wanted, self._metrics)
            except (ValueError, ImportError) as error:  # an address that is none, Redis without its library
                raise StartError(f"litellm_settings.cache_params: {error}") from None
            if former is not None:
                self._replaced.append(former)
        return replace(snapshot, cache=self._cache)

    def _one_call(self) -> "Once | None":
        """What knows calls by their Idempotency-Key, made when the first has one: by the latest settings, for requests
        of earlier snapshots, too."""
        config = self._config
        if config is None:
            return None
        general, settings = config.general_settings, config.litellm_settings
        wanted = general.idempotency_ttl, settings.cache, settings.cache_params
        if self._once_for != wanted:
            from litellm.proxy import idempotency

            if self._once is not None:
                self._replaced.append(self._once)
            self._once, self._once_for = idempotency.make(general, settings, self._worker), wanted
        return self._once

    async def aclose(self) -> None:
        for kept in (*self._replaced, self._cache, self._once):
            if kept is not None:
                await kept.aclose()
