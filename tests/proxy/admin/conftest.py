"""A gateway with a store, and two organizations in it that are to know nothing of each other."""

from collections.abc import Iterator

import pytest

from support.gateway import Gateway
from support.management import CONFIG, Side, done, fill
from support.upstream import UpstreamThread


@pytest.fixture(scope="module")
def managed(shared_upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("managed")
    with Gateway(CONFIG.format(base=shared_upstream.base_url, data=folder / "data"), folder) as gateway:
        yield gateway
        assert "Traceback" not in gateway.log, gateway.log[-4000:]


@pytest.fixture(scope="module")
def sides(managed: Gateway) -> tuple[Side, Side]:
    viewer = done(managed, "POST /user/new", {"user_id": "viewer", "user_role": "proxy_admin_viewer"})["key"]
    one, other = fill(managed, "one"), fill(managed, "two")
    one.keys["proxy_admin_viewer"] = viewer
    return one, other
