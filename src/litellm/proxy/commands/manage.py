"""`litellm keys|teams|users|spend`: the management API from a terminal. Each verb is a row of a table.

What the gateway answers is shown as a table, or as it came with `--json`.
"""

import json
import os
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, cast
from urllib.parse import urlencode

from litellm.proxy.commands.client import ask
from litellm.proxy.commands.terminal import FAILED, OK, Parser, say, table, tell, tell_json

URL: Final = "http://127.0.0.1:4000"
Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Option:
    """`--max-budget` of a verb is the field `max_budget` of the request. Without dashes: an argument."""

    name: str
    help: str
    parse: Callable[[str], Any] = str
    field: str = ""
    many: bool = False

    @property
    def sent_as(self) -> str:
        return self.field or self.name.lstrip("-").replace("-", "_")


@dataclass(frozen=True, slots=True)
class Verb:
    """One request. `rows` finds in the answer what the table shows."""

    help: str
    method: Literal["GET", "POST"]
    path: str
    options: tuple[Option, ...] = ()
    columns: tuple[str, ...] = ()
    rows: Callable[[Any], Rows] = field(default=lambda answer: [answer])
    always: Callable[[], Mapping[str, Any]] = dict[str, Any]
    """What is sent beside the options, and before them."""


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ArgumentTypeError("expected a JSON object") from None
    return cast("dict[str, Any]", value)


def _under(*names: str) -> Callable[[Any], Rows]:
    """Rows that stand in an answer under one of these names, or are the answer."""

    def rows(answer: Any) -> Rows:
        for name in names:
            if isinstance(answer, dict) and name in answer:
                answer = cast("dict[str, Any]", answer)[name]
                break
        found = cast("list[Any]", answer if isinstance(answer, list) else [answer])
        return [cast("dict[str, Any]", row) if isinstance(row, dict) else {"id": row} for row in found]

    return rows


def _reported(answer: Any) -> Rows:
    """A day's groups, each a row: `[{"group_by_day": ..., "teams": [{"team_name": ..., "total_spend": ...}]}]`."""
    found: Rows = []
    for day in cast("list[dict[str, Any]]", answer if isinstance(answer, list) else [answer]):
        date = str(day.get("group_by_day", ""))[:10]
        groups = next((cast("Rows", value) for value in day.values() if isinstance(value, list)), [day])
        for group in groups:
            name = next((value for key, value in group.items() if key not in _SUMS), "")
            spent = next((group[key] for key in ("total_spend", "spend", "total_cost") if key in group), None)
            found.append({"day": date, "of": name, "spend": spent})
    return found


def _last_month() -> dict[str, Any]:
    today = datetime.now(UTC).date()
    return {"start_date": str(today - timedelta(days=30)), "end_date": str(today)}


_SUMS: Final = frozenset({"total_spend", "spend", "total_cost", "metadata", "group_by_day"})
_MODELS: Final = Option("--models", "names, separated by commas; none: all", _list)
_LIMITS: Final = (
    Option("--max-budget", "dollars", float),
    Option("--budget-duration", "after which the budget begins anew: 1h, 1d, 1mo"),
    Option("--tpm-limit", "tokens a minute", int),
    Option("--rpm-limit", "requests a minute", int),
    Option("--max-parallel-requests", "at the same time", int),
    Option("--metadata", "a JSON object", _object),
)
_OF_KEY: Final = (
    Option("--key-alias", "a name"),
    Option("--duration", "how long it works: 30s, 1h, 30d"),
    _MODELS,
    Option("--user-id", "whose it is"),
    Option("--team-id", "which team's it is"),
    Option("--tags", "separated by commas", _list),
    *_LIMITS,
)
_PAGES: Final = (Option("--page", "from 1", int), Option("--size", "rows on a page", int))
_ONE: Final = (Option("key", "the key, or its SHA-256"),)
_KEY_COLUMNS: Final = (
    "key_name",
    "key_alias",
    "user_id",
    "team_id",
    "models",
    "spend",
    "max_budget",
    "blocked",
    "expires",
)
_USER_COLUMNS: Final = ("user_id", "user_email", "user_role", "spend", "max_budget", "models")
_TEAM_COLUMNS: Final = ("team_id", "team_alias", "spend", "max_budget", "models", "blocked")
_LOG_COLUMNS: Final = (
    "startTime",
    "model",
    "status",
    "prompt_tokens",
    "completion_tokens",
    "spend",
    "user",
    "request_id",
)

