"""`litellm db reseal`: every secret of the store, sealed under the newest salt."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from litellm.proxy.commands.places import Place
from litellm.proxy.commands.terminal import FAILED, OK, say, tell

if TYPE_CHECKING:
    from litellm.proxy.shelf import Shelf
    from litellm.store.base import Change
    from litellm.store.records import SqlRecords


async def reseal(config_file: str | None) -> int:
    """All or nothing; again, it finds nothing to do. Raises ConfigError, StoreError."""
    from litellm.proxy.config.load import load
    from litellm.proxy.place import data_dir_of, former_salts, salt_of, url_of
    from litellm.proxy.shelf import NO_SALT, Shelf
    from litellm.store.database import open_database
    from litellm.store.records import SqlRecords
    from litellm.store.seal import Seal, Unsealable

    config = load(Path(config_file) if config_file else None)
    salt, place = salt_of(config), Place(url_of(config), data_dir_of(config))
    if salt is None or not place.exists:
        say(f"error: {NO_SALT}" if salt is None else f"error: there is no store in {place.name}")
        return FAILED
    database = await open_database(place.url, place.data_dir)
    try:
        records = SqlRecords(database)
        changes = await _changes(records, Shelf(Seal(salt, former_salts()), os.environ))
        if changes:
            await records.change(changes)
        left = await _changes(records, Shelf(Seal(salt), os.environ))  # by the newest salt alone: it opens all of them
    except Unsealable as error:
        say(f"error: {error}. Name the salt it is under in LITELLM_SALT_KEY_PREVIOUS")
        return FAILED
    finally:
        await database.aclose()
    assert not left
    tell(f"{place.name}: {len(changes)} rows sealed anew, and every secret opens under the newest salt")
    return OK


async def _changes(records: "SqlRecords", shelf: "Shelf") -> "list[Change]":
    """What is to be written. Raises Unsealable, which names the row."""
    from litellm.store.base import Update
    from litellm.store.seal import Unsealable
    from litellm.types.accounts import KIND_OF, Credential, Model

    found: list[Change] = []
    kinds: tuple[tuple[type[Model] | type[Credential], str], ...] = ((Model, "litellm_params"), (Credential, "values"))
    for kind, column in kinds:
        async for page in records.scan(kind):
            for row in page:
                try:
                    made = shelf.resealed(row)
                except Unsealable as error:
                    raise Unsealable(f"{KIND_OF[kind]} {row.id!r}: {error}") from None
                if made != getattr(row, column):
                    found.append(Update(KIND_OF[kind], row.id, {column: made}))
    return found
