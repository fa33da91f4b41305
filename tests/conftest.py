"""Fixtures for every test: the upstream, llama.cpp, the gateway; and in which order and company tests run."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.gateway import Gateway, upstream_config
from support.llama import Llama, run_llama
from support.tls import TestTls, make_tls
from support.turns import pytest_collection_modifyitems as pytest_collection_modifyitems
from support.turns import pytest_configure_node as pytest_configure_node
from support.turns import pytest_runtest_protocol as pytest_runtest_protocol
from support.turns import pytest_xdist_auto_num_workers as pytest_xdist_auto_num_workers
from support.upstream import UpstreamThread


def pytest_configure() -> None:
    """A shell lets what it starts in the background ignore Ctrl-C, and so would everything that a test starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests have recorded as `told`, whether they passed or not."""
    reports = [report for all_of_a_kind in terminalreporter.stats.values() for report in all_of_a_kind]
    called = [report for report in reports if isinstance(report, pytest.TestReport) and report.when == "call"]
    told = [str(value) for report in called for name, value in report.user_properties if name == "told"]
    if told:
        terminalreporter.section("told by tests")
        terminalreporter.write_line("\n".join(told))


@pytest.fixture
def upstream() -> Iterator[UpstreamThread]:
    """A fresh upstream per test, in a thread."""
    with UpstreamThread() as server:
        yield server


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TestTls:
    """A CA of this run and a certificate for localhost."""
    return make_tls(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls_upstream(tls: TestTls) -> Iterator[UpstreamThread]:
    with UpstreamThread(tls=tls.server) as server:
        yield server


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Llama]:
    """A real llama.cpp server with a tiny model, one for the whole run."""
    with run_llama(tmp_path_factory.mktemp("llama")) as server:
        yield server


@pytest.fixture
def start_gateway(tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    """Start gateways: `start_gateway(config_text, *options, **environment)`. Each is stopped, and must exit with 0."""
    started: list[Gateway] = []

    def start(config: str, *options: str, **env: str) -> Gateway:
        gateway = Gateway(config, tmp_path / f"gateway{len(started)}", options, env)
        started.append(gateway.start())
        return gateway

    yield start
    for gateway in started:
        gateway.__exit__(None)


@pytest.fixture(scope="module")
def shared_upstream() -> Iterator[UpstreamThread]:
    """One upstream per module, for tests that only look at what they asked themselves."""
    with UpstreamThread() as server:
        yield server


@pytest.fixture(scope="module")
def gateway(shared_upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One gateway per module in front of `shared_upstream`; any model name reaches the upstream under that name."""
    with Gateway(upstream_config(shared_upstream.base_url), tmp_path_factory.mktemp("gateway")) as server:
        yield server
