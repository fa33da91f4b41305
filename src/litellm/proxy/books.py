"""The gateway's books: the store, the keys in memory, the limits, the journal and its mover, opened together.

They outlive reloads and belong to one worker. Loaded (and with them SQLAlchemy) when there is a store, and only then.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic, time_ns
from typing import Final
from zoneinfo import ZoneInfo

from litellm.kv.redis import Redis
from litellm.proxy.config.load import Config
from litellm.proxy.keys.book import MAX_CACHED, KeyBook
from litellm.proxy.limits.base import LIMITS, Limit
from litellm.proxy.limits.hostfile import HostFileError
from litellm.proxy.limits.memory import MemoryLimiter
from litellm.proxy.limits.redis import RedisLimiter
from litellm.proxy.limits.shared import SharedLimiter
from litellm.proxy.meter import Meter
from litellm.proxy.metrics import Metrics
from litellm.proxy.place import data_dir_of, former_salts, groups_of, redis_of, salt_of, url_of
from litellm.proxy.server import Worker
from litellm.proxy.shelf import Shelf
from litellm.proxy.spend.journal import Journal
from litellm.proxy.spend.keeper import MEBIBYTE, Keeper
from litellm.proxy.spend.mover import Mover
from litellm.proxy.spend.prompts import Prompts
from litellm.proxy.spend.recall import Recall
from litellm.proxy.spend.upkeep import Upkeep
from litellm.router.spending import Spending
from litellm.store.base import StoreError
from litellm.store.database import Database, open_database
from litellm.store.ledger import SqlLedger
from litellm.store.records import SqlRecords
from litellm.store.seal import Seal
from litellm.types.accounts import Millis, SpendRow

JOURNAL: Final = "journal"
LIMITS_FILE: Final = "limits"
DEFAULT_JOURNAL_MB: Final = 1024
DOWN_AFTER: Final = 10_000
"""Milliseconds without a word from the store, which is asked twice a second."""

Recovered = Callable[[Sequence[SpendRow]], None]


def now() -> Millis:
    return time_ns() // 1_000_000


@dataclass(slots=True)
class Books:
    """`records` and `ledger` are the store's two sides; `meter` is what a request meets, `shelf` has the models."""

    records: SqlRecords
    ledger: SqlLedger
    keys: KeyBook
    meter: Meter
    shelf: Shelf
    upkeep: Upkeep
    recall: Recall
    _database: Database
    _keeper: Keeper
    _mover: Mover
    _tasks: list[asyncio.Task[None]]

    def reconfigure(self, config: Config) -> None:
        """A reload has brought another config."""
        self.upkeep.retention = config.general_settings.maximum_spend_logs_retention_period

    def follow(self, spending: Spending | None) -> None:
        """There are these budgets of providers and deployments from now on."""
        self.meter.spending = self.recall.spending = spending

    async def aclose(self) -> None:
        """Everything that was spent goes into the store."""
        self.keys.stop()
        self.recall.stop()
        await self._keeper.aclose()
        await self._mover.aclose()
        await self.upkeep.aclose()
        if isinstance(self.meter.limiter, RedisLimiter):
            self.meter.limiter.stop()
        await asyncio.gather(*self._tasks)
        if isinstance(self.meter.limiter, SharedLimiter):
            self.meter.limiter.close()
        elif isinstance(self.meter.limiter, RedisLimiter):
            await self.meter.limiter.aclose()
        await self._database.aclose()


async def open_books(config: Config, worker: Worker, metrics: Metrics) -> Books:
    """Raises StoreError, JournalError; the messages are for the operator."""
    general = config.general_settings
    database = await open_database(url_of(config), data_dir_of(config))
    try:
        records, ledger = SqlRecords(database), SqlLedger(database)
        salt = salt_of(config)
        shelf = Shelf(Seal(salt, former_salts()) if salt else None, os.environ)
        zone = ZoneInfo(general.budget_time_zone or "UTC")
        most = general.max_cached_keys or MAX_CACHED
        keys = KeyBook(records, now, groups_of(config.model_list), zone, [shelf], most)
        await keys.load()
        limiter, recovered = _limiter(config, worker, metrics)
        journal = Journal(data_dir_of(config) / JOURNAL)
    except BaseException:
        await database.aclose()
        raise
    mover = Mover(journal, ledger, lambda: worker.admin, recovered)
    keeper = _keeper(config, worker, metrics, journal, ledger, keys)
    meter = Meter(limiter, keeper, mover, ledger, keys, now, strict=general.budget_enforcement == "strict")
    await mover.begin()
    if isinstance(limiter, RedisLimiter):

        async def moved() -> None:
            await keeper.inserted()
            await mover.move()

        limiter.moved = moved
        await limiter.begin()
    prompts = Prompts(ledger)
    retention = general.maximum_spend_logs_retention_period

    def each_second() -> None:
        keeper.retry()
        if isinstance(limiter, SharedLimiter):
            limiter.release_dead()
        metrics.books(keeper.waiting, prompts.dropped)

    upkeep = Upkeep(ledger, prompts, lambda: worker.admin, now, retention, each_second)
    recall = Recall(ledger)
    tasks = [asyncio.create_task(job) for job in (keys.follow(), mover.run(), upkeep.run(), recall.run())]
    if isinstance(limiter, RedisLimiter):
        tasks.append(asyncio.create_task(limiter.run()))
    return Books(records, ledger, keys, meter, shelf, upkeep, recall, database, keeper, mover, tasks)


def _limiter(
    config: Config, worker: Worker, metrics: Metrics
) -> tuple[MemoryLimiter | SharedLimiter | RedisLimiter, Recovered]:
    """One process counts in memory, several in a file of theirs, several hosts in Redis; and what is to be done about
    calls that never ended.

    In memory nobody has counted those of a worker that died. In the file, what it had reserved counts as spent as soon
    as it is found dead; and what an earlier run left behind is in the store before anything is counted (Mover.begin).
    """
    try:
        address = redis_of(config)
        if address is not None:
            said = config.general_settings.redis_failure or "fail_open"
            by_limit = said if isinstance(said, dict) else dict.fromkeys(LIMITS, said)
            closed: list[Limit] = [limit for limit in LIMITS if by_limit.get(limit) == "fail_closed"]
            return RedisLimiter(Redis(address), monotonic, closed, metrics.without_redis), _nothing
    except (ValueError, ImportError) as error:
        raise StoreError(str(error)) from None
    if worker.count > 1:
        try:
            return SharedLimiter(data_dir_of(config) / LIMITS_FILE, monotonic), _nothing
        except HostFileError as error:
            raise StoreError(str(error)) from None
    limiter = MemoryLimiter(monotonic)

    def recovered(rows: Sequence[SpendRow]) -> None:
        for row in rows:
            limiter.charge(row.charged, row.spend or 0)

    return limiter, recovered


def _nothing(rows: Sequence[SpendRow]) -> None:
    pass


def _keeper(
    config: Config, worker: Worker, metrics: Metrics, journal: Journal, ledger: SqlLedger, keys: KeyBook
) -> Keeper:
    general = config.general_settings
    most = int((general.spend_journal_max_mb or DEFAULT_JOURNAL_MB) * MEBIBYTE) // worker.count
    durability = general.spend_durability or "journal"
    return Keeper(journal, ledger, durability, most, lambda: now() - keys.current_at < DOWN_AFTER, metrics.unjournaled)
