"""Counters for `/metrics`, added up over all workers.

Each process writes its own file of 8-byte floats, mapped into memory, with the series' names beside it; a scrape reads
the files of all processes. A dead process's counts stay, its gauges do not. Names are LiteLLM's (litellm-contract
1b.10). Labels hold nothing that a caller can make up: an unknown model is counted under "".

A request is only noted. What has been noted is added up many requests at a time, which costs a fifth: before this
process is scraped, and for the scrapes of others whenever no request is left, and at every beat of the gateway.
"""

import mmap
import os
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from litellm.types.calls import Json

MAX_SERIES: Final = 64 * 1024  # of one process; 512 KiB, of which only touched pages exist
OTHERS: Final = 1024  # of these are kept for what is counted under no model of its own once the rest is taken

BUCKETS: Final = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0,
)  # fmt: skip

HELP: Final = {
    "litellm_proxy_total_requests_metric_total": ("counter", "Requests answered"),
    "litellm_proxy_failed_requests_metric_total": ("counter", "Requests answered with a status of 400 or more"),
    "litellm_request_total_latency_metric": ("histogram", "Seconds from the request's head to the end of the answer"),
    "litellm_llm_api_latency_metric": ("histogram", "Seconds spent waiting for the provider"),
    "litellm_overhead_latency_metric": ("histogram", "Seconds that were not spent waiting for the provider"),
    "litellm_input_tokens_metric_total": ("counter", "Prompt tokens that providers reported"),
    "litellm_output_tokens_metric_total": ("counter", "Completion tokens that providers reported"),
    "litellm_total_tokens_metric_total": ("counter", "Tokens that providers reported"),
    "litellm_cache_hits_metric_total": ("counter", "Requests that the response cache answered"),
    "litellm_cache_misses_metric_total": ("counter", "Requests that the response cache was asked for in vain"),
    "litellm_cache_bytes": ("gauge", "What the response cache holds in memory"),
    "litellm_spend_unjournaled_metric_total": (
        "counter",
        "Calls that the journal of spend did not take, by their fate",
    ),
    "litellm_limits_without_redis_metric_total": ("counter", "Calls whose limits were counted without Redis"),
    "litellm_spend_prompts_dropped_metric_total": ("counter", "Prompts that were to be kept and found no room"),
    "litellm_spend_waiting_bytes": ("gauge", "What the journal of spend holds that is not in the database"),
    "litellm_in_flight_requests": ("gauge", "Requests being served"),
    "litellm_waiting_requests": ("gauge", "Requests that wait for a deployment with room"),
    "litellm_event_loop_lag_seconds": ("gauge", "The longest time a ready callback waited in the last 5 seconds"),
}
_GAUGES: Final = tuple(name for name, (kind, _) in HELP.items() if kind == "gauge")
_LARGEST: Final = "litellm_event_loop_lag_seconds"  # of all workers'; everything else is added up


class Slots:
    """Numbered floats with names. In a folder they outlive the process and others see them; `name` ends in the pid."""

    def __init__(self, folder: Path | None = None, name: str = "") -> None:
        self._names: dict[str, int] = {}
        self._index: Any = None
        if folder is None:
            self.values: Any = array("d", bytes(8 * MAX_SERIES))
            return
        stem = folder / f"metrics-{name}"
        with stem.with_suffix(".values").open("w+b") as file:
            file.truncate(8 * MAX_SERIES)
            self.values = memoryview(mmap.mmap(file.fileno(), 8 * MAX_SERIES)).cast("d")
        self._index = stem.with_suffix(".names").open("a", encoding="utf-8", buffering=1)

    @property
    def crowded(self) -> bool:
        """No more names for what there can be many of."""
        return len(self._names) > MAX_SERIES - OTHERS

    def slot(self, name: str) -> int:
        """The number of a series; when all are taken, everything new shares the last."""
        known = self._names.get(name)
        if known is not None:
            return known
        number = min(len(self._names), MAX_SERIES - 1)
        self._names[name] = number
        if self._index is not None:
            self._index.write(name + "\n")
        return number

    def items(self) -> Iterator[tuple[str, float]]:
        return ((name, self.values[number]) for name, number in self._names.items())

    def close(self) -> None:
        if self._index is not None:
            self._index.close()


