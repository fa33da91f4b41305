"""Where a store is, as the commands are told: by a config, a Postgres URL, a folder, or a SQLite file."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from litellm.proxy.place import FILE, data_dir_of, url_of

JOURNAL: Final = "journal"


@dataclass(frozen=True, slots=True)
class Place:
    """`url` is Postgres's; None: the SQLite file in `folder`. The journal is in `folder`, if that is known."""

    url: str | None
    folder: Path | None

    @property
    def name(self) -> str:
        """To be shown: no password."""
        return str(self.folder) if self.url is None else self.url.rpartition("@")[2].partition("?")[0]

    @property
    def exists(self) -> bool:
        """A Postgres always does; whether it answers is another question."""
        return self.url is not None or (self.folder is not None and (self.folder / FILE).is_file())

    @property
    def data_dir(self) -> Path:
        return self.folder or Path()

    @property
    def journal(self) -> Path | None:
        return None if self.folder is None else self.folder / JOURNAL


def place_of(text: str) -> Place:
    """`postgresql://...`, `sqlite:///folder/litellm.db`, a folder, or a file named litellm.db."""
    if text.startswith(("postgres://", "postgresql://", "postgresql+asyncpg://")):
        return Place(text, None)
    path = Path(text.removeprefix("sqlite:///") if text.startswith("sqlite:///") else text)
    return Place(None, path.parent if path.name == FILE else path)


def add_config(parser: ArgumentParser) -> None:
    parser.add_argument("--config", "-c", metavar="FILE", help="whose store it is; default: that of the environment")


def of_config(given: Namespace) -> Place:
    """The store of `--config`, or of the environment alone. Raises ConfigError."""
    from litellm.proxy.config.load import load

    config = load(Path(given.config) if given.config else None)
    return Place(url_of(config), data_dir_of(config))
