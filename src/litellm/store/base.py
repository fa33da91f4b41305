"""The seams of the store: `Records` (who may do what, and pays) and `Ledger` (what was spent).

Three things stand behind them: SQLite, Postgres, and memory (`memory.py`, for tests and dry runs). One contract suite
runs over all. Every method raises StoreDown when the database cannot be reached, and then nothing has changed.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from litellm.types.accounts import Millis, Nano, Row, SpendRow
from litellm.types.calls import Json

R = TypeVar("R", bound=Row)


class StoreError(Exception):
    """The message is for the operator, and holds no secret."""


class StoreDown(StoreError):
    """The database cannot be reached, or does not answer. Trying again later may help."""


class Taken(StoreError):
    """An Insert of an id, or of an alias that must be unique, that is there already."""

    def __init__(self, kind: str, name: str, value: str) -> None:
        super().__init__(f"{kind} with {name} {value!r} exists already")
        self.kind, self.name, self.value = kind, name, value


class Missing(StoreError):
    """An Update or a Delete of a row that is not there."""

    def __init__(self, kind: str, id: str) -> None:
        super().__init__(f"no {kind} {id!r}")
        self.kind, self.id = kind, id


class Unstorable(StoreError):
    """A value that a column does not take: of another type, too large, or with a character no database keeps."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{name} of {kind}: this value cannot be stored")
        self.kind, self.name = kind, name


@dataclass(frozen=True, slots=True)
class Insert:
    row: Row


@dataclass(frozen=True, slots=True)
class Update:
    """Only the fields named are written, so two people who change two fields both succeed."""

    kind: str
    id: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Delete:
    """Leaves a tombstone in the feed."""

    kind: str
    id: str


Change = Insert | Update | Delete


@dataclass(frozen=True, slots=True)
class Audit:
    """One row of the audit log: written in the transaction of the change it is about. Secrets are left out."""

    id: str
    at: Millis
    actor: str
    """The user's id, or the key's; `master_key`."""
    action: str
    """`created`, `updated`, `deleted`, `blocked`, `unblocked`, `regenerated`."""
    kind: str
    row_id: str
    before: Json | None = None
    after: Json | None = None


