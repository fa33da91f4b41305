"""`litellm db copy FROM TO`, `litellm db import URL`: a store's rows into another database. And `litellm db reseal`."""

import asyncio
from argparse import Namespace
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from litellm.proxy.commands.places import Place, add_config, of_config, place_of
from litellm.proxy.commands.terminal import FAILED, OK, STORE, Parser, extra_is_missing, say, table, tell
from litellm.store.base import Ledger

_PLACES: Final = "a Postgres URL, or the folder of a SQLite store"


def run(arguments: Sequence[str]) -> int:
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.verb is None:
        parser.error("copy, import or reseal?")
    if extra_is_missing(STORE):
        return FAILED
    from litellm.proxy.config.load import ConfigError
    from litellm.store.base import StoreError

    try:
        return asyncio.run(_VERBS[given.verb](given))
    except (ConfigError, StoreError) as error:
        say(f"error: {error}")
        return FAILED


def _parser() -> Parser:
    parser = Parser(prog="litellm db", description="Rows of the store: into another database, or under another salt.")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    copy = verbs.add_parser("copy", help="everything, SQLite to Postgres or back, compared afterwards")
    copy.add_argument("source", metavar="FROM", help=_PLACES)
    copy.add_argument("target", metavar="TO", help=_PLACES)
    copy.add_argument("--replace", action="store_true", help="empty the target first")
    take = verbs.add_parser("import", help="take over keys, users, teams, budgets and spend of a LiteLLM's Postgres")
    take.add_argument("source", metavar="URL", help="the database with LiteLLM's tables; it is only read")
    take.add_argument("--to", metavar="PLACE", help=f"{_PLACES}; default: a schema of its own in the same database")
    add_config(take)
    take.add_argument("--apply", action="store_true", help="do it; without, say what would be done")
    take.add_argument("--without-logs", action="store_true", help="leave LiteLLM_SpendLogs out")
    again = verbs.add_parser("reseal", help="seal every secret under LITELLM_SALT_KEY (old: LITELLM_SALT_KEY_PREVIOUS)")
    add_config(again)
    return parser


async def _reseal(given: Namespace) -> int:
    from litellm.proxy.commands.reseal import reseal

    return await reseal(given.config)


async def _copy(given: Namespace) -> int:
    """Prove the source, copy, compare, prove the target."""
    source, target = place_of(given.source), place_of(given.target)
    if not source.exists:
        say(f"error: there is no store in {source.name}")
        return FAILED
    from litellm.store.copying import copy
    from litellm.store.database import open_database
    from litellm.store.ledger import SqlLedger

    async with AsyncExitStack() as stack:
        reading = await open_database(source.url, source.data_dir)
        stack.push_async_callback(reading.aclose)
        if await _is_in_use(source, SqlLedger(reading)) or not await _proved(source, SqlLedger(reading)):
            return FAILED
        writing = await open_database(target.url, target.data_dir, beside_theirs=True)
        stack.push_async_callback(writing.aclose)
        counts = await copy(reading, writing, given.replace)
        if not await _proved(target, SqlLedger(writing)):
            return FAILED
    tell(table(({"table": name, "rows": count} for name, count in counts.items()), ("table", "rows")))
    tell(f"{source.name} -> {target.name}: every row is there and has its values, the books of both balance")
    return OK


async def _is_in_use(source: Place, ledger: Ledger) -> bool:
    """Whether a gateway runs on it, or has left spend that is not in it: told."""
    from litellm.proxy.spend.backlog import waiting

    found = await waiting(source.journal, ledger) if source.journal else []
    if any(one.alive for one in found):
        say(f"error: a gateway is running on {source.name}: stop it first, what it spends would not be copied")
        return True
    left = sum(one.bytes for one in found)
    if left:
        say(f"error: {left} bytes of spend in {source.journal} are not in the store: start the gateway and stop it")
    return left > 0


async def _proved(place: Place, ledger: Ledger) -> bool:
    problems = await ledger.prove()
    for problem in problems:
        say(f"error: the books of {place.name} do not balance: {problem}")
    return not problems


async def _import(given: Namespace) -> int:
    from litellm.proxy.commands.takeover import plan, take
    from litellm.store.database import foreign_database, open_database

    source = place_of(given.source)
    if source.url is None:
        say("error: LiteLLM's tables are in a Postgres: give its URL")
        return FAILED
    target = place_of(given.to) if given.to else of_config(given) if given.config else Place(source.url, Path())
    async with AsyncExitStack() as stack:
        theirs = foreign_database(source.url)
        stack.push_async_callback(theirs.aclose)
        found = await plan(theirs, source.url, logs=not given.without_logs)
        for problem in found.problems:
            say(f"warning: {problem}")
        if not given.apply:
            tell(table(found.counts(), ("of", "rows", "spend")))
            tell(f"Nothing is written. To take this over into {target.name}: the same command with --apply")
            return OK
        ours = await open_database(target.url, target.data_dir, beside_theirs=True)
        stack.push_async_callback(ours.aclose)
        done = await take(theirs, ours, found)
    tell(table(done, ("of", "rows", "taken", "there already")))
    return OK


_VERBS: Final[Mapping[str, Callable[[Namespace], Coroutine[Any, Any, int]]]] = {
    "copy": _copy,
    "import": _import,
    "reseal": _reseal,
}
