"""Tests in several processes: what wants to be alone is, files stay whole and in order, and one exit code tells."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.ports import free_port

TESTS = Path(__file__).parent
CONFTEST = """
from support.turns import pytest_collection_modifyitems as pytest_collection_modifyitems
from support.turns import pytest_configure_node as pytest_configure_node
from support.turns import pytest_runtest_protocol as pytest_runtest_protocol

def pytest_configure(config):
    for name in ("alone", "slow"):
        config.addinivalue_line("markers", name)
"""
FILE = """
import json, os, time
import pytest

@pytest.fixture(autouse=True)
def noted(request):
    begun = time.monotonic()
    yield
    note = {"name": request.node.name, "process": os.getpid(), "begun": begun, "ended": time.monotonic()}
    with open(os.environ["NOTES"], "a") as file:
        file.write(json.dumps(note) + "\\n")

"""
TEST = "{mark}\n@pytest.mark.parametrize('n', range(8))\ndef test_{name}(n): time.sleep(0.02)\n"
BAD = "def test_bad(): raise AssertionError('of another process')\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    marks = {"a_alone": "@pytest.mark.alone", "b_slow": "@pytest.mark.slow", "c_quick": "", "d_alone": "",
             "e_quick": "", "f_quick": ""}  # fmt: skip
    for name, mark in marks.items():
        text = FILE + TEST.format(name=name, mark=mark)
        if name == "d_alone":
            text += TEST.format(name="d_measured", mark="@pytest.mark.alone")
        (tmp_path / f"test_{name}.py").write_text(text)
    return tmp_path


def run(folder: Path, processes: int) -> tuple[int, str, list[dict[str, Any]]]:
    """Exit code, output, and the notes in the order in which the tests began."""
    notes = folder / "notes"
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "xdist", "-p", "no:cacheprovider", f"-n{processes}",
               "--dist", "loadfile", "--no-loadscope-reorder", str(folder), "--rootdir", str(folder)]  # fmt: skip
    env |= {"PYTHONPATH": str(TESTS), "NOTES": str(notes), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, cwd=folder)
    lines = [json.loads(line) for line in notes.read_text().splitlines()]
    return done.returncode, done.stdout + done.stderr, sorted(lines, key=lambda note: note["begun"])


def test_who_measures_is_alone_and_no_file_is_torn(folder: Path) -> None:
    code, told, notes = run(folder, 2)
    assert code == 0, told
    assert len(notes) == 7 * 8 and len({note["process"] for note in notes}) == 2
    for one in notes:
        if "a_alone" in one["name"] or "measured" in one["name"]:
            beside = [each for each in notes if each["begun"] < one["ended"] and one["begun"] < each["ended"]]
            assert beside == [one]
    of_files = {name: {note["process"] for note in notes if name in note["name"]} for name in ("c_quick", "test_d_")}
    assert all(len(processes) == 1 for processes in of_files.values())


def test_quick_files_come_first_and_those_who_measure_last(folder: Path) -> None:
    code, told, notes = run(folder, 0)
    assert code == 0, told
    order = list(dict.fromkeys(note["name"].partition("[")[0] for note in notes))
    assert order == [
        "test_c_quick", "test_e_quick", "test_f_quick", "test_b_slow", "test_a_alone", "test_d_alone",
        "test_d_measured",
    ]  # fmt: skip


def test_a_failure_in_any_process_is_told_and_is_the_exit_code(folder: Path) -> None:
    (folder / "test_bad.py").write_text(FILE + BAD)
    code, told, _ = run(folder, 2)
    assert code == 1 and "of another process" in told and "1 failed, 56 passed" in told


def test_a_port_that_is_told_is_kept_until_somebody_listens() -> None:
    ports = {free_port() for _ in range(50)}
    assert len(ports) == 50
    for port in list(ports)[:3]:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()
        with socket.create_server(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port)):
            pass
