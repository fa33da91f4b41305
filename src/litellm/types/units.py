"""What money and times are counted in: whole numbers, always."""

from typing import Final

Nano = int
"""Nano-dollars."""
NANO: Final = 10**9
"""Of them in a dollar."""

Millis = int
"""Milliseconds since 1970-01-01T00:00:00Z."""
