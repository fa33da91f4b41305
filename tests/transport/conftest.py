"""Every test of the transport runs on both loops, and leaves nothing behind."""

import gc

import pytest

from support.loops import run as run


@pytest.fixture(scope="module", autouse=True)
def little_to_collect() -> None:
    """Each test collects garbage twice; what the imports have left need not be looked at again and again."""
    gc.collect()
    gc.freeze()
