"""Where the books are, by the config and the environment. Nothing is opened here."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from litellm.kv.address import PORT, Address, parse, port_of, tls_of
from litellm.proxy.config.load import Config
from litellm.proxy.config.model_list import ModelEntry
from litellm.proxy.keys.access import Groups

FILE: Final = "litellm.db"


def url_of(config: Config) -> str | None:
    """Postgres's address; None where the store is a SQLite file."""
    given = config.general_settings.database_url
    return given.get_secret_value() if given else os.environ.get("DATABASE_URL") or None


def redis_of(config: Config) -> Address | None:
    """The Redis that limits are counted in, if there is one. Raises ValueError."""
    router = config.router_settings
    url = config.general_settings.redis_url or router.redis_url
    if url is not None:
        return parse(url.get_secret_value())
    if router.redis_host:
        password = router.redis_password
        return Address(
            router.redis_host,
            router.redis_port or PORT,
            password=password.get_secret_value() if password else None,
            database=router.redis_db or 0,
        )
    if named := os.environ.get("REDIS_URL"):
        return parse(named)
    if host := os.environ.get("REDIS_HOST"):
        password = os.environ.get("REDIS_PASSWORD") or None
        return Address(host, port_of(os.environ) or PORT, password=password, tls=tls_of(os.environ))
    return None


def data_dir_of(config: Config) -> Path:
    return Path(config.general_settings.data_dir or os.environ.get("LITELLM_DATA_DIR") or "litellm-data")


def salt_of(config: Config) -> str | None:
    """What the store's secrets are sealed under."""
    given = config.general_settings.salt_key
    return given.get_secret_value() if given else os.environ.get("LITELLM_SALT_KEY") or None


def former_salts() -> list[str]:
    """What secrets may still be sealed under, until `litellm db reseal`: with commas between them."""
    given = os.environ.get("LITELLM_SALT_KEY_PREVIOUS") or ""
    return [salt.strip() for salt in given.split(",") if salt.strip()]


def groups_of(entries: Iterable[ModelEntry]) -> Groups:
    """Access group -> names of the models in it."""
    found: dict[str, list[str]] = {}
    for entry in entries:
        for group in entry.model_info.access_groups or ():
            found.setdefault(group, []).append(entry.model_name)
    return found


def exists(config: Config) -> bool:
    """Whether there is a store: a database is named, or a SQLite file has been made."""
    return url_of(config) is not None or (data_dir_of(config) / FILE).is_file()
