"""The connection, against a real Redis that is killed, stopped and emptied."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from litellm.kv.redis import NotSent, Redis, RedisDown, RedisError, Script, parse
from support.loops import Run
from support.ports import free_port
from support.redis import RedisServer
from support.tls import TestTls

ADD = Script("return redis.call('incrby', KEYS[1], ARGV[1])")


@contextlib.asynccontextmanager
async def opened(url: str, timeout: float = 20.0) -> AsyncIterator[Redis]:
    made = Redis(parse(url), timeout)
    try:
        yield made
    finally:
        await made.aclose()


async def outcome(reply: "asyncio.Future[Any]") -> Any:
    """What it gives, or the kind of what it raises."""
    try:
        return await reply
    except (RedisDown, RedisError) as error:
        return type(error)


async def until(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


async def comes_back(client: Redis) -> None:
    end = time.monotonic() + 20
    while await outcome(client.send("PING")) != b"PONG":
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


def test_replies_come_to_who_asked_of_every_kind(run: Run, redis: RedisServer) -> None:
    async def main() -> None:
        async with opened(redis.url) as client:
            first = client.send("SET", "a", b"\x00\r\n\xff")
            wrong = client.send("LPUSH", "a", 1)
            rest = [client.send(*args) for args in (("GET", "a"), ("INCRBY", "n", 2**52), ("GET", "none"))]
            assert await first == b"OK"
            with pytest.raises(RedisError, match="WRONGTYPE"):
                await wrong
            assert await asyncio.gather(*rest) == [b"\x00\r\n\xff", 2**52, None]
            assert await client.command("MGET", "a", "none") == [b"\x00\r\n\xff", None]

    run(main())


def test_many_commands_of_one_turn_are_one_write(run: Run, redis: RedisServer) -> None:
    async def main() -> None:
        async with opened(redis.url) as client:
            await client.command("PING")
            before = int(_stat(await client.command("INFO", "stats"), "total_reads_processed"))
            replies = await asyncio.gather(*(client.send("INCR", "n") for _ in range(200)))
            after = int(_stat(await client.command("INFO", "stats"), "total_reads_processed"))
            assert replies == list(range(1, 201))
            assert after - before <= 4

    run(main())


def _stat(info: bytes, name: str) -> str:
    return dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)[name]


def test_a_reply_larger_than_a_read_and_one_that_nobody_waits_for(run: Run, redis: RedisServer) -> None:
    async def main() -> None:
        async with opened(redis.url) as client:
            big = b"x" * (1 << 22)
            await client.command("SET", "big", big)
            left = client.send("GET", "big")
            left.cancel()
            assert await client.command("GET", "big") == big

    run(main())


def test_a_script_is_sent_once_and_again_when_the_server_has_forgotten_it(run: Run, redis: RedisServer) -> None:
    async def main() -> None:
        async with opened(redis.url) as client:
            assert [await client.run(ADD, ("n",), 2) for _ in range(2)] == [2, 4]
            await client.command("SCRIPT", "FLUSH")
            assert await asyncio.gather(*(client.run(ADD, ("n",), 1) for _ in range(3))) == [5, 6, 7]
            stats = await client.command("INFO", "commandstats")
            assert b"cmdstat_eval:calls=4" in stats
            with pytest.raises(RedisError, match="not an integer"):
                await client.run(ADD, ("n",), "x")

    run(main())


def test_a_server_that_is_killed_fails_what_waits_and_then_everything_at_once_until_it_is_back(
    run: Run, redis: RedisServer
) -> None:
    async def main() -> None:
        async with opened(redis.url) as client:
            await client.command("SET", "a", 1)
            waits = client.send("BLPOP", "nothing", 0)
            await asyncio.sleep(0.05)
            redis.kill()
            assert await outcome(waits) is RedisDown
            assert await outcome(client.send("PING")) is NotSent  # it tries, and is refused
            assert not client.is_up
            begin = time.monotonic()
            told = [await outcome(client.send("PING")) for _ in range(200)]
            assert set(told) == {NotSent} and time.monotonic() - begin < 5
            redis.start()
            await comes_back(client)
            assert client.is_up and await client.command("GET", "a") is None

    run(main())


def test_a_server_that_says_nothing_is_given_up_in_time_and_found_again(run: Run, redis: RedisServer) -> None:
    async def main() -> None:
        async with opened(redis.url, timeout=0.3) as client:
            await comes_back(client)
            redis.pause()
            try:
                begin = time.monotonic()
                told = await asyncio.gather(*(outcome(client.send("PING")) for _ in range(5)))
                assert set(told) == {RedisDown} and 0.25 < time.monotonic() - begin < 5
                with pytest.raises(RedisDown, match="no answer in time"):
                    await client.command("PING")  # on a new connection
            finally:
                redis.resume()
            await comes_back(client)

    run(main())


def test_a_connection_that_the_server_closes_is_made_anew_without_anybody_noticing(
    run: Run, redis: RedisServer
) -> None:
    async def main() -> None:
        async with opened(redis.url) as client:
            await client.command("PING")
            redis.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            await until(lambda: client._connection is None)
            assert await client.command("PING") == b"PONG"

    run(main())


def test_nobody_there_says_where_and_why(run: Run) -> None:
    port = free_port()

    async def main() -> None:
        async with opened(f"redis://:hunter2@127.0.0.1:{port}/1") as client:
            with pytest.raises(RedisDown, match=f"redis://127.0.0.1:{port}/1 cannot be reached: ") as caught:
                await client.command("PING")
            assert "hunter2" not in str(caught.value)

    run(main())


def test_a_database_and_passwords(run: Run, redis: RedisServer) -> None:
    async def main() -> None:
        async with opened(redis.url) as plain, opened(f"{redis.url}?db=3") as third:
            await third.command("SET", "a", "third")
            assert await plain.command("GET", "a") is None
            await plain.command("ACL", "SETUSER", "me", "on", ">mine", "~*", "+@all")
            await plain.command("CONFIG", "SET", "requirepass", "secret")
            for login, name in ((":secret", b"default"), ("me:mine", b"me")):
                async with opened(f"unix://{login}@{redis.path}") as client:
                    assert await client.command("ACL", "WHOAMI") == name
            for login, says in (("", "NOAUTH"), (":wrong@", "WRONGPASS")):
                async with opened(f"unix://{login}{redis.path}") as client:
                    with pytest.raises(RedisDown, match=says):
                        await client.command("PING")

    run(main())


def test_a_replica_that_cannot_write_is_not_kept(run: Run, redis: RedisServer) -> None:
    async def main() -> None:
        async with opened(redis.url) as client:
            await client.command("PING")
            redis.ask("REPLICAOF", "127.0.0.1", "1")
            with pytest.raises(RedisDown, match="READONLY"):
                await client.command("SET", "a", 1)
            redis.ask("REPLICAOF", "NO", "ONE")
            assert await client.command("SET", "a", 1) == b"OK"

    run(main())


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
    writer.close()


def test_tls_and_a_certificate_that_nobody_trusts(run: Run, redis: RedisServer, tls: TestTls) -> None:
    async def main() -> None:
        ended: list[asyncio.Task[None]] = []

        async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            from_redis, to_redis = await asyncio.open_unix_connection(redis.path)
            ended.append(asyncio.create_task(_pipe(from_redis, writer)))
            await _pipe(reader, to_redis)

        server = await asyncio.start_server(forward, "127.0.0.1", 0, ssl=tls.server)
        port = server.sockets[0].getsockname()[1]
        async with server:
            for options in (f"ssl_ca_certs={tls.ca_file}", "ssl_cert_reqs=none"):
                async with opened(f"rediss://localhost:{port}?{options}") as client:
                    assert await client.command("PING") == b"PONG"
            async with opened(f"rediss://localhost:{port}") as client:
                with pytest.raises(RedisDown, match="certificate"):
                    await client.command("PING")
        await asyncio.gather(*ended)

    run(main())


def test_something_else_on_that_port(run: Run) -> None:
    async def main() -> None:
        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await reader.read()
            writer.close()

        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        async with server, opened(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}") as client:
            with pytest.raises(RedisDown, match="does not speak"):
                await client.command("PING")

    run(main())


def test_closing_fails_what_waits_and_what_comes_after(run: Run, redis: RedisServer) -> None:
    async def main() -> None:
        async with opened(redis.url) as client:
            connecting = client.send("PING")
            await client.aclose()
            assert await outcome(connecting) is NotSent
        async with opened(redis.url) as client:
            await client.command("PING")
            waits = client.send("BLPOP", "nothing", 0)
            await client.aclose()
            assert (await outcome(waits), await outcome(client.send("PING"))) == (RedisDown, NotSent)

    run(main())


def test_without_hiredis_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hiredis", None)
    with pytest.raises(ImportError, match=r"pip install 'litellm\[redis\]'"):
        Redis(parse("redis://h"))
