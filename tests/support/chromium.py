"""A headless Chromium, spoken to over its debugging pipe: for what only a browser can say about a page."""

import contextlib
import fcntl
import itertools
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS: Final = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-pipe",
)  # fmt: skip


def binary() -> str | None:
    """Where the browser is; None if there is none."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Page:
    """One tab. `events` keeps what the browser has said unasked: console messages, exceptions, requests."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self.events: list[dict[str, Any]] = []
        self._to, self._from = to_browser, from_browser
        self._buffer = b""
        self._numbers = itertools.count(1)
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the DevTools protocol; its result. Raises RuntimeError if the browser refuses it."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != number:
            self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression; promises are awaited. Raises RuntimeError if it throws."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{script}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait(self, script: str, seconds: float = 30) -> None:
        """Wait until an expression is true, as JavaScript sees it. Raises TimeoutError."""
        end = time.monotonic() + seconds
        while not self.run(f"Boolean({script})"):
            if time.monotonic() > end:
                raise TimeoutError(script)
            time.sleep(0.05)

    def press(self, key: str, text: str = "", modifiers: int = 0) -> None:
        """One key, down and up; `text` is what it types. 2 is Ctrl, 8 is Shift."""
        code = {"Tab": 9, "Enter": 13, " ": 32}.get(key, 0)
        told: dict[str, Any] = {"key": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **told)
        self.call("Input.dispatchKeyEvent", type="keyUp", **told)

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def complaints(self) -> list[str]:
        """What the browser has complained about: exceptions, and errors on its console."""
        self.run("0")
        kinds = {
            "Runtime.exceptionThrown": lambda p: str(p["exceptionDetails"]),
            "Log.entryAdded": lambda p: f"{p['entry']['text']} {p['entry'].get('url', '')}",
        }
        return [kinds[event["method"]](event["params"]) for event in self.events if event.get("method") in kinds]

    def requested(self) -> list[str]:
        """The addresses that the page has asked for."""
        self.run("0")
        sent = (event["params"] for event in self.events if event.get("method") == "Network.requestWillBeSent")
        return [params["request"]["url"] for params in sent]

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            if not select.select([self._from], [], [], 60)[0]:
                raise TimeoutError("the browser says nothing")
            data = os.read(self._from, 1 << 16)
            if not data:
                raise RuntimeError("the browser has ended")
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)


# The browser wants its pipes as descriptors 3 and 4.
_LAUNCH: Final = (
    "import os, sys; [os.dup2(int(fd), n) for n, fd in ((3, sys.argv[1]), (4, sys.argv[2]))]; "
    "os.execv(sys.argv[3], sys.argv[3:])"
)


@contextlib.contextmanager
def browsing(path: str, folder: Path) -> Iterator[Page]:
    """A browser with one empty page and its profile in `folder`; it is ended with the block."""
    to_read, to_write = _pipe()
    from_read, from_write = _pipe()
    process = subprocess.Popen(
        [sys.executable, "-ISc", _LAUNCH, str(to_read), str(from_write), path, *_FLAGS, f"--user-data-dir={folder}"],
        pass_fds=(to_read, from_write),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_read)
    os.close(from_write)
    try:
        yield Page(to_write, from_read)
    finally:
        os.close(to_write)
        os.close(from_read)
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


def _pipe() -> tuple[int, int]:
    """A pipe whose ends are above the descriptors that the browser wants them to become."""
    ends = os.pipe()
    high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return high[0], high[1]