VERBS: Final[Mapping[str, Mapping[str, Verb]]] = {
    "keys": {
        "generate": Verb("make a key; it is shown once", "POST", "/key/generate",
                         (*_OF_KEY, Option("--own-key", "a key of your own", str, "key")),
                         ("key", "token", "key_alias", "expires")),
        "list": Verb("keys, newest first", "GET", "/key/list",
                     (*_PAGES, *_OF_KEY[:1], *_OF_KEY[3:5]), ("token", *_KEY_COLUMNS), _under("keys"),
                     lambda: {"return_full_object": "true"}),
        "info": Verb("how a key stands", "GET", "/key/info", _ONE, _KEY_COLUMNS, _under("info")),
        "update": Verb("change a key", "POST", "/key/update", (*_ONE, *_OF_KEY), _KEY_COLUMNS),
        "delete": Verb("end keys for good", "POST", "/key/delete",
                       (Option("keys", "keys, or their SHA-256", many=True),), ("id",), _under("deleted_keys")),
        "block": Verb("let a key rest", "POST", "/key/block", _ONE, _KEY_COLUMNS),
        "unblock": Verb("let it work again", "POST", "/key/unblock", _ONE, _KEY_COLUMNS),
    },
    "users": {
        "new": Verb("make a user", "POST", "/user/new",
                    (Option("--user-id", "default: made up"), Option("--user-email", "an address"),
                     Option("--user-alias", "a name"),
                     Option("--user-role", "proxy_admin, proxy_admin_viewer, internal_user, internal_user_viewer"),
                     _MODELS, *_LIMITS), ("user_id", "user_email", "user_role", "key")),
        "list": Verb("users", "GET", "/user/list", (_PAGES[0], Option("--size", "rows on a page", int, "page_size")),
                     _USER_COLUMNS, _under("users")),
        "info": Verb("how a user stands", "GET", "/user/info", (Option("user_id", "who"),), _USER_COLUMNS,
                     _under("user_info")),
    },
    "teams": {
        "new": Verb("make a team", "POST", "/team/new",
                    (Option("--team-id", "default: made up"), Option("--team-alias", "a name"),
                     Option("--organization-id", "whose it is"), _MODELS, *_LIMITS), _TEAM_COLUMNS),
        "list": Verb("teams", "GET", "/team/list", (Option("--user-id", "those a user is in"),), _TEAM_COLUMNS,
                     _under("teams")),
        "info": Verb("how a team stands", "GET", "/team/info", (Option("team_id", "which"),), _TEAM_COLUMNS,
                     _under("team_info")),
    },
    "spend": {
        "total": Verb("all that was ever spent", "GET", "/global/spend", (), ("spend", "max_budget")),
        "report": Verb("sums by day, of the last 30 if nothing is said", "GET", "/global/spend/report",
                       (Option("--start-date", "2026-11-01"), Option("--end-date", "2026-11-30"),
                        Option("--by", "team, customer, api_key", str, "group_by")),
                       ("day", "of", "spend"), _reported, _last_month),
        "logs": Verb("calls, newest first", "GET", "/spend/logs",
                     (Option("--api-key", "of a key"), Option("--user-id", "of a user"),
                      Option("--team-id", "of a team"),
                      Option("--request-id", "one call"), Option("--start-date", "2026-11-01"),
                      Option("--end-date", "2026-11-30"), _PAGES[0],
                      Option("--size", "rows on a page", int, "page_size")), _LOG_COLUMNS, _under("data"),
                     lambda: {"summarize": "false"}),
    },
}  # fmt: skip


def run(noun: str, arguments: Sequence[str]) -> int:
    """One verb of a noun."""
    parser = _parser(noun)
    given = parser.parse_args(arguments)
    if given.verb is None:
        parser.error("what about them? " + ", ".join(VERBS[noun]))
    verb = VERBS[noun][given.verb]
    values = {option.sent_as: value for option in verb.options if (value := getattr(given, _dest(option))) is not None}
    answer = _answered(verb, {**verb.always(), **values}, given)
    if answer is None:
        return FAILED
    if given.json:
        tell_json(answer)
        return OK
    rows = verb.rows(answer)
    if rows:
        tell(table(rows, verb.columns))
    else:
        say("none")
    _say_how_many(answer, len(rows))
    return OK


def _say_how_many(answer: Any, shown: int) -> None:
    said = cast("dict[str, Any]", answer if isinstance(answer, dict) else {})
    total = said.get("total_count", said.get("total"))
    if isinstance(total, int) and total > shown:
        say(f"{shown} of {total}; --page and --size show others")


def _answered(verb: Verb, values: Mapping[str, Any], given: Namespace) -> Any:
    url = str(given.url).rstrip("/") + verb.path
    if verb.method == "POST":
        return ask(url, given.with_key, values)
    return ask(url + (f"?{urlencode(values)}" if values else ""), given.with_key)


def _parser(noun: str) -> Parser:
    parser = Parser(prog=f"litellm {noun}", description=f"{noun.capitalize()}, by the management API of a gateway.")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    for name, verb in VERBS[noun].items():
        sub = verbs.add_parser(name, help=verb.help, description=verb.help.capitalize() + ".", allow_abbrev=False)
        for option in verb.options:
            _add(sub, option)
        address = os.environ.get("LITELLM_PROXY_URL") or URL
        key = os.environ.get("LITELLM_PROXY_API_KEY") or os.environ.get("LITELLM_MASTER_KEY")
        sub.add_argument("--url", default=address, help="of the gateway (LITELLM_PROXY_URL)", metavar="URL")
        sub.add_argument(
            "--key", dest="with_key", default=key, help="to show it (LITELLM_PROXY_API_KEY)", metavar="KEY"
        )
        sub.add_argument("--json", action="store_true", help="the answer as it came")
    return parser


def _add(parser: Any, option: Option) -> None:
    more: dict[str, Any] = {"nargs": "+"} if option.many else {}
    if option.name.startswith("-"):
        more |= {"dest": _dest(option)}
    parser.add_argument(option.name, type=option.parse, help=option.help, metavar=option.sent_as.upper(), **more)


def _dest(option: Option) -> str:
    """Apart from the flags that every verb has."""
    return f"sent_{option.sent_as}" if option.name.startswith("-") else option.name
