"""What may not be committed: paths of a machine, addresses of a package index, secrets, odds and ends."""

import re

from .source import ROOT, committed

MACHINE_PATH = re.compile(r"(?:^|[^A-Za-z0-9._/-])/(?:root|home|work)/[A-Za-z]")
INDEX = re.compile(
    r"--(?:extra-)?index-url|--find-links|\"resolved\": *\"http|registry *= *\"http|(?:files\.)?python" + r"hosted\.org"
)
SECRET = re.compile(r"sk-[A-Za-z0-9]{32,}|-----BEGIN [A-Z ]*PRIVATE KEY-----|AKIA[0-9A-Z]{16}|ghp_[A-Za-z0-9]{30,}")
HERE = "tests/architecture/test_committed.py"
LOCKS = ("requirements/proxy.txt", "requirements/dev.txt")


def _found(pattern: re.Pattern[str]) -> list[tuple[str, str]]:
    return [
        (name, match[0]) for name, text in committed() if name != HERE and (match := pattern.search(text)) is not None
    ]


def test_files_name_no_machine_paths() -> None:
    assert len(committed()) > 50
    assert _found(MACHINE_PATH) == []


def test_files_name_no_package_index() -> None:
    assert _found(INDEX) == []


def test_files_hold_no_secrets() -> None:
    assert _found(SECRET) == []


def test_files_are_small() -> None:
    assert [name for name, text in committed() if len(text) > 2_000_000] == []


def test_locks_pin_and_hash_every_package() -> None:
    for name in LOCKS:
        lines = (ROOT / name).read_text().replace("\\\n", " ").splitlines()
        packages = [line for line in lines if line and not line.startswith("#")]
        assert len(packages) > 15
        assert [line for line in packages if not re.match(r"[\w.-]+==\S+ .*--hash=sha256:", line)] == []


def test_the_dev_lock_holds_the_proxy_lock() -> None:
    proxy, dev = (set(re.findall(r"^[\w.-]+==\S+", (ROOT / name).read_text(), re.M)) for name in LOCKS)
    assert proxy <= dev


def test_what_a_user_installs_stays_small() -> None:
    """At most 10 packages for the SDK and 40 with the `proxy` extra (the lock names setuptools besides)."""
    packages = re.findall(r"^([\w.-]+)==", (ROOT / LOCKS[0]).read_text(), re.M)
    assert len(packages) <= 40
