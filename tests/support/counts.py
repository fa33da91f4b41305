"""How many requests the fuzzers and long runs make: small for `make test`, whole for `make soak` (SOAK=1)."""

import os


def count(small: int, soak: int) -> int:
    """`soak` when SOAK is set in the environment, else `small`."""
    return soak if os.environ.get("SOAK") else small
