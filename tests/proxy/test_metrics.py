"""Counters: exact, added up over processes, and with no label that a caller can make up."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from litellm.proxy import metrics
from litellm.proxy.metrics import BUCKETS, MAX_SERIES, Metrics, Slots
from support.gateway import ROOT

TOTAL = "litellm_proxy_total_requests_metric_total"
LATENCY = "litellm_request_total_latency_metric"


LINE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (-?[0-9.e+-]+)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


def samples(rendered: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Prometheus' text format, read strictly: a family's type and help come first, and no sample comes twice."""
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    family = ""
    for line in rendered.decode().removesuffix("\n").split("\n"):
        if line.startswith("# "):
            kind, family = line.split(" ")[1:3]
            assert kind in ("HELP", "TYPE")
            continue
        match = LINE.fullmatch(line)
        assert match and match[1].startswith(family), line
        labels = LABEL.findall(match[2] or "")
        named = ((name, re.sub(r"\\.", lambda m: ESCAPES[m[0]], text)) for name, text in labels)
        key = (match[1], frozenset(named))
        assert key not in found, key
        found[key] = float(match[3])
    return found


def value(rendered: bytes, name: str, **labels: str) -> float:
    return samples(rendered).get((name, frozenset(labels.items())), 0.0)


def request(counts: Metrics, model: str = "m", status: int = 200, seconds: float = 0.3, upstream: float = 0.2) -> None:
    counts.began()
    counts.ended("/chat/completions", model, status, seconds, upstream, 0.001 if upstream else 0.0)


def test_requests_are_counted_by_route_model_and_status() -> None:
    counts = Metrics()
    for status in (200, 200, 429):
        request(counts, status=status)
    labels = {"route": "/chat/completions", "requested_model": "m"}
    shown = counts.render()
    assert value(shown, TOTAL, **labels, status_code="200") == 2
    assert value(shown, TOTAL, **labels, status_code="429") == 1
    assert value(shown, "litellm_proxy_failed_requests_metric_total", **labels, status_code="429") == 1
    assert value(shown, "litellm_proxy_failed_requests_metric_total", **labels, status_code="200") == 0
    assert value(shown, "litellm_in_flight_requests") == 0
    counts.began()
    assert value(counts.render(), "litellm_in_flight_requests") == 1


def test_histograms_are_cumulative() -> None:
    counts = Metrics()
    times = [0.004, 0.005, 0.006, 0.3, 59.0, 700.0]
    for seconds in times:
        request(counts, seconds=seconds)
    shown = counts.render()
    for bound in BUCKETS:
        expected = sum(seconds <= bound for seconds in times)
        assert value(shown, f"{LATENCY}_bucket", requested_model="m", le=str(bound)) == expected
    assert value(shown, f"{LATENCY}_bucket", requested_model="m", le="+Inf") == len(times)
    assert value(shown, f"{LATENCY}_count", requested_model="m") == len(times)
    assert value(shown, f"{LATENCY}_sum", requested_model="m") == pytest.approx(sum(times))


def test_overhead_is_only_that_of_calls_whose_provider_answered() -> None:
    counts = Metrics()
    request(counts, seconds=600.0, upstream=0.0, status=408)
    request(counts, seconds=30.0, upstream=0.4)
    shown = counts.render()
    assert value(shown, "litellm_overhead_latency_metric_count", requested_model="m") == 1
    assert value(shown, "litellm_overhead_latency_metric_sum", requested_model="m") == pytest.approx(0.001)
    assert value(shown, "litellm_llm_api_latency_metric_sum", requested_model="m") == pytest.approx(0.4)


def test_tokens_are_what_was_reported() -> None:
    counts = Metrics()
    counts.used("m", {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7})
    counts.used("m", {"prompt_tokens": 5, "total_tokens": 5, "completion_tokens": None})
    counts.used("m", {"prompt_tokens": "many"})
    shown = counts.render()
    assert value(shown, "litellm_input_tokens_metric_total", requested_model="m") == 8
    assert value(shown, "litellm_output_tokens_metric_total", requested_model="m") == 4
    assert value(shown, "litellm_total_tokens_metric_total", requested_model="m") == 12


def test_large_counts_are_exact() -> None:
    counts = Metrics()
    counts.used("m", {"prompt_tokens": 1_234_567, "completion_tokens": 2**53 - 1, "total_tokens": 1})
    shown = counts.render()
    assert value(shown, "litellm_input_tokens_metric_total", requested_model="m") == 1_234_567
    assert value(shown, "litellm_output_tokens_metric_total", requested_model="m") == 2**53 - 1


