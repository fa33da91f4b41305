"""`litellm db copy`, `litellm db import` and `litellm db reseal`, on real databases."""

import asyncio
import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from litellm.cli import main
from litellm.proxy.commands.takeover import millis_of, nano_of
from litellm.proxy.shelf import Shelf
from litellm.proxy.spend.journal import Journal
from litellm.store.base import Audit, Insert, LogQuery, Total
from litellm.store.database import open_database
from litellm.store.ledger import SqlLedger
from litellm.store.records import SqlRecords
from litellm.store.seal import Seal, Unsealable
from litellm.types.accounts import Credential, Key, Member, Model, Row, SpendRow, Team, User
from litellm.types.periods import period
from support.postgres import Postgres

KEY = Key(id="a" * 64, key_alias="mine", models=("m", "n"), metadata={"b": 1.5, "a": [None, "ä"]}, blocked=True)


def call(number: int, **given: Any) -> SpendRow:
    values: dict[str, Any] = {"spend": number, "charged": (("key:k", 0),), "tags": ("t",), "metadata": {"z": 1, "a": 2}}
    return SpendRow(
        call_id=f"c{number}", day=f"2026-11-{number % 28 + 1:02}", admitted_at=number, **{**values, **given}
    )


async def fill(url: str | None, folder: Path) -> None:
    database = await open_database(url, folder)
    records, ledger = SqlRecords(database), SqlLedger(database)
    await records.change(
        [Insert(KEY), Insert(User(id="u"))], [Audit("1", 2, "me", "created", "key", KEY.id, None, {"x": 1})]
    )
    await ledger.move("f", 0, 9, [call(n) for n in range(1200)])
    await ledger.retire("2026-11-05")
    await database.aclose()


async def content(url: str | None, folder: Path) -> tuple[Any, ...]:
    database = await open_database(url, folder)
    records, ledger = SqlRecords(database), SqlLedger(database)
    assert await ledger.prove() == []
    rows, count = await ledger.log(LogQuery(order="call_id", size=5000))
    told = (
        await records.get(Key, KEY.id), await records.version(), await records.audit(), await records.feed(0),
        rows, count, await ledger.totals([("key:k", 0)]), await ledger.offset("f"),
        await ledger.sums(["key"], LogQuery(), True),
    )  # fmt: skip
    await database.aclose()
    return told


@pytest.mark.slow
def test_there_and_back(postgres: Postgres, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, url, last = tmp_path / "first", postgres.fresh(), tmp_path / "last"
    asyncio.run(fill(None, first))
    assert main(["db", "copy", str(first), url]) == 0, capsys.readouterr().err
    told = capsys.readouterr()
    assert "the books of both balance" in told.out and "spend_log" in told.out and told.err == ""
    assert main(["db", "copy", url, f"sqlite:///{last}/litellm.db"]) == 0
    before = asyncio.run(content(None, first))
    assert before[5] > 1000 and before == asyncio.run(content(url, tmp_path)) == asyncio.run(content(None, last))


def test_a_target_that_holds_something(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(fill(None, tmp_path / "a"))
    asyncio.run(fill(None, tmp_path / "b"))
    assert main(["db", "copy", str(tmp_path / "a"), str(tmp_path / "b")]) == 1
    assert "the target is not empty" in capsys.readouterr().err
    assert main(["db", "copy", str(tmp_path / "a"), str(tmp_path / "b"), "--replace"]) == 0
    assert asyncio.run(content(None, tmp_path / "a")) == asyncio.run(content(None, tmp_path / "b"))


def test_a_store_in_use_and_one_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "copy", str(tmp_path / "none"), str(tmp_path / "b")]) == 1
    assert "there is no store" in capsys.readouterr().err and not (tmp_path / "none").exists()
    asyncio.run(fill(None, tmp_path / "a"))
    journal = Journal(tmp_path / "a" / "journal")
    assert main(["db", "copy", str(tmp_path / "a"), str(tmp_path / "b")]) == 1
    assert "stop it first" in capsys.readouterr().err
    journal.final(call(5000))
    journal.close()
    assert main(["db", "copy", str(tmp_path / "a"), str(tmp_path / "b")]) == 1
    assert "are not in the store" in capsys.readouterr().err


