"""Fixtures for every test: the upstream, llama.cpp, the gateway."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.gateway import Gateway, upstream_config
from support.llama import Llama, run_llama
from support.tls import TestTls, make_tls
from support.upstream import UpstreamThread


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
