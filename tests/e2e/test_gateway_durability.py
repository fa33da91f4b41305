"""What becomes of spend while the journal cannot grow, in a real gateway whose files may not grow, over Postgres."""

import asyncio
import json
import resource
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from litellm.store.base import LogQuery
from litellm.store.database import open_database
from litellm.store.ledger import SqlLedger
from support.gateway import MASTER_KEY, Gateway
from support.postgres import Postgres
from support.postgres import postgres as postgres
from support.upstream import UpstreamThread

pytestmark = pytest.mark.slow
HI = [{"role": "user", "content": "hi"}]
ENDLESS = resource.RLIM_INFINITY


def config(upstream: UpstreamThread, **general: Any) -> str:
    params = {
        "api_base": upstream.base_url,
        "api_key": "k",
        "input_cost_per_token": 2e-6,
        "output_cost_per_token": 1e-5,
    }
    return json.dumps(
        {
            "model_list": [{"model_name": "m", "litellm_params": {"model": "openai/ok", **params}}],
            "general_settings": {"master_key": MASTER_KEY, **general},
        }
    )


class Site:
    """A gateway over a database of its own, and what that holds."""

    def __init__(self, upstream: UpstreamThread, folder: Path, url: str, durability: str) -> None:
        general = {"database_url": url, "data_dir": str(folder / "data"), "spend_durability": durability}
        self.gateway = Gateway(config(upstream, **general), folder)
        self.url, self.folder = url, folder

    def files_may_grow(self, may: bool) -> None:
        resource.prlimit(self.gateway.process.pid, resource.RLIMIT_FSIZE, (ENDLESS if may else 1, ENDLESS))

    def call(self, key: str, stream: bool = False) -> int:
        status, answer = self.gateway.post(
            "/chat/completions", {"model": "m", "messages": HI, "stream": stream}, key=key
        )
        assert status != 200 or b"[DONE]" in answer or not stream
        return status

    def stored(self) -> tuple[dict[str, str], list[str]]:
        """Call -> status, of the database as it is now; and what does not balance."""

        async def look() -> tuple[dict[str, str], list[str]]:
            database = await open_database(self.url, self.folder)
            ledger = SqlLedger(database)
            rows, _ = await ledger.log(LogQuery(size=10_000))
            problems = await ledger.prove()
            await database.aclose()
            return {row.call_id: row.status for row in rows}, problems

        return asyncio.run(look())

    def key(self) -> str:
        return json.loads(self.gateway.post("/key/generate", {})[1])["key"]

    def counted(self, fate: str) -> float:
        lines = self.gateway.get("/metrics")[1].decode().splitlines()
        named = [line for line in lines if line.startswith("litellm_spend_unjournaled_metric_total") and fate in line]
        return float(named[0].split()[-1]) if named else 0.0


@pytest.fixture
def site(
    request: pytest.FixtureRequest, upstream: UpstreamThread, tmp_path: Path, postgres: Postgres
) -> Iterator[Site]:
    made = Site(upstream, tmp_path, postgres.fresh(), request.param)
    with made.gateway:
        yield made


@pytest.mark.parametrize("site", ["journal"], indirect=True)
def test_calls_go_on_by_the_database_while_the_disk_is_full(site: Site) -> None:
    key = site.key()
    assert site.call(key) == 200
    site.files_may_grow(False)
    assert [site.call(key, stream) for stream in (False, True, True)] == [200] * 3
    rows, problems = site.stored()
    assert list(rows.values()).count("success") >= 3 and problems == [], "in the database before their last byte"
    assert (site.counted("admitted"), site.counted("inserted")) == (3, 3)
    site.files_may_grow(True)
    assert site.call(key) == 200
    assert site.gateway.stop() == 0
    rows, problems = site.stored()
    assert list(rows.values()) == ["success"] * 5 and problems == []


@pytest.mark.parametrize("site", ["refuse"], indirect=True)
def test_no_call_is_let_in_where_that_is_wanted(site: Site) -> None:
    key = site.key()
    site.files_may_grow(False)
    status, answer = site.gateway.post("/chat/completions", {"model": "m", "messages": HI}, key=key)
    assert status == 503 and "cannot grow" in json.loads(answer)["error"]["message"]
    assert site.counted("refused") == 1
    site.files_may_grow(True)
    assert site.call(key) == 200
    assert site.gateway.stop() == 0
    rows, problems = site.stored()
    assert list(rows.values()) == ["success"] and problems == []


@pytest.mark.parametrize("site", ["database"], indirect=True)
def test_every_call_is_in_the_database_before_its_last_byte(site: Site) -> None:
    key = site.key()
    for number in range(1, 7):
        assert site.call(key, stream=number % 2 == 0) == 200
        assert len(site.stored()[0]) == number
    site.gateway.kill()
    rows, problems = site.stored()
    assert list(rows.values()) == ["success"] * 6 and problems == []
    with site.gateway:
        time.sleep(1.5)
        assert site.stored() == (rows, []), "what the journal had of them is not counted again"


def test_a_start_needs_a_folder_it_can_write(upstream: UpstreamThread, tmp_path: Path, postgres: Postgres) -> None:
    (tmp_path / "file").write_text("")
    general = {"database_url": postgres.fresh(), "data_dir": str(tmp_path / "file" / "data")}
    with pytest.raises(RuntimeError, match="the journal of spend cannot be written in") as caught:
        Gateway(config(upstream, **general), tmp_path).start()
    assert "Traceback" not in str(caught.value)


def test_sigterm_moves_everything_even_of_calls_it_cuts_off(upstream: UpstreamThread, tmp_path: Path) -> None:
    """A call that hangs until the drain time is over, and an endless stream, are in the store with the rest."""
    text = json.loads(config(upstream, data_dir=str(tmp_path / "data")))
    for behaviour in ("hang", "endless"):
        params = {**text["model_list"][0]["litellm_params"], "model": f"openai/{behaviour}"}
        text["model_list"].append({"model_name": behaviour, "litellm_params": params})
    gateway = Gateway(json.dumps(text), tmp_path, ("--drain_seconds", "1", "--num_workers", "2"))
    with gateway, ThreadPoolExecutor(4) as pool:
        key = json.loads(gateway.post("/key/generate", {})[1])["key"]
        time.sleep(1.5)

        def call(model: str, stream: bool = False) -> int:
            body = {"model": model, "messages": HI, "stream": stream}
            try:
                return gateway.post("/chat/completions", body, key=key)[0]
            except (OSError, HTTPException):
                return 0

        assert call("m") == 200
        cut_off = [pool.submit(call, "hang"), pool.submit(call, "endless", True)]
        time.sleep(1)
        assert gateway.stop() == 0, gateway.log
        for one in cut_off:
            one.result(30)
    assert list((tmp_path / "data" / "journal").iterdir()) == []

    async def look() -> list[str]:
        database = await open_database(None, tmp_path / "data")
        ledger = SqlLedger(database)
        rows, _ = await ledger.log(LogQuery())
        assert await ledger.prove() == []
        await database.aclose()
        return sorted(row.status for row in rows)

    assert asyncio.run(look()) == ["failure", "failure", "success"]
