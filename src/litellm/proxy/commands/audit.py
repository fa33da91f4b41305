"""`litellm audit`: proves that what is said to be spent is what calls have cost, to the nano-dollar.

Totals by scope and budget period must be the sums of the log's rows and of the closing balances. What stands in
journals must be of no call that the log has already, and whole.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from litellm.catalog.cost import NANO
from litellm.proxy.commands.places import Place, add_config, of_config, place_of
from litellm.proxy.commands.terminal import FAILED, OK, STORE, Parser, extra_is_missing, say, tell, tell_json
from litellm.store.base import Ledger, LogQuery
from litellm.types.accounts import Nano


@dataclass(frozen=True, slots=True)
class Report:
    """`stored` is in the store, `waiting` in journals for it. `differences` is empty if the books balance."""

    stored: Nano
    calls: int
    waiting: Nano
    waiting_calls: int
    under_way: int
    differences: tuple[str, ...]


def run(arguments: Sequence[str]) -> int:
    parser = Parser(prog="litellm audit", description="Prove that the books balance; exit 1 with each difference.")
    add_config(parser)
    parser.add_argument("--store", metavar="PLACE", help="a Postgres URL, or the folder of a SQLite store")
    parser.add_argument("--json", action="store_true", help="for programs")
    given = parser.parse_args(arguments)
    if extra_is_missing(STORE):
        return FAILED
    from litellm.proxy.config.load import ConfigError
    from litellm.store.base import StoreError

    try:
        place = place_of(given.store) if given.store else of_config(given)
        if not place.exists:
            say(f"there is no store in {place.name}: nothing was ever counted")
            return OK
        report = asyncio.run(_audit(place))
    except (ConfigError, StoreError) as error:
        say(f"error: {error}")
        return FAILED
    if given.json:
        tell_json(asdict(report))
    else:
        _tell(place, report)
    return FAILED if report.differences else OK


async def _audit(place: Place) -> Report:
    from litellm.store.database import open_database
    from litellm.store.ledger import SqlLedger

    database = await open_database(place.url, place.data_dir)
    try:
        return await audit(place, SqlLedger(database))
    finally:
        await database.aclose()


async def audit(place: Place, ledger: Ledger) -> Report:
    """Of a store and of the journals beside it. Raises StoreDown."""
    from litellm.proxy.spend.backlog import waiting

    files = await waiting(place.journal, ledger) if place.journal else []
    finals = [row for one in files for row in one.finals]
    differences = await ledger.prove()
    differences += [f"{one.path.name}: {one.damaged} lines are damaged" for one in files if one.damaged]
    alive = any(one.alive for one in files)  # then a row may have been moved since its journal was read
    known = set[tuple[str, str]]() if alive else await ledger.logged([(row.day, row.call_id) for row in finals])
    differences += [f"call {call} of {day} is in the log, and once more in a journal" for day, call in sorted(known)]
    sums = await ledger.sums([], LogQuery())
    total = sums[0].total if sums else None
    return Report(
        stored=total.spend if total else 0,
        calls=total.requests if total else 0,
        waiting=sum(one.spend for one in files),
        waiting_calls=len(finals),
        under_way=sum(len(one.open) for one in files),
        differences=tuple(differences),
    )


def _tell(place: Place, report: Report) -> None:
    for difference in report.differences:
        tell(difference)
    tell(f"{place.name}: {report.calls} calls, ${report.stored / NANO:.9f}")
    tell(f"in journals: {report.waiting_calls} calls, ${report.waiting / NANO:.9f}; {report.under_way} under way")
    tell(f"{len(report.differences)} differences" if report.differences else "the books balance")
