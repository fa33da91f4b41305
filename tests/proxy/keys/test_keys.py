"""Who may do what, and how keys in memory follow the store."""

import asyncio
import time
from dataclasses import fields
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from litellm.proxy.errors import ProxyError
from litellm.proxy.keys.access import Access, may_call, rule
from litellm.proxy.keys.book import KeyBook, pack, unpack
from litellm.proxy.keys.identity import Rows, identity
from litellm.store.base import Delete, Insert, StoreDown, Update
from litellm.store.database import open_database
from litellm.store.records import SqlRecords
from litellm.types.accounts import Budget, Key, Member, Organization, Team, User, member_id

GROUPS = {"cheap": ["small", "tiny"]}


def access(**lists: tuple[str, ...]) -> Access:
    made = (rule(owner, models, GROUPS) for owner, models in lists.items())
    return Access(tuple(found for found in made if found is not None))


@pytest.mark.parametrize(
    ("models", "model", "allowed"),
    [
        ((), "any", True),
        (("a", "b"), "b", True),
        (("a",), "b", False),
        (("openai/*",), "openai/gpt", True),
        (("openai/*",), "groq/gpt", False),
        (("*-mini",), "gpt-mini", True),
        (("cheap",), "tiny", True),
        (("cheap",), "large", False),
        (("all-proxy-models", "a"), "b", True),
        (("no-default-models",), "no-default-models", False),
    ],
)
def test_models(models: tuple[str, ...], model: str, allowed: bool) -> None:
    assert (access(key=models).refusing(model) is None) is allowed


def test_a_refusal_names_whose_list_it_was() -> None:
    checked = access(key=("a", "b"), team=("a",))
    checked.check("a")
    for model, kind in (("c", "key_model_access_denied"), ("b", "team_model_access_denied")):
        with pytest.raises(ProxyError) as caught:
            checked.check(model)
        assert (caught.value.status_code, caught.value.type, caught.value.param) == (403, kind, "model")
    assert checked.visible(["a", "b", "c"]) == ["a"]


@pytest.mark.parametrize(
    ("routes", "path", "inference", "allowed"),
    [
        ((), "/anything", False, True),
        (("/key/*",), "/key/info", False, True),
        (("/key/*",), "/team/info", False, False),
        (("/v1/models",), "/v1/models", False, True),
        (("llm_api_routes",), "/v1/chat/completions", True, True),
        (("llm_api_routes",), "/key/generate", False, False),
        (("management_routes",), "/key/generate", False, True),
        (("management_routes",), "/v1/chat/completions", True, False),
        (("info_routes",), "/key/info", False, True),
        (("info_routes",), "/key/generate", False, False),
    ],
)
def test_routes(routes: tuple[str, ...], path: str, inference: bool, allowed: bool) -> None:
    assert may_call(routes, path, inference) is allowed


def rows(**given: Any) -> Rows:
    kinds = ("users", "teams", "organizations", "members", "budgets")
    return Rows(**{kind: {row.id: row for row in given.get(kind, ())} for kind in kinds})


def test_whom_a_call_is_counted_against() -> None:
    user, team = User(id="u", max_budget=5), Team(id="t", rpm_limit=7, member_budget=3, organization_id="o")
    referred = rows(users=[user], teams=[team], organizations=[Organization(id="o", tpm_limit=9)])

    def scopes(key: Key, referred: Rows = referred) -> dict[str, Any]:
        return {scope.id: scope for scope in identity(key, referred, {}, 0).scopes}

    assert set(scopes(Key(id="k", user_id="u"))) == {"key:k", "user:u"}
    of_team = scopes(Key(id="k", user_id="u", team_id="t"))
    assert set(of_team) == {"key:k", "team:t", "member:team/t/u", "organization:o"}, "a team's key spends its money"
    assert of_team["team:t"].rpm == 7 and of_team["organization:o"].tpm == 9
    assert of_team["member:team/t/u"].budget == 3
    own = rows(users=[user], teams=[team], members=[Member(id=member_id("team", "t", "u"), max_budget=1)])
    assert scopes(Key(id="k", user_id="u", team_id="t"), own)["member:team/t/u"].budget == 1


def test_a_named_budget_gives_what_a_row_does_not_say() -> None:
    shared = Budget(id="b", max_budget=10, rpm_limit=1, budget_duration="1h")
    now = 7_200_500
    made = identity(Key(id="k", budget_id="b", rpm_limit=5), rows(budgets=[shared]), {}, now)
    (scope,) = made.scopes
    assert (scope.budget, scope.rpm, scope.period, made.until) == (10, 5, 7_200_000, 10_800_000)


