"""What a result object needs from the world when its maker gave none: an id and the time."""

from time import time
from uuid import uuid4


def new_id(prefix: str) -> str:
    return f"{prefix}{uuid4()}"


def now() -> int:
    """Unix time in seconds."""
    return int(time())
