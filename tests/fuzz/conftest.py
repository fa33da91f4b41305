"""One gateway for all fuzzers of a module, in front of a healthy upstream, and what must hold when they are done."""

import json
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from support.gateway import Gateway, settled, upstream_config
from support.upstream import UpstreamThread

MODELS: Final = ("ok", "tokens-3", "split-7", "gzip")
"""Healthy behaviours of the upstream."""
CACHE: Final = "litellm_settings: {cache: true, cache_params: {supported_call_types: []}}\n"
"""There is one, for the routes that ask it; what is asked of a model goes to the upstream all the same."""
SPARE_FDS: Final = 8  # idle connections to the upstream, and files of libraries that are loaded late


@pytest.fixture(scope="module")
def target(shared_upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The gateway under fire. Afterwards it serves, has closed what it opened, and has logged no traceback."""
    config = upstream_config(shared_upstream.base_url, *MODELS, settings=CACHE)
    with Gateway(config, tmp_path_factory.mktemp("fuzz")) as gateway:
        assert gateway.get("/routes")[0] == 200  # the management app is loaded: its files are open
        assert gateway.get("/key/list")[0] == 200  # and the store
        ask(gateway)
        before = gateway.usage().fds
        yield gateway
        ask(gateway)
        assert settled(gateway, before + SPARE_FDS, 30), f"{before} descriptors before, {gateway.usage().fds} after"
        assert "Traceback" not in gateway.log and "ERROR" not in gateway.log, gateway.log[-4000:]


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Into the summary of the run, from whichever process: the counts are shown whether a test passes or not."""
    return lambda text: record_property("told", text)


def ask(gateway: Gateway) -> None:
    """One ordinary request, which must be answered."""
    body = {"model": "ok", "messages": [{"role": "user", "content": "hi"}]}
    status, answer = gateway.post("/v1/chat/completions", body)
    assert status == 200 and json.loads(answer)["choices"], answer
