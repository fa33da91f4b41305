"""The public functions as callers see them now.

Instrumentors and tests replace `litellm.completion`; what calls it on a caller's behalf must call the replacement.
"""

from importlib import import_module
from typing import Any

from litellm.settings import settings


def function(name: str) -> Any:
    """A function of `sdk/main.py`, or what has been put in its place on the package."""
    replaced = settings.__dict__.get(name)  # the package's own namespace
    return replaced if replaced is not None else getattr(import_module("litellm.sdk.main"), name)
