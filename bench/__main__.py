"""`make bench`: run every row and print the table. See the package's page for what is measured and why."""

import argparse
import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import idle, load, machine, sdk, servers
from bench.load import Figures
from bench.servers import Subject

HERE = Path(__file__).parent
PEERS = HERE / ".peers"
IDLE_STREAMS = 1000
UPSTREAMS = ("upstream", "slow upstream")
"""Rows without a server between: only their latency means something."""


@dataclass(frozen=True)
class Row:
    """One kind of load. `goal` is the multiple of `unit` that ours should stay within; `subjects` run it.

    `full` is the goal with everything on; without one it is the same.
    """

    title: str
    run: Callable[[Subject, int], Figures]
    subjects: tuple[str, ...]
    unit: str
    goal: float | None
    full: float | None = None


FULL = ("sqlite", "postgres", "redis")
"""Subjects that have everything on: a virtual key with all limits, spend recorded."""


def _wrk(model: str, connections: int, *, stream: bool = False) -> Callable[[Subject, int], Figures]:
    return lambda subject, seconds: load.requests(
        subject, model, connections=connections, seconds=seconds, stream=stream
    )


def _events(subject: Subject, seconds: int) -> Figures:
    return load.events(subject, streams=128, seconds=seconds)


ROWS = (
    Row("chat, 64 connections", _wrk("chat", 64), ("floor", "nginx", "no key", "key", "routed", *FULL, "peer"),
        "floor", 2.8, 3.3),
    Row("chat, 1 connection", _wrk("chat", 1), ("upstream", "nginx", "key"), "floor", None),
    Row("103-event stream in one burst, 16 connections", _wrk("burst", 16, stream=True),
        ("nginx", "key", *FULL, "peer"), "floor", 6.0),
    Row("answer after 50 ms, 250 connections", _wrk("delay", 250), ("nginx", "key", *FULL), "nginx", 4.0),
    Row("128 streams of 100 separate events/s, per event", _events,
        ("slow upstream", "nginx", "key", "sqlite"), "nginx", 1.5),
)  # fmt: skip


def run_rows(subjects: dict[str, Subject], rounds: int, seconds: int) -> dict[tuple[str, str], Figures]:
    """(row, subject) -> median over the rounds; within a round the subjects of a row follow each other."""
    taken: dict[tuple[str, str], list[Figures]] = {}
    for number in range(rounds):
        for row in ROWS:
            for name in filter(subjects.__contains__, row.subjects):
                print(f"round {number + 1}/{rounds}: {row.title}: {subjects[name].name}", file=sys.stderr)
                taken.setdefault((row.title, name), []).append(row.run(subjects[name], seconds))
    return {key: Figures.median(figures) for key, figures in taken.items()}


def print_table(subjects: dict[str, Subject], figures: dict[tuple[str, str], Figures]) -> None:
    """Markdown, so that it can be quoted."""
    floor = figures[ROWS[0].title, "floor"].cpu_us
    print("\n| load | server | CPU us | multiple | goal | per second | p50 ms | p99 ms | RSS MB | failed |")
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for row in ROWS:
        unit = floor if row.unit == "floor" else figures[row.title, "nginx"].cpu_us
        for name in row.subjects:
            if (taken := figures.get((row.title, name))) is not None:
                bound = (row.full if name in FULL else None) or row.goal
                goal = f"{bound} x {row.unit}" if bound and name in ("key", "no key", *FULL) else ""
                cost = "| - | - " if name in UPSTREAMS else f"| {taken.cpu_us:.0f} | {taken.cpu_us / unit:.2f} "
                memory = "-" if name in UPSTREAMS else f"{taken.rss_mb:.0f}"
                print(
                    f"| {row.title} | {subjects[name].name} {cost}| {goal} | {taken.rate:.0f} "
                    f"| {taken.p50_ms:.2f} | {taken.p99_ms:.2f} | {memory} | {taken.failed:.0f} |"
                )


