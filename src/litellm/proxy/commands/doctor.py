"""`litellm doctor`: everything that may be wrong with an installation, in one list. It changes nothing."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any, Final, Literal

from litellm.proxy.commands.places import JOURNAL, Place
from litellm.proxy.commands.terminal import FAILED, OK, STORE, Parser, extra_is_missing, tell, tell_json

if TYPE_CHECKING:
    from litellm.proxy.config.load import Config
    from litellm.store.ledger import SqlLedger

LITTLE_SPACE: Final = 1 << 30
LARGE_BACKLOG: Final = 64 << 20
FEW_FILES: Final = 4096
MINUTE: Final = 60.0

Grade = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    about: str
    grade: Grade
    said: str


def run(arguments: Sequence[str]) -> int:
    parser = Parser(prog="litellm doctor", description="Say what is wrong with an installation; exit 1 for an error.")
    parser.add_argument("--config", "-c", default=os.environ.get("CONFIG_FILE_PATH"), metavar="FILE")
    parser.add_argument("--json", action="store_true", help="for programs")
    given = parser.parse_args(arguments)
    if extra_is_missing(STORE):
        return FAILED
    found = asyncio.run(_all(Path(given.config) if given.config else None))
    if given.json:
        tell_json([asdict(one) for one in found])
    else:
        for one in found:
            tell(f"{one.grade:7}  {one.about}: {one.said}")
    return FAILED if any(one.grade == "error" for one in found) else OK


async def _all(path: Path | None) -> list[Finding]:
    from litellm.proxy.config.load import inspect
    from litellm.proxy.place import data_dir_of, url_of

    config, problems = inspect(path)
    found = [Finding("configuration", problem.severity, str(problem)) for problem in problems]
    if config is None:
        return found
    if not problems:
        found.append(Finding("configuration", "ok", "no problems"))
    os.environ.update(config.environment_variables)
    place = Place(url_of(config), data_dir_of(config))
    found += [*_secrets(config), *_prices(config), *_system(), *_folder(place)]
    found += [one async for one in _store(place)]
    found += [one async for one in _redis(config)]
    return found


def _secrets(config: "Config") -> Iterator[Finding]:
    if config.general_settings.master_key is None:
        yield Finding("master key", "warning", "none: the gateway listens on this machine only, for everybody on it")
    from litellm.proxy.place import salt_of

    if salt_of(config):
        yield Finding("salt", "ok", "LITELLM_SALT_KEY is set")
    else:
        said = "LITELLM_SALT_KEY is not set: the store takes no models with keys, and no credentials"
        yield Finding("salt", "warning", said)


def _prices(config: "Config") -> Iterator[Finding]:
    """Deployments whose calls have no cost."""
    from litellm.engine.engine import Engine
    from litellm.exceptions import LiteLLMError
    from litellm.proxy.snapshot import build
    from litellm.transport.mock import MockTransport

    try:
        snapshot = build(config, Engine(MockTransport(_unasked), time), os.environ)
    except LiteLLMError as error:
        yield Finding("deployments", "error", str(error))
        return
    deployments = [one for one in snapshot.router.deployments.all if one.resolve is None]
    unpriced = sorted({f"{one.target.provider}/{one.target.model}" for one in deployments if one.rates is None})
    if unpriced:
        said = "no price is known, calls cost nothing in the books: "
        yield Finding("prices", "warning", said + ", ".join(unpriced))
    else:
        yield Finding("prices", "ok", f"every one of {len(deployments)} deployments has its price")


def _unasked(request: Any) -> Any:
    raise AssertionError("nothing is asked here")


def _system() -> Iterator[Finding]:
    import resource

    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files < FEW_FILES:
        yield Finding("open files", "warning", f"{files} per process: each call takes two (ulimit -n)")


def _folder(place: Place) -> Iterator[Finding]:
    """Whether a journal can be kept. A folder that is not there is made by the first key, and looked for above."""
    from litellm.proxy.spend.journal import JournalError, probe

    folder = place.data_dir.absolute()
    existing = next(parent for parent in (folder / JOURNAL, folder, *folder.parents) if parent.is_dir())
    try:
        probe(existing)
    except JournalError as error:
        yield Finding("data folder", "error", str(error))
        return
    free = shutil.disk_usage(existing).free
    said = f"{folder} can be written, locks hold, {free >> 20} MiB are free"
    yield Finding("data folder", "warning" if free < LITTLE_SPACE else "ok", said)


async def _redis(config: "Config") -> AsyncIterator[Finding]:
    from litellm.kv.redis import Redis, RedisDown, RedisError
    from litellm.proxy.place import redis_of

    try:
        address = redis_of(config)
        if address is None:
            return
        redis = Redis(address)
    except (ValueError, ImportError) as error:
        yield Finding("redis", "error", str(error))
        return
    begun = time()
    try:
        await redis.command("PING")
        yield Finding("redis", "ok", f"{address} answers after {1000 * (time() - begun):.0f} ms")
        _, policy = await redis.command("CONFIG", "GET", "maxmemory-policy")
        if policy != b"noeviction":
            said = f"its maxmemory-policy is {policy.decode()}: it may forget what calls have reserved (say noeviction)"
            yield Finding("redis", "warning", said)
    except RedisDown as error:
        yield Finding("redis", "error", str(error))
    except (RedisError, ValueError):  # one that does not tell: a managed service
        pass
    finally:
        await redis.aclose()


async def _store(place: Place) -> AsyncIterator[Finding]:
    if not place.exists:
        yield Finding("store", "ok", f"there is none yet; the first key makes it in {place.data_dir}")
        return
    from litellm.store.base import StoreError
    from litellm.store.database import open_database
    from litellm.store.ledger import SqlLedger

    begun = time()
    try:
        database = await open_database(place.url, place.data_dir)
    except StoreError as error:
        yield Finding("store", "error", str(error))
        return
    try:
        kind = "Postgres" if database.is_postgres else "SQLite"
        yield Finding("store", "ok", f"{kind}, {place.name}, answers after {(time() - begun) * 1000:.0f} ms")
        for check in (_journals, _books, _called):
            async for one in check(place, SqlLedger(database)):
                yield one
    finally:
        await database.aclose()


async def _journals(place: Place, ledger: "SqlLedger") -> AsyncIterator[Finding]:
    from litellm.proxy.spend.backlog import waiting

    files = await waiting(place.data_dir / JOURNAL, ledger)
    left = sum(one.bytes for one in files)
    oldest = min((one.finals[0].ended_at / 1000 for one in files if one.finals), default=time())
    said = f"{left} bytes of {len(files)} files are not in the store"
    if left and time() - oldest > MINUTE:
        said += f", the oldest call for {time() - oldest:.0f} s" + (
            "" if any(f.alive for f in files) else "; no gateway runs"
        )
        yield Finding("journal", "error" if left > LARGE_BACKLOG else "warning", said)
    else:
        yield Finding("journal", "ok", said)


async def _books(place: Place, ledger: "SqlLedger") -> AsyncIterator[Finding]:
    differences = await ledger.prove()
    for difference in differences:
        yield Finding("books", "error", difference)
    if not differences:
        yield Finding("books", "ok", "they balance")


async def _called(place: Place, ledger: "SqlLedger") -> AsyncIterator[Finding]:
    for one in await ledger.unpriced():
        group, provider, model = one.group
        tokens = f"{one.total.prompt_tokens} prompt and {one.total.completion_tokens} completion tokens"
        said = f"{group} ({provider}/{model}) was called {one.total.requests} times without a price: {tokens}"
        yield Finding("prices", "warning", said)
