"""`litellm spend`: see `manage.py`."""

from collections.abc import Sequence

from litellm.proxy.commands import manage


def run(arguments: Sequence[str]) -> int:
    return manage.run("spend", arguments)