def test_who_is_refused_altogether() -> None:
    assert identity(Key(id="k"), rows(), {}, 0).refusal is None
    assert identity(Key(id="k", blocked=True), rows(), {}, 0).refusal is not None
    expired = identity(Key(id="k", expires=10), rows(), {}, 10).refusal
    assert expired is not None and expired[2] == "expired_key"
    assert identity(Key(id="k", expires=10), rows(), {}, 9).until == 10
    owner = Key(id="k", team_id="t", user_id="u", organization_id="o")
    for kind, row in (("teams", Team), ("users", User), ("organizations", Organization)):
        for blocked in (True, False):
            referred = rows(**{kind: [row(id=kind[0], blocked=blocked)]})
            assert (identity(owner, referred, {}, 0).refusal is not None) is blocked


def test_packing() -> None:
    key = Key(id="a", models=("x",), rpm_limit=0, metadata={"a": [1]}, expires=5, tags=("t",))
    assert unpack(pack(key)) == key and len(pack(Key(id="a" * 64))) < 80


def digest(plain: str) -> bytes:
    return sha256(plain.encode()).digest()


def now() -> int:
    return time.time_ns() // 1_000_000


def test_a_revoked_key_ends_within_two_seconds_on_another_replica(tmp_path: Path) -> None:
    async def run() -> None:
        database = await open_database(None, tmp_path)
        records = SqlRecords(database)
        book = KeyBook(records, now, {})
        await book.load()
        following = asyncio.create_task(book.follow())
        id = digest("sk-a").hex()

        async def until(condition: Any) -> None:
            due = time.monotonic() + 2
            for _ in range(100):
                if not condition():
                    await asyncio.sleep(0.02)
            assert condition() and time.monotonic() < due + 1

        await records.change([Insert(Key(id=id, team_id="t")), Insert(Team(id="t"))])
        await until(lambda: book.find(digest("sk-a")) is not None)
        await records.change([Update("team", "t", {"blocked": True})])
        await until(lambda: (found := book.find(digest("sk-a"))) is not None and found.refusal is not None)
        await records.change([Delete("team", "t"), Update("key", id, {"rpm_limit": 3})])
        await until(lambda: (found := book.find(digest("sk-a"))) is not None and found.scopes[0].rpm == 3)
        await records.change([Delete("key", id)])
        await until(lambda: book.find(digest("sk-a")) is None)
        book.stop()
        await following
        await database.aclose()

    asyncio.run(run())


def test_known_keys_go_on_while_the_store_is_down() -> None:
    class Down(SqlRecords):
        def __init__(self) -> None: ...

        async def feed(self, after: int, limit: int = 0) -> Any:
            raise StoreDown("gone")

    async def run() -> None:
        book = KeyBook(Down(), now, {})
        book._put(Key(id=digest("sk-a").hex()))  # pyright: ignore[reportPrivateUsage]
        following = asyncio.create_task(book.follow())
        book.hint()
        await asyncio.sleep(0.05)
        assert book.find(digest("sk-a")) is not None and not following.done()
        book.stop()
        await following

    asyncio.run(run())


@pytest.mark.slow
def test_a_hundred_thousand_keys_are_small_and_soon_there(tmp_path: Path) -> None:
    async def run() -> None:
        from sqlalchemy import insert

        from litellm.store.tables import RECORDS

        database = await open_database(None, tmp_path)
        plain = {name: getattr(Key(id=""), name) for name in pack_names()}
        async with database.writing() as connection:
            for begin in range(0, 100_000, 5_000):
                some = range(begin, begin + 5_000)
                values = [{**plain, "id": digest(f"sk-{n}").hex(), "rpm_limit": n, "user_id": f"u{n}"} for n in some]
                await connection.execute(insert(RECORDS["key"]), values)
        before, started = resident(), time.process_time()
        book = KeyBook(SqlRecords(database), now, {})
        await book.load()
        seconds, grown = time.process_time() - started, resident() - before
        print(f"100,000 keys: {seconds:.1f} s of CPU, {grown / 1024:.0f} MiB")
        assert len(book) == 100_000 and grown < 100 * 1024
        found = book.find(digest("sk-99999"))
        assert found is not None and found.scopes[0].rpm == 99_999
        await database.aclose()

    asyncio.run(run())


def pack_names() -> list[str]:
    return [one.name for one in fields(Key)]


def resident() -> int:
    """KiB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])
