"""How commands speak: to people on a terminal, to programs by exit code and JSON."""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Final, NoReturn

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2

EXTRA: Final = ("yaml", "uvicorn", "fastapi")
STORE: Final = ("yaml", "sqlalchemy", "aiosqlite", "alembic")


class Parser(argparse.ArgumentParser):
    """Errors in one line: the usage of forty flags would hide them."""

    def error(self, message: str) -> NoReturn:
        say(f"error: {message}")
        say(f"Try `{self.prog} --help`.")
        raise SystemExit(USAGE)


def say(text: str) -> None:
    """To the operator, beside what the command gives."""
    print(text, file=sys.stderr)


def tell(text: str) -> None:
    """What the command was asked for."""
    print(text)


def tell_json(value: Any) -> None:
    tell(json.dumps(value, indent=2, default=str))


def extra_is_missing(modules: Sequence[str] = EXTRA) -> bool:
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        say(f"error: the gateway needs packages that are not installed ({', '.join(missing)}).")
        say("Install this project with its extra, in its own folder: pip install '.[proxy]'")
    return bool(missing)


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Rows under their columns' names, as wide as what they hold; numbers to the right."""
    found = [[row.get(name) for name in columns] for row in rows]
    texts = [list(columns), *([_cell(value) for value in row] for row in found)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    right = [any(_is_number(row[index]) for row in found) for index in range(len(columns))]
    lines = (
        "  ".join(
            text.rjust(width) if is_right else text.ljust(width)
            for text, width, is_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in texts
    )
    return "\n".join(lines)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.9f}".rstrip("0").rstrip(".")
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "-"  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return "".join(char if char.isprintable() else "?" for char in str(value))
