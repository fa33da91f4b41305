"""The gateway's log: standard error, one line a record, and no secret in it at any level.

At the default level nothing of a request is logged. With `--debug` there is a line for each request and each error,
keys replaced.
"""

import logging
import re
from typing import Final

_SECRETS: Final = re.compile(r"(?i)\b(sk-|Bearer\s+)[\w.\-/+=]{4,}|(api[-_]?key[\"']?\s*[:=]\s*[\"']?)[^\s\"',}]{4,}")


class Redacting(logging.Formatter):
    """Formats a record, then hides what looks like a key, in tracebacks too."""

    def format(self, record: logging.LogRecord) -> str:
        return _SECRETS.sub(lambda found: f"{found[1] or found[2]}***", super().format(record))


def set_up(debug: bool) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(Redacting("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    for name, level in (("litellm", logging.DEBUG if debug else logging.INFO), ("asyncio", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(level)