def print_starts(subjects: dict[str, Subject], starts: dict[str, dict[str, float]]) -> None:
    print("\n| start | seconds to the first 200 |\n|---|--:|")
    for name in ("floor", "no key", "key", "peer"):
        if name in subjects:
            print(f"| {subjects[name].name} | {subjects[name].start_seconds:.2f} |")
    print("\n| SDK | import, ms over a bare interpreter | start to first completion, ms |\n|---|--:|--:|")
    for name, times in starts.items():
        print(f"| {name} | {times['import litellm']:.0f} | {times['start to first completion']:.0f} |")


def print_calls(calls: dict[str, dict[str, float]]) -> None:
    print("\n| SDK, per call or chunk | ours, CPU us | openai, CPU us | multiple | goal |\n|---|--:|--:|--:|--:|")
    for way, costs in calls.items():
        ours, theirs = costs["litellm"], costs["openai"]
        print(f"| {way} | {ours:.0f} | {theirs:.0f} | {ours / theirs:.2f} | {sdk.GOALS[way]} |")


def install_peer() -> str:
    """LiteLLM from the package index in an environment of its own; the path of its interpreter."""
    python = PEERS / "bin" / "python"
    if not (PEERS / "bin" / "litellm").exists():
        subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "litellm[proxy]"], check=True, cwd=PEERS)
    return str(python)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="of load for each measurement")
    parser.add_argument("--peers", action="store_true", help="install LiteLLM from the package index and add it")
    args = parser.parse_args()
    machine.require_tools()
    peer = install_peer() if args.peers else None
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        where = Path(folder)
        ports = stack.enter_context(servers.upstreams(where, stream_seconds=args.seconds + 5))
        subjects = {
            "floor": stack.enter_context(servers.floor(where)),
            "nginx": stack.enter_context(servers.proxy(where, ports)),
            "no key": stack.enter_context(servers.gateway("ours, no key", where / "open", ports, key=False)),
            "key": stack.enter_context(servers.gateway("ours, master key", where / "key", ports, key=True)),
            "routed": stack.enter_context(
                servers.gateway(
                    "ours, master key, 10 deployments",
                    where / "routed",
                    ports,
                    key=True,
                    deployments=servers.TEN_IN_THREE,
                )
            ),
            "sqlite": stack.enter_context(
                servers.everything_on("ours, everything on, SQLite", where / "sqlite", ports)
            ),
        }
        with contextlib.suppress(ImportError):
            url = stack.enter_context(servers.postgres())
            subjects["postgres"] = stack.enter_context(
                servers.everything_on("ours, everything on, Postgres", where / "postgres", ports, url)
            )
            counted = stack.enter_context(servers.redis())
            own = stack.enter_context(servers.postgres())
            subjects["redis"] = stack.enter_context(
                servers.everything_on("ours, everything on, Postgres and Redis", where / "redis", ports, own, counted)
            )
        nobody = subjects["floor"].process  # stands in: nobody is measured
        subjects["upstream"] = Subject("none: the upstream itself", nobody, ports.fast, by_path=True)
        subjects["slow upstream"] = Subject("none: the upstream itself", nobody, ports.slow, by_path=True)
        starts = {"ours": sdk.starts(ports.base("chat"), 2 * args.rounds + 1)}
        if peer:
            name = "LiteLLM from the index, master key"
            subjects["peer"] = stack.enter_context(
                servers.gateway(name, where / "peer", ports, key=True, python=peer, ours=False)
            )
            starts["LiteLLM from the index"] = sdk.starts(ports.base("chat"), 3, peer)
        calls = sdk.calls(ports, args.rounds)
        figures = run_rows(subjects, args.rounds, args.seconds)
        with servers.gateway("ours, master key", where / "idle", ports, key=True) as fresh:
            each = idle.measure(fresh, IDLE_STREAMS)  # what others have freed would hide what these take
    print_table(subjects, figures)
    print(f"\n| memory | KiB | goal |\n|---|--:|--:|\n| each of {IDLE_STREAMS} idle streams | {each:.1f} | 40 |")
    print_starts(subjects, starts)
    print_calls(calls)


if __name__ == "__main__":
    main()
