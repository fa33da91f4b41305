"""Every attempt is billed once and every reservation released, whatever providers and callers do; in virtual time."""

import asyncio
from collections import Counter, defaultdict
from itertools import count
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from litellm.proxy.books import JOURNAL
from litellm.proxy.limits.base import Limiter
from litellm.proxy.limits.memory import MemoryLimiter
from litellm.proxy.limits.shared import SharedLimiter
from litellm.proxy.spend.journal import Journal
from litellm.proxy.spend.mover import Mover
from litellm.store.base import LogQuery
from litellm.store.database import open_database
from litellm.store.ledger import SqlLedger
from litellm.types.accounts import ATTEMPT, SpendRow
from support import virtual_time
from support.billing import COMMIT_SECONDS, HANG_SECONDS, SCOPE, Attempt, Call, Does, Kind, World
from support.limiters import SMALL

INPUT, OUTPUT = 2_000, 10_000  # nano-dollars per token, of the first; each further deployment is dearer by as much
GROUPS = {"m": "abc", "spare": "xy"}
DEAR = {name: number for number, name in enumerate("abcxy", 1)}
_number = count()


def eighths(most: int) -> st.SearchStrategy[float]:
    return st.integers(0, most).map(lambda number: number / 8)


odd = st.integers(0, 40).map(lambda number: number / 8 + 1 / 16)
"""When callers hang up: never when anything else happens."""
_OFTEN: list[Kind] = ["answer", "breaks", "hang"]
kinds = st.sampled_from(_OFTEN * 4 + [*get_args(Kind)])
does = st.builds(Does, kinds, eighths(16), eighths(8))
calls = st.builds(Call, eighths(16), st.sampled_from([True, True, False]), st.none() | odd, st.booleans())


def deployment(group: str, name: str, **params: Any) -> dict[str, Any]:
    dear = DEAR[name]
    prices = {"input_cost_per_token": INPUT * dear / 1e9, "output_cost_per_token": OUTPUT * dear / 1e9}
    info = {"id": name, "supports_assistant_prefill": True, "max_output_tokens": 1000}
    address = f"http://{name}.example/v1"
    params = {"model": f"openai/{name}", "api_base": address, "api_key": "k", **prices, **params}
    return {"model_name": group, "litellm_params": params, "model_info": info}


def config(sizes: dict[str, int], params: dict[str, Any], strict: bool = False, **routing: Any) -> dict[str, Any]:
    return {
        "model_list": [
            deployment(group, name, **params) for group, size in sizes.items() for name in GROUPS[group][:size]
        ],
        "router_settings": routing,
        "general_settings": {
            "master_key": "sk-1234", "stream_commit_seconds": COMMIT_SECONDS,
            **({"budget_enforcement": "strict"} if strict else {}),
        },
    }  # fmt: skip


HEDGING = {"hedging": {"max_share": 1, "min_samples": 1, "min_seconds": 0.25, "percentile": 50}}


