"""What the management routes work with: the store, who is asking, the time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from fastapi import Request

from litellm.proxy.admin.loading import IDENTITY
from litellm.proxy.errors import ProxyError
from litellm.proxy.keys.identity import Identity
from litellm.proxy.spend.journal import JournalError
from litellm.store.base import Audit, Charge, Ledger, Records, StoreError
from litellm.types.accounts import Millis, Nano
from litellm.types.calls import Json

if TYPE_CHECKING:
    from litellm.proxy.app import Gateway
    from litellm.proxy.books import Books
    from litellm.proxy.shelf import Shelf


@dataclass(frozen=True, slots=True)
class Desk:
    """Of one request. `now` is its time, in milliseconds."""

    identity: Identity
    records: Records
    ledger: Ledger
    now: Millis
    time_zone: str
    _books: "Books"

    @property
    def actor(self) -> str:
        return self.identity.actor

    def audit(
        self, action: str, kind: str, row_id: str, before: Json | None = None, after: Json | None = None
    ) -> Audit:
        return Audit(str(uuid4()), self.now, self.actor, action, kind, row_id, before, after)

    async def changed(self) -> None:
        """This worker knows it at once, the others within half a second."""
        await self._books.keys.catch_up()

    @property
    def shelf(self) -> "Shelf":
        return self._books.shelf

    async def spent(self, scope: str, start: Millis) -> Nano:
        """In the budget period that began at `start`: by the counters if they know, else by the store."""
        return (await self.spent_each([(scope, start)]))[scope, start]

    async def spent_each(self, charges: Sequence[Charge]) -> dict[Charge, Nano]:
        """Likewise for several, with at most one question to the store."""
        known = {charge: self._books.meter.limiter.spent(*charge) for charge in charges}
        asked = [charge for charge, spent in known.items() if spent is None]
        totals = await self.ledger.totals(asked) if asked else {}
        return {
            charge: spent if spent is not None else totals[charge].spend if charge in totals else 0
            for charge, spent in known.items()
        }


async def desk_of(request: Request) -> Desk:
    """Opens the store if there is none yet. Raises ProxyError 503."""
    gateway: Gateway = request.app.state.gateway
    try:
        books = await gateway.open_books()
    except (StoreError, JournalError) as error:
        raise ProxyError(503, str(error), "no_db_connection") from None
    zone = gateway.snapshot.config.general_settings.budget_time_zone or "UTC"
    return Desk(request.scope[IDENTITY], books.records, books.ledger, books.meter.clock(), zone, books)


def iso(at: Millis | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at / 1000, UTC).isoformat().replace("+00:00", "Z")