def test_books_that_do_not_balance_are_not_copied(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def spoil() -> None:
        await fill(None, tmp_path / "a")
        database = await open_database(None, tmp_path / "a")
        async with database.writing() as connection:
            await connection.execute(text("UPDATE spend_totals SET spend = spend + 1"))
        await database.aclose()

    asyncio.run(spoil())
    assert main(["db", "copy", str(tmp_path / "a"), str(tmp_path / "b")]) == 1
    assert "do not balance: key:k" in capsys.readouterr().err and not (tmp_path / "b").exists()


# LiteLLM's tables: columns as its schema names them, fewer than it has.

PLAIN = "sk-theirs-1234567890"
TABLES = """
CREATE TABLE "LiteLLM_BudgetTable" (budget_id text PRIMARY KEY, max_budget double precision, budget_duration text,
    tpm_limit bigint, rpm_limit bigint, max_parallel_requests int, model_max_budget jsonb, created_at timestamp(3));
CREATE TABLE "LiteLLM_UserTable" (user_id text PRIMARY KEY, user_alias text, user_email text, user_role text,
    spend double precision DEFAULT 0, max_budget double precision, models text[], metadata jsonb, budget_duration text,
    budget_reset_at timestamp(3));
CREATE TABLE "LiteLLM_TeamTable" (team_id text PRIMARY KEY, team_alias text, members_with_roles jsonb, metadata jsonb,
    spend double precision DEFAULT 0, models text[], max_budget double precision, budget_duration text,
    blocked boolean DEFAULT false, organization_id text);
CREATE TABLE "LiteLLM_TeamMembership" (user_id text, team_id text, spend double precision, budget_id text);
CREATE TABLE "LiteLLM_OrganizationTable" (organization_id text PRIMARY KEY, organization_alias text, budget_id text,
    spend double precision, models text[], metadata jsonb);
CREATE TABLE "LiteLLM_EndUserTable" (user_id text PRIMARY KEY, alias text, spend double precision, budget_id text,
    blocked boolean);
CREATE TABLE "LiteLLM_VerificationToken" (token text PRIMARY KEY, key_name text, key_alias text,
    spend double precision DEFAULT 0, expires timestamp(3), models text[], aliases jsonb, config jsonb, user_id text,
    team_id text, permissions jsonb, max_parallel_requests int, metadata jsonb, blocked boolean, tpm_limit bigint,
    rpm_limit bigint, max_budget double precision, budget_duration text, budget_reset_at timestamp(3),
    allowed_routes text[], model_max_budget jsonb, budget_id text, organization_id text, created_at timestamp(3));
CREATE TABLE "LiteLLM_SpendLogs" (request_id text PRIMARY KEY, call_type text, api_key text, spend double precision,
    total_tokens int, prompt_tokens int, completion_tokens int, "startTime" timestamp(3), "endTime" timestamp(3),
    model text, model_group text, custom_llm_provider text, "user" text, metadata jsonb, cache_hit text,
    request_tags jsonb, team_id text, end_user text, status text);
INSERT INTO "LiteLLM_BudgetTable" VALUES ('b1', 5, '30d', NULL, 7, NULL, '{}', '2026-01-02 03:04:05');
INSERT INTO "LiteLLM_UserTable" VALUES ('u1', 'U', 'u@x.y', 'proxy_admin', 0.1, 2.5, '{m,n}', '{}', NULL, NULL),
    ('u2', NULL, NULL, 'customer', 0, NULL, '{}', NULL, 'fortnight', NULL);
INSERT INTO "LiteLLM_TeamTable" VALUES ('t1', 'T', 
    '[{"role": "admin", "user_id": "u1"}, {"role": "user", "user_id": "u2"}]',
    '{"model_rpm_limit": {"m": 3}}', 0.3, '{}', NULL, '1mo', false, 'o1');
INSERT INTO "LiteLLM_TeamMembership" VALUES ('u2', 't1', 0.05, 'b1');
INSERT INTO "LiteLLM_OrganizationTable" VALUES ('o1', 'O', 'b1', 0, '{}', '{}');
INSERT INTO "LiteLLM_EndUserTable" VALUES ('e1', 'E', 1.000000001, NULL, true);
INSERT INTO "LiteLLM_SpendLogs" VALUES ('r1', 'acompletion', '{token}', 0.1, 12, 10, 2, '2026-11-20 10:00:00.123',
    '2026-11-20 10:00:01', 'gpt-4o', 'm', 'openai', 'u1', '{}', 'False', '["a","b"]', '', '', 'success'),
    ('r2', 'aembedding', '{token}', 0.2, 5, 5, 0, '2026-11-21 10:00:00', '2026-11-21 10:00:01', 'e', 'e', 'openai',
    'u1', '{}', 'True', NULL, 't1', NULL, 'failure');
INSERT INTO "LiteLLM_VerificationToken" (token, key_name, key_alias, spend, expires, models, aliases, user_id, metadata,
    blocked, tpm_limit, max_budget, budget_duration, budget_reset_at, model_max_budget) VALUES
    ('{token}', 'sk-...7890', 'prod', 0.3, '2030-01-01', '{m}', '{"x": "m"}', 'u1',
     '{"tags": ["p"], "note": 1}', NULL, 9000, 1.5, '1d', '2020-01-02',
     '{"m": {"budget_limit": 1, "time_period": "1d"}}'),
    ('not-a-hash', NULL, NULL, 0, NULL, '{}', '{}', NULL, '{}', NULL, NULL, NULL, NULL, NULL, '{}');
"""
TOKEN = sha256(PLAIN.encode()).hexdigest()


def theirs(postgres: Postgres) -> str:
    url = postgres.fresh()
    postgres.run(url, TABLES.replace("{token}", TOKEN))
    return url


async def look(url: str | None, folder: Path) -> dict[str, Any]:
    database = await open_database(url, folder)
    records, ledger = SqlRecords(database), SqlLedger(database)

    async def row(kind: type[Row], id: str) -> Any:
        return await records.get(kind, id)

    assert await ledger.prove() == []
    found = {
        "key": await row(Key, TOKEN), "user": await row(User, "u1"), "other": await row(User, "u2"),
        "team": await row(Team, "t1"), "member": await row(Member, "team/t1/u2"),
        "admin": await row(Member, "team/t1/u1"),
        "log": (await ledger.log(LogQuery(descending=False)))[0], "sums": await ledger.sums([], LogQuery()),
        "ledger": await ledger.totals([("end_user:e1", 0), ("user:u1", 0)]),
        "keys": [r async for r in records.scan(Key)],
    }  # fmt: skip
    database_ledger = await ledger.totals([(f"key:{TOKEN}", period("1d", DAY_BEFORE_RESET)[0])])
    found["key_total"] = list(database_ledger.values())
    await database.aclose()
    return found


DAY_BEFORE_RESET = int(datetime(2020, 1, 1, 12, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.slow
def test_litellms_tables_are_taken_over(postgres: Postgres, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = theirs(postgres)
    target = tmp_path / "store"
    assert main(["db", "import", url, "--to", str(target)]) == 0
    dry = capsys.readouterr()
    assert "Nothing is written" in dry.out and not target.exists()
    for said in (
        "a row is left out: its token cannot be one",
        "'customer' becomes internal_user",
        "budget_duration cannot",
    ):
        assert said in dry.err
    assert "there is no table LiteLLM_TagTable" in dry.err
    assert main(["db", "import", url, "--to", str(target), "--apply"]) == 0
    found = asyncio.run(look(None, target))
    key: Key = found["key"]
    assert (key.models, key.key_alias, key.tags, key.max_budget) == (("m",), "prod", ("p",), 1_500_000_000)
    assert key.model_max_budget == {"m": {"max_budget": 10**9, "budget_duration": "1d"}} and not key.blocked
    assert key.expires == int(datetime(2030, 1, 1, tzinfo=UTC).timestamp() * 1000)
    assert (found["user"].user_role, found["user"].max_budget, found["other"].user_role) == (
        "proxy_admin", 2_500_000_000, "internal_user",
    )  # fmt: skip
    assert found["team"].model_rpm_limit == {"m": 3} and found["team"].organization_id == "o1"
    assert (found["member"].budget_id, found["member"].role, found["admin"].role) == ("b1", "user", "admin")
    assert found["ledger"] == {("end_user:e1", 0): Total(1_000_000_001), ("user:u1", 0): Total(100_000_000)}
    assert found["key_total"] == [Total(300_000_000)], "in the period whose reset is to come"
    assert [(r.call_id, r.spend, r.status, r.tags) for r in found["log"]] == [
        ("r1", 100_000_000, "success", ("a", "b")), ("r2", 200_000_000, "failure", ()),
    ]  # fmt: skip
    assert found["log"][0].admitted_at % 1000 == 123 and found["sums"][0].total.spend == 300_000_000
    capsys.readouterr()
    assert main(["db", "import", url, "--to", str(target), "--apply"]) == 0
    assert capsys.readouterr().out.split()[-4:] == ["calls", "2", "0", "2"]
    assert asyncio.run(look(None, target)) == found, "a second time changes nothing"


@pytest.mark.slow
def test_a_start_on_their_database_names_the_command(postgres: Postgres, tmp_path: Path) -> None:
    """And after the import, into a schema of its own there, the gateway starts and knows their key."""
    from support.gateway import Gateway

    url = theirs(postgres)
    config = {
        "model_list": [{"model_name": "m", "litellm_params": {"model": "demo/demo"}}],
        "general_settings": {"master_key": "sk-1234", "database_url": url, "data_dir": str(tmp_path / "data")},
    }
    gateway = Gateway(json.dumps(config), tmp_path)
    with pytest.raises(RuntimeError, match="litellm db import"):
        gateway.start()
    assert main(["db", "import", url, "--apply"]) == 0
    with Gateway(json.dumps(config), tmp_path) as gateway:
        body = {"model": "m", "messages": [{"role": "user", "content": "a"}]}
        assert gateway.post("/chat/completions", body, key=PLAIN)[0] == 200
        assert json.loads(gateway.get(f"/key/info?key={PLAIN}")[1])["info"]["key_alias"] == "prod"


def test_a_database_without_their_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "import", str(tmp_path)]) == 1
    assert "give its URL" in capsys.readouterr().err
    assert main(["db", "import", "postgresql://u:secret@127.0.0.1:9/x"]) == 1
    told = capsys.readouterr().err
    assert "cannot be reached" in told and "secret" not in told


def test_money_and_times() -> None:
    assert [nano_of(value) for value in (0.1, 1e-9, 4e-10, 5e-10, 0.30000000000000004, None)] == [
        100_000_000, 1, 0, 1, 300_000_000, None,
    ]  # fmt: skip
    assert millis_of(datetime(1970, 1, 1, 0, 0, 1)) == 1000 and millis_of("no time") is None


def test_reseal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What a former salt sealed opens under the newest alone; again there is nothing to do; nothing is half done."""
    monkeypatch.setenv("LITELLM_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)

    async def put() -> None:
        shelf = Shelf(Seal("old"), {})
        params = shelf.sealed_params("m", {"model": "openai/x", "api_key": "secret"})
        values = shelf.sealed_values("c", {"api_key": "secret too", "api_base": "http://a"})
        rows = [Model(id="m", model_name="x", litellm_params=params), Credential(id="c", values=values)]
        database = await open_database(None, tmp_path)
        await SqlRecords(database).change([Insert(row) for row in rows])
        await database.aclose()

    async def opened(*salts: str) -> tuple[Any, Any]:
        database = await open_database(None, tmp_path)
        records, shelf = SqlRecords(database), Shelf(Seal(*salts), {})
        model, credential = await records.get(Model, "m"), await records.get(Credential, "c")
        await database.aclose()
        assert model is not None and credential is not None
        key = shelf.entry(model).litellm_params.api_key
        return key and key.get_secret_value(), shelf.values(credential)

    asyncio.run(put())
    whole = ("secret", {"api_key": "secret too", "api_base": "http://a"})
    monkeypatch.setenv("LITELLM_SALT_KEY", "new")
    monkeypatch.setenv("LITELLM_SALT_KEY_PREVIOUS", "another")
    assert main(["db", "reseal"]) == 1
    assert "model 'm': it was sealed under another LITELLM_SALT_KEY" in capsys.readouterr().err
    assert asyncio.run(opened("old")) == whole, "nothing has changed"
    monkeypatch.setenv("LITELLM_SALT_KEY_PREVIOUS", "another, old")
    assert main(["db", "reseal"]) == 0
    assert "2 rows sealed anew" in capsys.readouterr().out
    assert asyncio.run(opened("new")) == whole
    with pytest.raises(Unsealable):
        asyncio.run(opened("old"))
    monkeypatch.delenv("LITELLM_SALT_KEY_PREVIOUS")
    assert main(["db", "reseal"]) == 0
    assert "0 rows sealed anew" in capsys.readouterr().out
    monkeypatch.delenv("LITELLM_SALT_KEY")
    assert main(["db", "reseal"]) == 1 and "LITELLM_SALT_KEY" in capsys.readouterr().err