def some(**of: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Each of these is one of its values; None leaves it out."""
    drawn = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in of.items()})
    return drawn.map(lambda made: {name: value for name, value in made.items() if value is not None})


settings_of = some(
    num_retries=[0, 1, 2],
    disable_cooldowns=[True, True, None],
    fallbacks=[[{"m": ["spare"]}], [{"m": ["spare"]}], None],
    mid_stream_fallback=["continue", "continue", None],
    total_timeout=[None, None, 1.5, 6.0],
    first_token_timeout=[None, 1.75],
    between_tokens_timeout=[None, 1.25],
    queue=[None, {"max_size": 3, "max_wait": 2.5}],
    model_groups=[{"m": HEDGING}, {"m": HEDGING}, None],
)
params_of = some(max_parallel_requests=[None, 1, 2])
keys_of = some(
    max_parallel_requests=[None, None, None, 3], max_budget=[None, None, None, 60_000_000],
    tpm_limit=[None, None, None, 5_000],
)  # fmt: skip


def run(
    folder: Path, made: dict[str, Any], script: dict[str, list[Does]], coming: list[Call], shared: bool = False,
    callbacks: str = "", **key: Any,
) -> "Told":  # fmt: skip
    """What providers saw and what is in the books, once nothing runs any more. `callbacks`: the text of a module."""
    here = folder / f"w{next(_number)}"
    here.mkdir()
    (here / "callbacks.py").write_text(callbacks)
    made = {**made, "general_settings": {**made["general_settings"], "data_dir": str(here)}}

    async def main() -> Told:
        clock = asyncio.get_running_loop().time
        limiter: Limiter = SharedLimiter(here / "limits", clock, SMALL) if shared else MemoryLimiter(clock)
        world = World(made, here, script, limiter, **key)
        await world.open()
        async with asyncio.timeout(1000):
            said = await world.calls(coming)
        await asyncio.sleep(2 * HANG_SECONDS + 1)
        told = Told(world, said)
        await world.aclose()
        return told

    return virtual_time.run(main())


class Told:
    """What came of some calls. Nothing of them is held any more."""

    def __init__(self, world: World, said: list[bytes]) -> None:
        self.said = said
        self.attempts: dict[str, list[Attempt]] = defaultdict(list)
        for attempt in world.attempts:
            self.attempts[attempt.call].append(attempt)
        self.all_rows = world.rows()
        self.rows: dict[str, list[SpendRow]] = defaultdict(list)
        for row in self.all_rows:
            self.rows[row.call_id.partition("#")[0]].append(row)
        assert len({row.call_id for row in self.all_rows}) == len(self.all_rows)
        assert world.limiter.spent(SCOPE, 0) == sum(row.spend or 0 for row in self.all_rows)
        assert world.is_free()
        assert not world.hub.exchanges
        assert not world.hub.open
        assert world.health.waiting() == 0
        for one in world.gateway.snapshot.router.deployments.all:
            if one.state is not None:
                assert (one.id, one.state.inflight, one.state.probing) == (one.id, 0, False)
        assert world.transport.open_streams == 0

    def bills(self) -> list[tuple[str, str | None]]:
        """(deployment, failure) of the rows of attempts that may be billed; of those of a call, its own comes last."""
        return [(row.model_id, row.error) for row in self.all_rows if row.usage_source != "none"]

    def check(self, strict: bool = False) -> None:
        """Attempts and rows that cost something are one to one; any other row is a call's own."""
        assert self.attempts.keys() <= self.rows.keys()
        for call, rows in self.rows.items():
            [own] = [row for row in rows if row.call_id == call]
            assert all(row.call_type == ATTEMPT for row in rows if row is not own)
            assert all(row is own for row in rows if row.usage_source == "none")
            billed = Counter(row.model_id for row in rows if row.usage_source != "none")
            may_be = Counter(attempt.deployment for attempt in self.attempts[call] if attempt.billed)
            assert billed == may_be, (rows, self.attempts[call])
            for row in rows:
                _check_price(row, strict)


def _check_price(row: SpendRow, strict: bool) -> None:
    if row.usage_source == "none":
        assert (row.spend, row.prompt_tokens, row.completion_tokens) == (0, 0, 0)
        return
    assert row.provider_model == row.model_id
    assert row.spend is not None
    price = DEAR[row.model_id] * (row.prompt_tokens * INPUT + row.completion_tokens * OUTPUT)
    assert row.spend == price or (strict and row.call_type == ATTEMPT and row.spend < price), row


async def stored(folder: Path, rows: list[SpendRow]) -> None:
    """What dead gateways have left in their journals comes into the store as it stands there."""
    database = await open_database(None, folder / "store")
    ledger, journal = SqlLedger(database), Journal(folder / JOURNAL)
    unknown: list[SpendRow] = []
    await Mover(journal, ledger, lambda: True, unknown.extend).begin()
    found, number = await ledger.log(LogQuery(size=len(rows) + 1))
    assert unknown == []
    assert number == len(rows)
    assert {row.call_id: row.spend for row in found} == {row.call_id: row.spend for row in rows}
    totals = await ledger.totals([(SCOPE, 0)])
    assert totals[SCOPE, 0].spend == sum(row.spend or 0 for row in rows)
    assert await ledger.prove() == []
    journal.close()
    await database.aclose()


def test_every_attempt_is_billed_once_and_every_reservation_released(tmp_path: Path) -> None:
    rows: list[SpendRow] = []

    @settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])
    @given(
        st.sampled_from([1, 2, 2, 3]), st.integers(1, 2),
        st.fixed_dictionaries({name: st.lists(does, min_size=1, max_size=4) for name in DEAR}),
        st.lists(calls, min_size=1, max_size=10), settings_of, params_of, keys_of, st.booleans(), st.booleans(),
    )  # fmt: skip
    def holds(
        size: int,
        spare: int,
        script: dict[str, list[Does]],
        coming: list[Call],
        routing: dict[str, Any],
        params: dict[str, Any],
        key: dict[str, Any],
        shared: bool,
        strict: bool,
    ) -> None:
        made = config({"m": size, "spare": spare}, params, strict, **routing)
        told = run(tmp_path, made, script, coming, shared, **key)
        told.check(strict)
        rows.extend(told.all_rows)

    holds()
    asyncio.run(stored(tmp_path, rows))


HUNG_UP, TIMED_OUT = "499 ClientDisconnected", "408 Timeout"
ANSWERS = [Does("answer", 0.5, 0.25)]


def one(
    folder: Path, first: Does, second: Does, call: Call, spare: Does | None = None, size: int = 2, **routing: Any
) -> Told:
    """A call of a group whose two deployments (or the only one) have an order."""
    made = config({"m": size, "spare": 1}, {}, num_retries=0, **routing)
    for order, entry in enumerate(made["model_list"]):
        entry["litellm_params"]["order"] = order
    told = run(folder, made, {"a": [first], "b": [second], "x": [spare or Does("503")]}, [call])
    told.check()
    return told