def read_folder(folder: Path) -> Iterator[tuple[str, float]]:
    """The series of all processes that ever wrote into the folder, without the gauges of dead ones."""
    for names in sorted(folder.glob("metrics-*.names")):
        values = array("d")
        values.frombytes(names.with_suffix(".values").read_bytes())
        alive = _alive(int(names.stem.rpartition("-")[2]))
        written = names.read_bytes().decode().split("\n")[:-1]  # what follows the last line end is not all there
        for number, name in enumerate(written[:MAX_SERIES]):
            if alive or not name.startswith(_GAUGES):
                yield name, values[number]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


_bucket_of: Final = partial(bisect_left, BUCKETS)
NOTED: Final = 256
"""Requests of a series that may wait to be added up."""


class _Series:
    """Requests of one route, model and status that have been noted: how long they took; and where they are counted."""

    __slots__ = ("overhead", "seconds", "slots", "upstream")

    def __init__(self, slots: tuple[int, ...]) -> None:
        self.slots = slots
        """Of the requests, the failed ones (0: none is), and the three histograms."""
        self.seconds: list[float] = []
        self.upstream: list[float] = []
        self.overhead: list[float] = []


class _Tokens:
    """What providers have reported for one model since it was last added up."""

    __slots__ = ("completion", "noted", "prompt", "slots", "total")

    def __init__(self, slots: tuple[int, int, int]) -> None:
        self.slots = slots
        self.noted = False
        self.prompt: float = 0
        self.completion: float = 0
        self.total: float = 0


class Metrics:
    """What the gateway counts. `folder` is shared by the workers; without one the process counts for itself."""

    def __init__(self, folder: Path | None = None, name: str = "") -> None:
        self._folder = folder
        self._slots = Slots(folder, name)
        self._values = self._slots.values
        self._requests: dict[tuple[str, str, int], _Series] = {}
        self._tokens: dict[str, _Tokens] = {}
        self._noted: list[_Series] = []  # what there is to add up
        self._reported: list[_Tokens] = []
        self._flying = 0
        self._in_flight = self._slots.slot("litellm_in_flight_requests")
        self._waiting = self._slots.slot("litellm_waiting_requests")
        self._lag = self._slots.slot(_LARGEST)

    def began(self) -> None:
        self._flying += 1

    def ended(
        self, route: str, model: str, status: int, seconds: float, upstream_seconds: float, overhead_seconds: float
    ) -> None:
        """One request is over; `status` is what the caller got (499: it hung up before), or what it broke off with.

        The last two are of calls whose provider has answered, up to the status line; 0 for all others.
        """
        self._flying -= 1
        series = self._requests.get((route, model, status)) or self._series(route, model, status)
        if not series.seconds:
            self._noted.append(series)
        series.seconds.append(seconds)
        if upstream_seconds:
            series.upstream.append(upstream_seconds)
            series.overhead.append(overhead_seconds)
        if len(series.seconds) >= NOTED or (self._folder is not None and not self._flying):
            self.add_up()

    def used(self, model: str, usage: Json) -> None:
        """Tokens as a provider reported them."""
        tokens = self._tokens.get(model) or self._token_series(model)
        if not tokens.noted:
            tokens.noted = True
            self._reported.append(tokens)
        try:
            tokens.prompt += usage.get("prompt_tokens") or 0
            tokens.completion += usage.get("completion_tokens") or 0
            tokens.total += usage.get("total_tokens") or 0
        except TypeError:  # an endpoint's usage that is no number
            return

    def add_up(self) -> None:
        """All that has been noted."""
        self._values[self._in_flight] = self._flying
        for series in self._noted:
            self._add(series)
        self._noted.clear()
        for tokens in self._reported:
            for slot, count in zip(tokens.slots, (tokens.prompt, tokens.completion, tokens.total), strict=True):
                self._values[slot] += count
            tokens.prompt = tokens.completion = tokens.total = 0
            tokens.noted = False
        self._reported.clear()

    def _add(self, series: _Series) -> None:
        requests, failed, *histograms = series.slots
        count = len(series.seconds)
        self._values[requests] += count
        if failed:
            self._values[failed] += count
        for first, taken in zip(histograms, (series.seconds, series.upstream, series.overhead), strict=True):
            self._values[first] += sum(taken)
            for bucket, many in Counter(map(_bucket_of, taken)).items():
                self._values[first + 1 + bucket] += many
            taken.clear()

    def cache_asked(self, model: str, *, hit: bool) -> None:
        name = "hits" if hit else "misses"
        self._values[self._slots.slot(f"litellm_cache_{name}_metric_total{{{self._asked(model)}}}")] += 1

    def cache_holds(self, size: int) -> None:
        self._values[self._slots.slot("litellm_cache_bytes")] = size

    def lag(self, seconds: float) -> None:
        self._values[self._lag] = seconds

    def waiting(self, calls: int) -> None:
        self._values[self._waiting] = calls

    def unjournaled(self, how: str) -> None:
        """The journal of spend could not take a call; what has become of it."""
        self._values[self._slots.slot(f'litellm_spend_unjournaled_metric_total{{fate="{how}"}}')] += 1

    def without_redis(self) -> None:
        """A call was let in whose limits Redis does not know of."""
        self._values[self._slots.slot("litellm_limits_without_redis_metric_total")] += 1

    def books(self, waiting: int, dropped: int) -> None:
        """How the books stand: bytes of the journal that wait, prompts that have found no room so far."""
        self._values[self._slots.slot("litellm_spend_waiting_bytes")] = waiting
        self._values[self._slots.slot("litellm_spend_prompts_dropped_metric_total")] = dropped

    def _series(self, route: str, model: str, status: int) -> _Series:
        asked = self._asked(model)
        labels = f'{{route="{route}",{asked},status_code="{status}"}}'
        requests = self._slots.slot(f"litellm_proxy_total_requests_metric_total{labels}")
        failed = self._slots.slot(f"litellm_proxy_failed_requests_metric_total{labels}")
        histograms = (self._histogram(name, asked) for name, (kind, _) in HELP.items() if kind == "histogram")
        made = self._requests[route, model, status] = _Series(
            (requests, failed if status >= 400 else 0, *histograms)  # 0 is the requests in flight
        )
        return made

    def _histogram(self, name: str, labels: str) -> int:
        """Slots in a row: the sum, then one for each bucket and one for what is above them all."""
        first = self._slots.slot(f"{name}_sum{{{labels}}}")
        for bound in (*BUCKETS, "+Inf"):
            self._slots.slot(f'{name}_bucket{{{labels},le="{bound}"}}')
        return first

    def _asked(self, model: str) -> str:
        """The label of a model. Thousands of them do not get thousands of histograms."""
        return _label("requested_model", "" if self._slots.crowded else model)

    def _token_series(self, model: str) -> _Tokens:
        names = (name for name in HELP if name.endswith("tokens_metric_total"))
        asked = self._asked(model)
        made = tuple(self._slots.slot(f"{name}{{{asked}}}") for name in names)
        tokens = self._tokens[model] = _Tokens((made[0], made[1], made[2]))
        return tokens

    def render(self) -> bytes:
        """Prometheus' text format, version 0.0.4."""
        self.add_up()
        items = self._slots.items() if self._folder is None else read_folder(self._folder)
        return _render(items).encode()

    def close(self) -> None:
        self.add_up()
        self._slots.close()


