"""`litellm audit` and `litellm doctor`, over stores that are in order and stores that are not."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from litellm.cli import main
from litellm.proxy.spend.journal import Journal
from litellm.store.database import open_database
from litellm.store.ledger import SqlLedger
from litellm.types.accounts import SpendRow
from support.redis import RedisServer
from support.redis import redis as redis


def call(number: int, **given: Any) -> SpendRow:
    values: dict[str, Any] = {"spend": 10**9, "charged": (("key:k", 0),), "prompt_tokens": 7, "completion_tokens": 2}
    values |= {"model_group": "m", "provider": "openai", "provider_model": "gpt", "ended_at": 1}
    return SpendRow(call_id=f"c{number}", day="2026-11-20", admitted_at=number, **{**values, **given})


def fill(folder: Path, *rows: SpendRow, statement: str = "") -> None:
    async def run() -> None:
        database = await open_database(None, folder)
        await SqlLedger(database).move("f", 0, 9, rows)
        if statement:
            async with database.writing() as connection:
                await connection.execute(text(statement))
        await database.aclose()

    asyncio.run(run())


def audited(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    code = main(["audit", "--store", str(folder), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_books_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, call(1), call(2))
    journal = Journal(tmp_path / "journal")
    journal.intent(call(3))
    journal.intent(call(4))
    journal.final(call(3, spend=5))
    code, report = audited(tmp_path, capsys)
    assert (code, report["differences"], report["stored"], report["calls"]) == (0, [], 2 * 10**9, 2)
    assert (report["waiting"], report["waiting_calls"], report["under_way"]) == (5, 1, 1)
    journal.close()
    assert main(["audit", "--store", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "2 calls, $2.000000000" in told and "the books balance" in told


def test_each_difference_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, call(1), statement="UPDATE spend_totals SET spend = spend - 1")
    journal = Journal(tmp_path / "journal")
    journal.final(call(1))
    journal.close()
    data = journal.path.read_bytes()
    journal.path.write_bytes(data + b"00000000 damaged\n")
    code, report = audited(tmp_path, capsys)
    told = " / ".join(report["differences"])
    assert code == 1 and len(report["differences"]) == 3
    assert "key:k since 0" in told and "1 lines are damaged" in told and "call c1 of 2026-11-20 is in the log" in told


def test_where_there_is_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--store", str(tmp_path / "none")]) == 0
    assert "nothing was ever counted" in capsys.readouterr().err and not (tmp_path / "none").exists()
    (tmp_path / "litellm.db").write_bytes(b"no database" * 100)
    assert main(["audit", "--store", str(tmp_path)]) == 1
    assert "error: " in capsys.readouterr().err


def doctor(
    config: dict[str, Any], folder: Path, capsys: pytest.CaptureFixture[str]
) -> tuple[int, dict[str, list[Any]]]:
    file = folder / "config.yaml"
    file.write_text(json.dumps(config))
    code = main(["doctor", "--config", str(file), "--json"])
    found: dict[str, list[Any]] = {}
    for one in json.loads(capsys.readouterr().out):
        found.setdefault(one["about"], []).append((one["grade"], one["said"]))
    return code, found


def config(folder: Path, **params: Any) -> dict[str, Any]:
    return {
        "model_list": [{"model_name": "m", "litellm_params": {"model": "openai/x", "api_key": "k", **params}}],
        "general_settings": {"master_key": "sk-1234", "data_dir": str(folder / "data")},
    }


def test_a_healthy_installation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LITELLM_SALT_KEY", "salt")
    priced = config(tmp_path, input_cost_per_token=1e-6, output_cost_per_token=1e-6)
    code, found = doctor(priced, tmp_path, capsys)
    found.pop("open files", None)
    assert code == 0 and {grade for each in found.values() for grade, _ in each} == {"ok"}, found
    assert "none yet" in found["store"][0][1] and not (tmp_path / "data").exists()
    fill(tmp_path / "data", call(1))
    code, found = doctor(priced, tmp_path, capsys)
    assert code == 0 and found["books"] == [("ok", "they balance")] and found["journal"][0][0] == "ok"
    assert main(["doctor", "--config", str(tmp_path / "config.yaml")]) == 0
    assert "ok       store: SQLite" in capsys.readouterr().out


def test_redis_is_asked_and_how_it_forgets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], redis: RedisServer
) -> None:
    asked = config(tmp_path)
    asked["general_settings"]["redis_url"] = redis.url
    _, found = doctor(asked, tmp_path, capsys)
    assert found["redis"][0][0] == "ok" and len(found["redis"]) == 1
    assert redis.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru") == "+OK"
    _, found = doctor(asked, tmp_path, capsys)
    assert found["redis"][1][0] == "warning" and "allkeys-lru" in found["redis"][1][1]
    redis.kill()
    code, found = doctor(asked, tmp_path, capsys)
    assert code == 1 and found["redis"][0][0] == "error" and "cannot be reached" in found["redis"][0][1]
    asked["general_settings"]["redis_url"] = "http://x"
    code, found = doctor(asked, tmp_path, capsys)
    assert code == 1 and "not a Redis URL" in found["redis"][0][1]


def test_what_is_wrong_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LITELLM_SALT_KEY", raising=False)
    fill(tmp_path / "data", call(1, spend=None), statement="UPDATE spend_totals SET requests = 3")
    journal = Journal(tmp_path / "data" / "journal")
    journal.final(call(2))
    journal.close()
    code, found = doctor(config(tmp_path), tmp_path, capsys)
    assert code == 1
    assert found["books"][0][0] == "error" and "key:k" in found["books"][0][1]
    assert found["journal"][0][0] == "warning" and "no gateway runs" in found["journal"][0][1]
    assert found["salt"][0][0] == "warning"
    said = [text for _, text in found["prices"]]
    assert "openai/x" in said[0] and "was called 1 times without a price: 7 prompt and 2 completion tokens" in said[1]


def test_a_folder_that_cannot_be_written_and_a_config_that_cannot_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unusable = config(tmp_path)
    unusable["general_settings"]["data_dir"] = "/proc/nowhere"
    code, found = doctor(unusable, tmp_path, capsys)
    assert code == 1 and found["data folder"][0][0] == "error"
    code, found = doctor({"model_list": 3}, tmp_path, capsys)
    assert code == 1 and found["configuration"][0][0] == "error" and "store" not in found
    assert os.listdir(tmp_path) == ["config.yaml"]  # noqa: PTH208 (a count is all that is wanted)
