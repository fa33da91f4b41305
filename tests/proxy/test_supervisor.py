"""proxy/supervisor.py and proxy/worker.py: several real processes on one real port."""

import collections
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from litellm.proxy.server import ServerOptions
from support.served import Caller, Served, request

OPTIONS = ServerOptions(port=0, num_workers=3, drain_seconds=10)


@pytest.fixture
def version(tmp_path: Path) -> Path:
    """The file that holds the service's configuration."""
    file = tmp_path / "version"
    file.write_text("1")
    return file


@pytest.fixture
def server(version: Path) -> Iterator[Served]:
    with Served(OPTIONS, version_file=str(version)) as served:
        yield served


def everybody(server: Served, wanted: Callable[[dict[int, Any]], bool], seconds: float = 40) -> dict[int, Any]:
    """Ask `/who` on new connections until the answers, the last one of each pid, are as wanted."""
    end = time.monotonic() + seconds
    seen: dict[int, Any] = {}
    while not wanted(seen):
        answer = server.get("/who")
        seen[answer["pid"]] = answer
        seen = {pid: each for pid, each in seen.items() if alive(pid)}
        assert time.monotonic() < end, seen
    return seen


def indices(seen: dict[int, Any]) -> set[int]:
    return {each["index"] for each in seen.values()}


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_gone(*pids: int, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < end, [pid for pid in pids if alive(pid)]
        time.sleep(0.05)


def test_connections_are_spread(server: Served) -> None:
    workers = everybody(server, lambda seen: len(seen) == 3)
    assert indices(workers) == {0, 1, 2}
    callers = [server.connect() for _ in range(64)]
    held = collections.Counter(caller.get("/who").json()["pid"] for caller in callers)
    for caller in callers:
        caller.close()
    assert set(held) == set(workers), held
    assert max(held.values()) <= 48, held


def test_workers_know_their_place(server: Served) -> None:

    def is_known(each: dict[str, Any]) -> bool:
        return [one["state"] for one in each["fleet"]] == ["serving"] * 3

    seen = everybody(server, lambda seen: len(seen) == 3 and all(map(is_known, seen.values())))
    fleet = next(iter(seen.values()))["fleet"]
    assert {(each["index"], each["pid"], each["state"], each["version"]) for each in fleet} == {
        (each["index"], each["pid"], "serving", "1") for each in seen.values()
    }
    seen = everybody(server, lambda seen: len(seen) == 3 and sum(each["admin"] for each in seen.values()) == 1)
    assert {each["count"] for each in seen.values()} == {3}
    assert len({each["name"] for each in seen.values()}) == 3
    (folder,) = {each["folder"] for each in seen.values()}
    assert Path(folder).is_dir()
    server.__exit__()
    assert not Path(folder).exists()


def test_a_dead_worker_is_replaced_and_the_others_go_on(server: Served) -> None:
    before = everybody(server, lambda seen: len(seen) == 3 and sum(each["admin"] for each in seen.values()) == 1)
    callers = {pid: _on(server, pid) for pid in before}
    victim = next(pid for pid, each in before.items() if each["admin"])
    os.kill(victim, signal.SIGKILL)
    assert callers[victim].closed()
    for pid, caller in callers.items():
        if pid != victim:
            assert caller.get("/who").json()["pid"] == pid
        caller.close()
    after = everybody(server, lambda seen: len(seen) == 3)
    assert indices(after) == {0, 1, 2}
    assert len(set(after) - set(before)) == 1
    everybody(server, lambda seen: len(seen) == 3 and sum(each["admin"] for each in seen.values()) == 1)


def _on(server: Served, pid: int) -> Caller:
    """A connection to that worker."""
    while True:
        caller = server.connect()
        if caller.get("/who").json()["pid"] == pid:
            return caller
        caller.close()


def test_what_waits_for_a_dead_worker_is_served_by_its_replacement(version: Path) -> None:
    with Served(replace(OPTIONS, num_workers=2), version_file=str(version)) as server:
        workers = everybody(server, lambda seen: len(seen) == 2)
        victim = next(iter(workers))
        os.kill(victim, signal.SIGSTOP)  # it accepts nothing more: half of these wait in its queue
        callers = [server.connect() for _ in range(20)]
        for caller in callers:
            caller.send(request("GET", "/who"))
        time.sleep(0.3)
        os.kill(victim, signal.SIGKILL)
        answers = collections.Counter(caller.answer().json()["pid"] for caller in callers)
        assert sum(answers.values()) == 20 and victim not in answers and len(answers) == 2
        for caller in callers:
            caller.close()


def test_a_worker_that_keeps_dying_is_restarted_ever_more_slowly(version: Path) -> None:
    with Served(replace(OPTIONS, num_workers=2), version_file=str(version)) as server:
        everybody(server, lambda seen: len(seen) == 2)
        for _ in range(3):
            victim = everybody(server, lambda seen: 0 in indices(seen))
            os.kill(next(pid for pid, each in victim.items() if each["index"] == 0), signal.SIGKILL)
            everybody(server, lambda seen: indices(seen) == {0, 1})
    log = server.log.decode()
    assert [f"another starts in {pause} s" in log for pause in ("0", "0.5", "1")] == [True] * 3


def test_a_reload_reaches_every_worker_and_nobody_is_disturbed(server: Served, version: Path) -> None:
    before = everybody(server, lambda seen: len(seen) == 3)
    streams = [_on(server, pid) for pid in before]
    for caller in streams:
        caller.send(request("GET", "/stream?n=30&gap=0.1"))
        caller.head()
    version.write_text("2")
    server.signal(signal.SIGHUP)
    after = everybody(
        server,
        lambda seen: (
            len(seen) == 3 and all(member["version"] == "2" for each in seen.values() for member in each["fleet"])
        ),
    )
    assert set(after) == set(before)
    for caller in streams:
        assert list(iter(caller.chunk, None))[-1] == b""
        caller.close()
    server.__exit__()
    assert b"all workers serve version 2" in server.log


def test_a_bad_file_stops_at_the_parent(server: Served, version: Path) -> None:
    version.write_text("unreadable")
    server.signal(signal.SIGHUP)
    time.sleep(0.5)
    assert {each["version"] for each in everybody(server, lambda seen: len(seen) == 3).values()} == {"1"}
    version.write_text("2")
    server.signal(signal.SIGHUP)
    everybody(server, lambda seen: len(seen) == 3 and all(each["version"] == "2" for each in seen.values()))
    server.__exit__()
    assert server.log.count(b"what is this") == 1
    assert server.log.count(b"the old configuration goes on") == 1


def test_a_worker_that_cannot_reload_is_replaced_by_one_that_drains_it(server: Served, version: Path) -> None:
    before = everybody(server, lambda seen: len(seen) == 3)
    unlucky = next(iter(before))
    stream = _on(server, unlucky)
    stream.send(request("GET", "/stream?n=40&gap=0.1"))
    stream.head()
    version.write_text(f"bad {unlucky}")
    server.signal(signal.SIGHUP)
    after = everybody(server, lambda seen: len(seen) == 3 and unlucky not in seen)
    assert {each["version"] for each in after.values()} == {"bad"}
    assert indices(after) == {0, 1, 2}
    assert list(iter(stream.chunk, None))[-1] == b"", "its stream ended by itself"
    stream.close()


def test_a_replacement_that_does_not_start_leaves_the_old_one(server: Served, version: Path) -> None:
    before = everybody(server, lambda seen: len(seen) == 3)
    version.write_text("bad")
    server.signal(signal.SIGHUP)
    time.sleep(4)
    after = everybody(server, lambda seen: len(seen) == 3)
    assert set(after) == set(before)
    assert {each["version"] for each in after.values()} == {"1"}
    server.__exit__()
    assert b"the old one goes on" in server.log


def test_stopping_drains_every_worker(server: Served) -> None:
    workers = everybody(server, lambda seen: len(seen) == 3)
    streams = [_on(server, pid) for pid in workers]
    for caller in streams:
        caller.send(request("GET", "/stream?n=20&gap=0.1"))
        caller.head()
    server.signal(signal.SIGTERM)
    time.sleep(0.3)
    with pytest.raises(ConnectionRefusedError):
        server.connect()
    for caller in streams:
        assert list(iter(caller.chunk, None))[-2:] == [b"data: 19\n\n", b""]
        caller.close()
    server.end()
    assert server.process.returncode == 0
    assert not any(map(alive, workers))


def test_draining_has_an_end(version: Path) -> None:
    with Served(replace(OPTIONS, drain_seconds=1), version_file=str(version)) as server, server.connect() as caller:
        caller.send(request("GET", "/slow?s=100"))
        time.sleep(0.5)
        server.signal(signal.SIGTERM)
        started = time.monotonic()
        server.end()
        assert server.process.returncode == 0
        assert time.monotonic() - started < 15


def test_a_stopped_worker_is_killed_in_the_end(version: Path) -> None:
    server = Served(replace(OPTIONS, drain_seconds=0.5), version_file=str(version)).__enter__()
    workers = everybody(server, lambda seen: len(seen) == 3)
    os.kill(next(iter(workers)), signal.SIGSTOP)
    server.signal(signal.SIGTERM)
    assert b"did not end in time and is killed" in server.end()
    assert server.process.returncode == 1
    assert not any(map(alive, workers))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_everything_at_once(version: Path, number: signal.Signals) -> None:
    server = Served(OPTIONS, version_file=str(version)).__enter__()
    workers = everybody(server, lambda seen: len(seen) == 3)
    with server.connect() as caller:
        caller.send(request("GET", "/slow?s=100"))
        time.sleep(0.5)
        server.signal(signal.SIGTERM)
        time.sleep(0.5)
        assert server.process.poll() is None
        server.signal(number)
        started = time.monotonic()
        server.end()
        assert time.monotonic() - started < 5
    assert server.process.returncode == 128 + number
    assert not any(map(alive, workers))


def test_ctrl_c_reaches_the_workers_once(version: Path) -> None:
    """A terminal sends it to the whole process group; were workers in it, theirs would be the second one."""
    with Served(OPTIONS, version_file=str(version)) as server:
        workers = everybody(server, lambda seen: len(seen) == 3)
        groups = {os.getpgid(pid) for pid in workers}
        assert len(groups) == 3 and os.getpgid(server.process.pid) not in groups
        with server.connect() as caller:
            caller.send(request("GET", "/slow?s=1"))
            time.sleep(0.3)
            server.signal(signal.SIGINT)
            assert caller.answer().status == 200
        server.end()


def test_workers_do_not_outlive_their_parent(version: Path) -> None:
    server = Served(OPTIONS, version_file=str(version)).__enter__()
    workers = everybody(server, lambda seen: len(seen) == 3)
    with server.connect() as caller:
        caller.send(request("GET", "/slow?s=1"))
        time.sleep(0.3)
        server.signal(signal.SIGKILL)
        assert caller.answer().status == 200, "even so, requests end"
    wait_gone(*workers)
    server.end()


def test_a_worker_that_is_told_to_stop_is_replaced(server: Served) -> None:
    before = everybody(server, lambda seen: len(seen) == 3)
    victim = next(iter(before))
    with _on(server, victim) as caller:
        caller.send(request("GET", "/stream?n=10&gap=0.1"))
        os.kill(victim, signal.SIGTERM)
        assert caller.answer().whole
    everybody(server, lambda seen: len(seen) == 3 and victim not in seen)


def test_a_service_that_does_not_start_is_told_once(version: Path) -> None:
    version.write_text("no start")
    server = Served(OPTIONS, version_file=str(version)).launch()
    log = server.end()
    assert server.process.returncode == 1
    assert b"the version is 'no start'" in log
    assert b"Traceback" not in log


def test_requests_succeed_through_restarts_and_reloads(server: Served, version: Path) -> None:
    """Only the connections of a worker that is killed may fail; reloads cost nobody anything."""
    failures: list[Exception] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                assert server.get("/slow?s=0.01") == {"s": "0.01"}
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(2, 6):
        version.write_text(str(number))
        server.signal(signal.SIGHUP)
        time.sleep(0.3)
    everybody(server, lambda seen: len(seen) == 3 and all(each["version"] == "5" for each in seen.values()))
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