@pytest.mark.parametrize(("kind", "bills"), [("503", []), ("hang", [("a", TIMED_OUT)])])
def test_who_hangs_up_between_two_attempts_is_billed_for_the_first_alone(
    tmp_path: Path, kind: Kind, bills: list[Any]
) -> None:
    made = config({"m": 1}, {}, num_retries=2, retry_after=5)
    script = {"a": [Does(kind)]}
    told = run(tmp_path, made, script, [Call(0, False, (HANG_SECONDS if kind == "hang" else 0) + 2)])
    told.check()
    assert told.bills() == bills
    [attempts] = told.attempts.values()
    assert len(attempts) == 1


@pytest.mark.parametrize("kind", ["reset", "reset in the body"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_provider_that_hung_up_on_a_request_may_have_worked_for_it(tmp_path: Path, kind: Kind, stream: bool) -> None:
    made = config({"m": 2}, {}, num_retries=1)
    for order, entry in enumerate(made["model_list"]):
        entry["litellm_params"]["order"] = order
    told = run(tmp_path, made, {"a": [Does(kind)], "b": ANSWERS}, [Call(0, stream)])
    told.check()
    assert told.bills() == [("a", "500 APIConnectionError"), ("b", None)]


def test_one_that_was_never_reached_has_not(tmp_path: Path) -> None:
    told = one(tmp_path, Does("unreachable"), Does("503"), Call(0, False), Does("answer"), 1, **CONTINUED)
    assert told.bills() == [("x", None)]


HEDGED: dict[str, Any] = {"model_groups": {"m": HEDGING}}


def hedged(folder: Path, second: Does, patience: float) -> Told:
    """A call whose first attempt hangs, so that a second is made."""
    made = config({"m": 2}, {}, num_retries=0, disable_cooldowns=True, **HEDGED)
    for order, entry in enumerate(made["model_list"]):
        entry["litellm_params"]["order"] = order
    script = {"a": [Does("answer", 0.125), Does("hang")], "b": [second]}
    told = run(folder, made, script, [Call(0, False), Call(1, False, patience)])
    told.check()
    return told


def test_who_hangs_up_on_two_is_billed_for_both(tmp_path: Path) -> None:
    assert hedged(tmp_path, Does("answer", 5), 2).bills() == [("a", None), ("a", HUNG_UP), ("b", HUNG_UP)]


def test_of_two_the_one_that_has_refused_is_not_billed(tmp_path: Path) -> None:
    assert hedged(tmp_path, Does("503", 0.5), 2).bills() == [("a", None), ("a", HUNG_UP)]


def test_the_row_of_a_call_that_failed_is_about_the_attempt_that_it_failed_by(tmp_path: Path) -> None:
    told = one(tmp_path, Does("hang"), Does("503"), Call(0, False), Does("401"), 1, fallbacks=[{"m": ["spare"]}])
    assert told.bills() == [("a", TIMED_OUT)]


CONTINUED: dict[str, Any] = {"mid_stream_fallback": "continue", "fallbacks": [{"m": ["spare"]}]}


def test_who_hangs_up_while_another_is_asked_to_go_on_is_billed_for_both(tmp_path: Path) -> None:
    told = one(tmp_path, Does("breaks"), Does("503"), Call(0, True, 5), Does("hang"), 1, **CONTINUED)
    assert told.bills() == [("x", HUNG_UP), ("a", HUNG_UP)]


def test_a_refusal_of_whom_was_to_go_on_is_not_billed(tmp_path: Path) -> None:
    told = one(tmp_path, Does("breaks"), Does("503"), Call(0, True), Does("503"), 1, **CONTINUED)
    assert told.bills() == [("a", "500 APIConnectionError")]


def test_who_was_to_go_on_when_the_time_was_over_is_billed(tmp_path: Path) -> None:
    told = one(tmp_path, Does("breaks"), Does("hang"), Call(0, True), total_timeout=3, **CONTINUED)
    assert told.bills() == [("b", TIMED_OUT), ("a", "500 APIConnectionError")]


REFUSES = """
import asyncio
from litellm.integrations.custom_logger import CustomLogger


class Refuses(CustomLogger):
    async def async_moderation_hook(self, data, user_api_key_dict, call_type):
        await asyncio.sleep(data["metadata"]["after"])
        raise ValueError("no")


refuses = Refuses()
"""


@pytest.mark.parametrize(("after", "bills"), [(0.25, [("a", "500 ValueError")]), (2, [])])
@pytest.mark.parametrize("size", [1, 2])
def test_what_is_refused_while_it_is_under_way_is_billed(
    tmp_path: Path, after: float, bills: list[Any], size: int
) -> None:
    made = config({"m": size}, {}, num_retries=0)
    made["litellm_settings"] = {"callbacks": ["callbacks.refuses"]}
    script = {"a": [Does("503", 1)], "b": [Does("503", 1)]}
    for order, entry in enumerate(made["model_list"]):
        entry["litellm_params"]["order"] = order
    told = run(tmp_path, made, script, [Call(0, False, body={"metadata": {"after": after}})], callbacks=REFUSES)
    told.check()
    assert told.bills() == bills
