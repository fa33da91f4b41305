"""How many requests the fuzzers and long runs make: small for `make test`, whole for `make soak` (SOAK=1)."""

import os
import random


def count(small: int, soak: int) -> int:
    """`soak` when SOAK is set in the environment, else `small`."""
    return soak if os.environ.get("SOAK") else small


def fuzz_requests() -> int:
    """How many requests each fuzzer makes: FUZZ_REQUESTS, or 300, or 10,000 in a soak."""
    return int(os.environ.get("FUZZ_REQUESTS") or count(300, 10_000))


def fuzz_seed() -> int:
    """FUZZ_SEED, or always the same in `make test`, or another in each soak. Fuzzers print it."""
    given = os.environ.get("FUZZ_SEED")
    return int(given) if given else count(1, random.SystemRandom().randrange(1 << 32))