def _label(name: str, value: str) -> str:
    escaped = value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return f'{name}="{escaped}"'


def _render(items: Iterable[tuple[str, float]]) -> str:
    sums: dict[str, float] = {}
    for name, value in items:
        sums[name] = max(sums.get(name, 0.0), value) if name == _LARGEST else sums.get(name, 0.0) + value
    lines: list[str] = []
    for family, (kind, text) in HELP.items():
        lines += [f"# HELP {family} {text}.", f"# TYPE {family} {kind}"]
        own = {n: v for n, v in sums.items() if n == family or n.startswith((f"{family}{{", f"{family}_"))}
        lines += _histogram_lines(family, own) if kind == "histogram" else [f"{n} {_number(v)}" for n, v in own.items()]
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    """Every digit of it: a count above a million is still a count."""
    return repr(value).removesuffix(".0")


def _histogram_lines(family: str, own: dict[str, float]) -> list[str]:
    """Buckets are stored each for itself and shown added up."""
    lines: list[str] = []
    total = 0.0
    for name, value in own.items():
        if name.startswith(f"{family}_sum"):
            total = 0.0
            lines.append(f"{name} {_number(value)}")
            continue
        total += value
        lines.append(f"{name} {_number(total)}")
        labels, _, bound = name.partition("_bucket")[2].rpartition(",le=")
        if bound.startswith('"+Inf"'):
            lines.append(f"{family}_count{labels}}} {_number(total)}")
    return lines
