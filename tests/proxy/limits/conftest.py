"""Every back-end of the limits, one after the other."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from litellm.proxy.limits.base import Limiter
from support.limiters import BACKENDS, Clock
from support.redis import shared_redis as shared_redis

Opened = tuple[Limiter, Clock]


@pytest.fixture(params=BACKENDS, scope="session")
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], AbstractContextManager[Opened]]:
    """An empty limiter and its clock, as often as it is called: each example of a property has its own."""
    folder = tmp_path_factory.mktemp("limits")
    if request.param == "redis":
        (folder / "redis").write_text(request.getfixturevalue("shared_redis").url)

    @contextmanager
    def opened() -> Iterator[Opened]:
        clock = Clock()
        with BACKENDS[request.param](folder, clock) as limiter:
            yield limiter, clock

    return opened


@pytest.fixture
def fresh(opened: Callable[[], AbstractContextManager[Opened]]) -> Iterator[Opened]:
    """One limiter for one test."""
    with opened() as both:
        yield both
