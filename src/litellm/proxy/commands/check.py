"""`litellm check FILE`: everything that is wrong with a configuration."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from litellm.proxy.commands.terminal import FAILED, OK, Parser, extra_is_missing, tell

if TYPE_CHECKING:
    from litellm.proxy.config.source import Problem


def run(arguments: Sequence[str]) -> int:
    parser = Parser(prog="litellm check", description="Print everything that is wrong with a configuration.")
    parser.add_argument("config", nargs="?", default=os.environ.get("CONFIG_FILE_PATH"), metavar="FILE")
    path: str | None = parser.parse_args(arguments).config
    if path is None:
        parser.error("which file? litellm check FILE")
    if extra_is_missing(("yaml",)):
        return FAILED
    from litellm.proxy.config.load import inspect

    config, problems = inspect(Path(path))
    for problem in problems:
        tell(str(problem))
    tell(f"{path}: {counted(problems)}")
    return FAILED if config is None else OK


def counted(problems: "Sequence[Problem]") -> str:
    errors = sum(problem.severity == "error" for problem in problems)
    parts = [
        f"{count} {name}{'s'[: count != 1]}" for count, name in ((errors, "error"), (len(problems) - errors, "warning"))
    ]
    return ", ".join(part for part in parts if not part.startswith("0 ")) or "no problems"