@dataclass(frozen=True, slots=True)
class Query(Generic[R]):
    """Rows of one kind whose fields equal, or are among, `where`'s values. A page is `size` rows; pages count from 1.

    A value that is a tuple or list means "one of these"; None means "has none". `contains` is the same for substrings,
    case folded. Fields must be plain columns (no JSON). `any_of` are further mappings like `where`, and a row fits if
    it fits one of them; None asks for nothing more, an empty sequence fits no row.
    """

    kind: type[R]
    where: Mapping[str, Any] = field(default_factory=dict[str, Any])
    any_of: Sequence[Mapping[str, Any]] | None = None
    contains: Mapping[str, str] = field(default_factory=dict[str, str])
    order: str = "created_at"
    descending: bool = True
    page: int = 1
    size: int = 100


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    rows: tuple[R, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Feed:
    """What has changed since a version, in order of version. `gone` are tombstones, (kind, id)."""

    version: int
    rows: tuple[Row, ...] = ()
    gone: tuple[tuple[str, str], ...] = ()
    complete: bool = True
    """False: more follows after `version`."""


class Records(Protocol):
    """The rows of `types/accounts.py`. Every write advances one version (hard-parts 7) that replicas follow."""

    async def get(self, kind: type[R], id: str) -> R | None: ...

    async def get_many(self, kind: type[R], ids: Sequence[str]) -> dict[str, R]:
        """Those that exist, in one question to the database."""
        ...

    async def find(self, query: Query[R]) -> Page[R]: ...

    async def change(self, changes: Sequence[Change], audit: Sequence[Audit] = ()) -> int:
        """All or none, in one transaction, whose last statement takes the next version; returns that.

        Raises Taken, Missing, Unstorable. `updated_at` is the caller's to set.
        """
        ...

    def scan(self, kind: type[R], size: int = 2_000) -> AsyncIterator[tuple[R, ...]]:
        """Every row, in pages: for the start."""
        ...

    async def version(self) -> int: ...

    async def feed(self, after: int, limit: int = 10_000) -> Feed: ...

    async def audit(self, page: int = 1, size: int = 100, **where: Any) -> tuple[list[Audit], int]:
        """Newest first, and how many there are."""
        ...


Charge = tuple[str, Millis]
"""A scope's id and the start of its budget period."""


@dataclass(frozen=True, slots=True)
class Total:
    spend: Nano = 0
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    """Of the prompt's; known of rows that are still in the log, and of sums only."""


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Rows of the spend log. Times are of the admission; `until` is exclusive."""

    since: Millis | None = None
    until: Millis | None = None
    where: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Field of SpendRow -> value, or a tuple of values; `tag` for one of `tags`."""
    order: str = "admitted_at"
    descending: bool = True
    page: int = 1
    size: int = 100


@dataclass(frozen=True, slots=True)
class DaySpend:
    """One group's sums over one day, or over all days asked for if they were not split (`day` is then empty)."""

    day: str
    group: tuple[str, ...]
    """Values of the fields grouped by, in their order."""
    total: Total
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a call of the log said, as JSON; cut where it was too long."""

    day: str
    call_id: str
    request: str
    response: str


class Ledger(Protocol):
    """The spend log, its totals and balances. Each row is counted exactly once, whatever crashes when."""

    async def offset(self, file: str) -> int:
        """How many bytes of a journal file are in the store; 0 for one never seen."""
        ...

    async def move(self, file: str, start: int, end: int, rows: Sequence[SpendRow]) -> bool:
        """In one transaction: lock the file's offset, insert the rows, add up the totals sorted by key, set the offset.

        False, and nothing has changed, if the stored offset is not `start`: somebody else has moved that part.
        """
        ...

    async def insert(self, rows: Sequence[SpendRow]) -> int:
        """Rows that come by no journal: how many were new. The ones that were there already change nothing."""
        ...

    async def carry_over(self, spent: Mapping[Charge, Total]) -> None:
        """What was spent elsewhere, before the first row of this log: opening balances of scopes.

        A scope that has one of its period already keeps it.
        """
        ...

    async def forget(self, file: str) -> None:
        """A journal file that is wholly moved and deleted."""
        ...

    async def totals(self, charges: Sequence[Charge]) -> dict[Charge, Total]:
        """Spent under each, since its period began; absent ones have spent nothing."""
        ...

    async def log(self, query: LogQuery) -> tuple[list[SpendRow], int]:
        """A page, and how many there are in all."""
        ...

    async def sums(self, by: Sequence[str], query: LogQuery, daily: bool = False) -> list[DaySpend]:
        """Closing balances and rows of the log, summed by the fields of SpendRow that the balances know. By `tag` (a
        call counts for each of its tags), `api_base`, `call_type`, or of one `error` or `cache_hit`: the rows that are
        still in the log."""
        ...

    async def keep(self, prompts: Sequence[Prompt]) -> None: ...

    async def prompts(self, calls: Sequence[str]) -> dict[str, Prompt]:
        """By call id, those that were kept."""
        ...

    async def prepare(self, days: Sequence[str]) -> None:
        """Make room for the rows of days to come."""
        ...

    async def retire(self, before_day: str, most: int = 5_000) -> int:
        """Fold rows of days before `before_day` into closing balances, and delete them and what they said.

        At most `most`, in one transaction; returns how many. 0: there are none left.
        """
        ...

    async def logged(self, calls: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of the calls, (day, call_id), whose rows are in the log."""
        ...

    async def unpriced(self) -> list[DaySpend]:
        """Calls whose cost nobody knows, by model group, provider and the provider's model."""
        ...

    async def prove(self) -> list[str]:
        """Where totals differ from closing balances + rows; empty if the books balance."""
        ...