@pytest.mark.parametrize("name", ['quo"te', "back\\slash", "new\nline", "sep\u2028\x85\x0b", "ünï/*", "{le=}"])
def test_any_name_of_a_config_can_be_shown(name: str, tmp_path: Path) -> None:
    for folder in (None, tmp_path):
        counts = Metrics(folder, f"0-{os.getpid()}")
        request(counts, name)
        assert value(counts.render(), f"{LATENCY}_count", requested_model=name) == 1
        counts.close()


def test_thousands_of_models_do_not_break_anything() -> None:
    """Beyond what fits, models share one name."""
    counts = Metrics()
    wanted = 2 * MAX_SERIES // 56
    for number in range(wanted):
        request(counts, f"model-{number}")
        counts.used(f"model-{number}", {"total_tokens": 1})
    shown = samples(counts.render())
    totals = [v for (name, _), v in shown.items() if name == TOTAL]
    assert sum(totals) == wanted and len(totals) < wanted
    assert sum(v for (name, _), v in shown.items() if name == f"{LATENCY}_count") == wanted
    assert sum(v for (name, _), v in shown.items() if name == "litellm_total_tokens_metric_total") == wanted


# Several processes

CHILD = """
import os, sys
from pathlib import Path
from litellm.proxy.metrics import Metrics
counts = Metrics(Path(sys.argv[1]), f"{sys.argv[2]}-{os.getpid()}")
for number in range(int(sys.argv[3])):
    counts.began()
    counts.ended("/chat/completions", "m", 200, 0.01, 0.005, 0.001)
counts.began()
counts.lag(float(sys.argv[2]))
counts.add_up()
print("done", flush=True)
sys.stdin.read(1)
os._exit(9)
"""


def child(folder: Path, index: int, count: int) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), str(index), str(count)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == b"done\n"
    return process


def end(process: "subprocess.Popen[bytes]") -> None:
    process.communicate(b"x", timeout=30)


def test_processes_are_added_up_and_the_dead_keep_their_counts(tmp_path: Path) -> None:
    labels = {"route": "/chat/completions", "requested_model": "m", "status_code": "200"}
    counts = Metrics(tmp_path, f"0-{os.getpid()}")
    request(counts)
    first, second = child(tmp_path, 1, 100), child(tmp_path, 2, 50)
    shown = counts.render()
    assert value(shown, TOTAL, **labels) == 151
    assert value(shown, f"{LATENCY}_count", requested_model="m") == 151
    assert value(shown, f"{LATENCY}_bucket", requested_model="m", le="0.01") == 150
    assert value(shown, "litellm_in_flight_requests") == 2
    assert value(shown, "litellm_event_loop_lag_seconds") == 2, "the largest, not the sum"
    end(second)
    shown = counts.render()
    assert value(shown, TOTAL, **labels) == 151, "sums do not fall"
    assert value(shown, "litellm_in_flight_requests") == 1, "what the dead had in flight is gone"
    assert value(shown, "litellm_event_loop_lag_seconds") == 1
    end(first)
    counts.close()


def test_others_see_all_that_is_over_whenever_no_request_is_left(tmp_path: Path) -> None:
    def seen() -> tuple[float, float]:
        """Requests, and tokens, as a scrape of another worker finds them."""
        found = dict(metrics.read_folder(tmp_path))
        return (
            sum(count for name, count in found.items() if name.startswith(TOTAL)),
            sum(count for name, count in found.items() if name.startswith("litellm_total_tokens_metric_total")),
        )

    counts = Metrics(tmp_path, f"0-{os.getpid()}")
    for _ in range(2):
        counts.began()
        counts.used("m", {"total_tokens": 5})
    counts.ended("/chat/completions", "m", 200, 0.1, 0.1, 0.001)
    assert seen() == (0, 0)
    counts.add_up()  # the gateway's beat
    assert seen() == (1, 10)
    counts.ended("/chat/completions", "m", 200, 0.1, 0.1, 0.001)
    assert seen() == (2, 10)
    counts.began()
    for number in range(metrics.NOTED):
        counts.began()
        counts.ended("/chat/completions", f"m{number % 2}", 200, 0.1, 0.1, 0.001)
    counts.close()
    assert seen() == (2 + metrics.NOTED, 10), "nothing twice"


def test_a_name_that_is_being_written_is_not_read_yet(tmp_path: Path) -> None:
    slots = Slots(tmp_path, f"0-{os.getpid()}")
    slots.values[slots.slot("whole")] = 5
    with (tmp_path / f"metrics-0-{os.getpid()}.names").open("a") as file:
        file.write("hal")
        file.flush()
        assert dict(metrics.read_folder(tmp_path)) == {"whole": 5}
    slots.close()
