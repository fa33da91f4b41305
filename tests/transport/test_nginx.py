"""Against a real server: nginx, if it is installed."""

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from litellm.types.http import Upload, Url
from support.loops import Run
from transport.raw import WAYS, post, transport, whole

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")

CONFIG = """
worker_processes 1; daemon off; pid nginx.pid; error_log stderr; %s
events { worker_connections 256; }
http {
  access_log off; keepalive_requests 50; client_max_body_size 1m; default_type text/plain;
  client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  gzip on; gzip_types text/plain; gzip_min_length 100;
  server {
    listen 127.0.0.1:%d; root .;
    location = /small { return 200 'hello'; }
    location = /empty { return 204; }
    location = /short { keepalive_timeout 2s 2s; return 200 'hello'; }
    location = /large.txt { error_page 405 =200 /large.txt; }
  }
}
"""
LARGE = b"".join(b"line %d\n" % number for number in range(50_000))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("nginx")
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    user = "user root;" if Path("/proc/self").owner() == "root" else ""
    (folder / "nginx.conf").write_text(CONFIG % (user, port))
    (folder / "large.txt").write_bytes(LARGE)
    assert NGINX is not None
    server = subprocess.Popen([NGINX, "-p", str(folder), "-c", "nginx.conf"], stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as sock:
                if not sock.connect_ex(("127.0.0.1", port)):
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_over_one_connection(run: Run, base: str, way: str) -> None:
    async def main() -> None:
        async with transport() as client:
            for _ in range(10):
                assert await whole(client, post(Url(base + "/small")), way) == (200, b"hello")
                assert await whole(client, post(Url(base + "/empty"), b"", method="GET"), way) == (204, b"")
            assert await whole(client, post(Url(base + "/large.txt"), b"", method="GET"), way) == (200, LARGE)
            assert client.open_connections == 1

    run(main())


def test_more_requests_than_a_connection_may_carry(run: Run, base: str) -> None:
    async def main() -> None:
        async with transport() as client:
            calls = [client.send(post(Url(base + "/small"))) for _ in range(20)]
            assert {response.body for response in await asyncio.gather(*calls)} == {b"hello"}
            for _ in range(200):
                assert (await client.send(post(Url(base + "/small")))).body == b"hello"

    run(main())


def test_its_keep_alive_timeout(run: Run, base: str) -> None:
    async def main() -> None:
        async with transport() as client:
            await client.send(post(Url(base + "/short"), b"", method="GET"))
            assert client.idle_connections == 1
            await asyncio.sleep(1.3)
            assert client.open_connections == 0
            assert (await client.send(post(Url(base + "/short")))).body == b"hello"

    run(main())


@pytest.mark.parametrize("streamed", [True, False])
def test_a_body_it_will_not_take(run: Run, base: str, streamed: bool) -> None:
    async def chunks() -> object:
        for _ in range(100):
            yield bytes(100_000)

    async def main() -> None:
        async with transport() as client:
            for _ in range(5):
                body = Upload(chunks(), 10_000_000) if streamed else bytes(10_000_000)  # type: ignore[arg-type]
                assert (await client.send(post(Url(base + "/small"), body))).status == 413

    run(main())
