"""Schemathesis on the gateway's own description: what fits it is answered, what does not is refused, nothing fails."""

import itertools
import json
from collections.abc import Callable
from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from fuzz.report import Report
from support.counts import fuzz_requests, fuzz_seed
from support.gateway import Gateway

pytestmark = [pytest.mark.slow, pytest.mark.soak]

INFERENCE_SHARE: Final = 0.75
# Of an operation's requests, how many fit the schema. The others break it in some way.
FITTING_SHARE: Final = 0.6


def test_schemathesis_finds_no_server_error(target: Gateway, tell: Callable[[str], None]) -> None:
    number, report = fuzz_requests(), Report("schemathesis", fuzz_seed())
    schema = schemathesis.openapi.from_dict(tempered(json.loads(target.get("/openapi.json")[1])))
    operations = [found.ok() for found in schema.get_all_operations()]
    inference = [one for one in operations if "inference" in one.tags]
    others = [one for one in operations if "inference" not in one.tags]
    with requests.Session() as session:
        for group, share in ((inference, INFERENCE_SHARE), (others, 1 - INFERENCE_SHARE)):
            each = -(-int(number * share) // len(group))
            for operation in group:
                fuzz(operation, each, sender(target, session, report, group is inference), report.seed)
    report.check(tell)
    assert report.statuses.total() >= number
    assert report.inference.total() >= number / 2
    assert report.succeeded >= number / 20
    assert report.statuses[400] and report.statuses[401]


def tempered(description: dict[str, Any]) -> dict[str, Any]:
    """The description, without ways to make the gateway wait: ten retries of calls that time out take a minute."""
    for schema in description["components"]["schemas"].values():
        properties = schema.get("properties", {})
        if "num_retries" in properties:
            properties["num_retries"] = {"type": "integer", "minimum": 0, "maximum": 1}
            properties["timeout"] = {"type": "number", "minimum": 5}
    return description


def fuzz(operation: Any, number: int, send: Callable[[Any], None], first_seed: int) -> None:
    """Send at least `number` requests. Some operations have few distinct ones: then they are made again."""
    fitting = int(number * FITTING_SHARE)
    for mode, wanted in ((GenerationMode.POSITIVE, fitting), (GenerationMode.NEGATIVE, number - fitting)):
        sent = 0

        def once(case: Any) -> None:
            nonlocal sent
            send(case)
            sent += 1

        rounds = itertools.count(first_seed)
        while sent < wanted:
            try:
                run(operation.as_strategy(generation_mode=mode), once, wanted - sent, next(rounds))
            except Unsatisfiable:  # nothing of this operation can be broken
                mode = GenerationMode.POSITIVE


def run(cases: Any, send: Callable[[Any], None], number: int, number_seed: int) -> None:
    @seed(number_seed)
    @settings(
        max_examples=number,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def each(case: Any) -> None:
        send(case)

    each()


def sender(target: Gateway, session: requests.Session, report: Report, inference: bool) -> Callable[[Any], None]:
    """Sends a case with the key, every twentieth without."""

    def send(case: Any) -> None:
        headers = target.headers if report.statuses.total() % 20 else {"Authorization": "Bearer wrong"}
        answer = case.call(base_url=target.origin, session=session, headers=headers, timeout=120)
        report.saw(answer.status_code, inference, answer.content, f"{case.method} {case.path} {case!r}")

    return send
