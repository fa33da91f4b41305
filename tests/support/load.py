"""Many calls at once, at a tenth of what a complete HTTP client costs: the cores are the gateway's."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import urlsplit

_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Answer:
    """Header names are lower case. A body that broke off is an error (`Broken`), not an answer."""

    status: int
    headers: Mapping[str, str]
    text: str


class Broken(OSError):
    """The connection ended, or could not be made, before the answer was whole."""


class Connection:
    """One connection, made when it is first needed; calls go over it one after the other."""

    def __init__(self, origin: str) -> None:
        self._origin = urlsplit(origin)
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: Any, headers: Mapping[str, str]) -> Answer:
        """Raises Broken; TimeoutError after a minute."""
        try:
            async with asyncio.timeout(_SECONDS):
                if self._open is None:
                    self._open = await asyncio.open_connection(self._origin.hostname, self._origin.port)
                return await self._exchange(*self._open, path, json.dumps(body).encode(), headers)
        except (OSError, EOFError) as error:
            self.close()
            if isinstance(error, TimeoutError):
                raise
            raise Broken(repr(error)) from error

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: bytes,
        headers: Mapping[str, str],
    ) -> Answer:  # fmt: skip
        lines = [f"POST {path} HTTP/1.1", f"Host: {self._origin.netloc}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "Content-Type: application/json", "", ""]).encode() + body)
        first, *rest = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip("\r\n").split("\r\n")
        said = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
        if "content-length" in said:
            text = await reader.readexactly(int(said["content-length"]))
        else:
            text = b""
            while size := int(await reader.readuntil(b"\r\n"), 16):
                text += (await reader.readexactly(size + 2))[:-2]
            await reader.readexactly(2)
        if said.get("connection") == "close":
            self.close()
        return Answer(int(first.split(" ")[1]), said, text.decode())

    def close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


async def post(origin: str, path: str, body: Any, headers: Mapping[str, str]) -> Answer:
    """One call on a connection of its own, so that the kernel picks the worker. Raises what `Connection.post` does."""
    async with Connection(origin) as connection:
        return await connection.post(path, body, headers)
