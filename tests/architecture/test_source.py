"""Rules of style that a reader relies on, held by the machine. Floors are import-linter's (`make check`)."""

import ast

from litellm import exceptions

from .source import modules

LINES = 520
LONG = {
    "exceptions.py": (620, "the whole error tree stands on one page, so that it can be read as one"),
}
FUNCTION_LINES = 50
LONG_FUNCTIONS = {
    "store/migrations/v0001_rows_and_spend.py::upgrade": "a schema, table by table",
    "engine/standard.py::payload": "one line per documented field of the payload",
    "sdk/main.py::completion": "one line per documented parameter",
    "sdk/main.py::acompletion": "one line per documented parameter",
}
BROAD = {
    "proxy/checking.py": "checks in the background go on, whatever one round of them met",
    "proxy/limits/redis.py": "the sign of life goes on, whatever one of them met",
    "engine/custom.py": "a user's own provider may raise anything: the caller gets one of our errors",
    "proxy/keys/book.py": "the feed of keys must go on: if it ended, revoked ones would go on working",
    "proxy/spend/keeper.py": "what the database refuses goes into the journal; the callers who wait go on",
    "proxy/spend/upkeep.py": "the daily work on the store must be done the next day, too",
    "proxy/spend/recall.py": "what budgets have spent is asked for again a second later, whatever one question met",
    "proxy/spend/mover.py": "spend must go on moving; what is not moved waits in the journal",
    "engine/delivery.py": "a user's callback may raise anything, and the call it is told of goes on",
    "proxy/callbacks.py": "a user's module is imported here and may fail in any way: the start says so",
    "sdk/batch.py": "the caller of a batch finds each failure in the list, whatever it is",
    "transport/foreign.py": "a caller's own HTTP client has errors of its own: they become the transport's",
    "transport/threads.py": "what a thread raised is handed to the coroutine that waits for it",
    "integrations/custom_batch_logger.py": "a loop that sends batches by a subclass's code outlives what that raises",
    "engine/streams.py": "closes the stream of a caller who has gone",
    "proxy/admin/app.py": "what a route raised travels past Starlette's own error page to the gateway's",
    "proxy/hooks.py": "a user's hook may raise anything: it refuses the request, with its own status if it has one",
    "proxy/filtering.py": "a user's hook on streams may raise anything: the caller gets an error event",
    "proxy/app.py": "the gateway's error page: a defect of ours is a logged 500, never a dead connection",
    "proxy/asgi.py": "the outermost edge of a request: whatever the app does, it gets an answer and the server goes on",
    "proxy/server.py": "a new configuration may fail in any way; the old one goes on serving",
    "proxy/streaming.py": "the edge where a relayed stream hands its failure to the waiting coroutine",
    "proxy/supervisor.py": "the supervisor's loop outlives whatever the configuration check raises",
    "sdk/portal.py": "what the caller's coroutine raised is handed to the caller's thread as it is",
    "transport/mock.py": "a test's iterator may raise anything; the stream's reader gets it",
    "transport/upload.py": "a caller's iterator may raise anything; the caller gets it back",
}
PRINTS = {"proxy/commands/terminal.py"}


def _is_broad(node: ast.expr | None) -> bool:
    kinds = node.elts if isinstance(node, ast.Tuple) else [node]
    return any(kind is None or (isinstance(kind, ast.Name) and kind.id in _EVERYTHING) for kind in kinds)


_EVERYTHING = {"Exception", "BaseException"}


def _raises_again(handler: ast.ExceptHandler) -> bool:
    """It ends in a bare `raise`: it cleans up, it does not swallow."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_every_module_with_code_says_what_it_is() -> None:
    assert [m.name for m in modules() if m.tree.body and not ast.get_docstring(m.tree)] == []


def test_no_module_is_longer_than_a_reader_likes() -> None:
    limits = {name: limit for name, (limit, _) in LONG.items()}
    lengths = {m.name: m.text.count("\n") for m in modules()}
    assert {name: n for name, n in lengths.items() if n > limits.get(name, LINES)} == {}
    assert {name for name in LONG if lengths.get(name, 0) <= LINES} == set(), "no longer long: take it off the list"


def test_functions_fit_on_a_screen() -> None:
    long = {
        f"{m.name}::{f.name}"
        for m in modules()
        for f in m.functions()
        if (f.end_lineno or f.lineno) - f.body[0].lineno >= FUNCTION_LINES
    }
    assert long <= LONG_FUNCTIONS.keys()


def test_no_global_statements() -> None:
    assert [(m.name, node.names) for m in modules() for node in ast.walk(m.tree) if isinstance(node, ast.Global)] == []


def test_only_the_command_line_prints() -> None:
    calls = (
        m.name
        for m in modules()
        for node in ast.walk(m.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    )
    assert set(calls) <= PRINTS


def test_broad_excepts_clean_up_and_raise_again_or_have_a_reason() -> None:
    broad = {
        m.name
        for m in modules()
        for node in ast.walk(m.tree)
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type) and not _raises_again(node)
    }
    assert broad - BROAD.keys() == set()


def test_no_stubs() -> None:
    marks = ("TODO", "FIXME", "XXX", "NotImplementedError")
    assert [(m.name, mark) for m in modules() for mark in marks if mark in m.text] == []


WORLD = {
    "aiohttp", "asyncio", "datetime", "http", "httptools", "httpx", "io", "multiprocessing", "openai", "os", "pathlib",
    "random", "requests", "secrets", "select", "signal", "socket", "ssl", "subprocess", "tempfile", "threading", "time",
    "urllib.request", "uuid", "uvloop",
}  # fmt: skip


def test_providers_and_formats_import_nothing_that_does_io() -> None:
    pure = [m for m in modules() if m.name.startswith(("providers/", "formats/"))]
    assert len(pure) > 4
    touched = {
        (m.name, name)
        for m in pure
        for name in m.imports()
        if name in WORLD or name.partition(".")[0] in WORLD or name.startswith("litellm.transport")
    }
    assert touched == set()


def test_no_framework_middleware_near_the_hot_path() -> None:
    assert [m.name for m in modules() if "BaseHTTPMiddleware" in m.text] == []


def test_vendor_packages_are_imported_where_they_are_used_and_not_at_the_top() -> None:
    """`import litellm` must not need, or pay for, what an extra installs."""
    vendors = {"fastapi", "starlette", "uvicorn", "yaml", "redis", "asyncpg", "sqlalchemy", "tiktoken", "tokenizers"}
    guilty = {
        (m.name, name.partition(".")[0])
        for m in modules()
        if not m.name.startswith(("proxy/", "store/", "caching/", "integrations/"))
        for node in m.tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
        if name.partition(".")[0] in vendors
    }
    assert guilty == set()


def _tree(kind: type) -> set[type]:
    return {kind}.union(*(_tree(child) for child in kind.__subclasses__()))


def test_every_error_has_a_status_a_type_and_knows_whether_to_try_again() -> None:
    errors = _tree(exceptions.LiteLLMError) - {exceptions.LiteLLMError}
    assert len(errors) > 20
    for error in errors:
        assert 400 <= error.status_code <= 599, error
        assert isinstance(error.retryable, bool), error
        assert isinstance(error.error_type, str) and error.error_type, error


def test_every_public_error_is_drawn_in_the_tree_at_the_top_of_the_page() -> None:
    drawn = exceptions.__doc__ or ""
    ours = {e for e in _tree(exceptions.LiteLLMError) if e.__module__ == "litellm.exceptions"}
    missing = {e.__name__ for e in ours if not e.__name__.startswith("_")} - set(drawn.replace(",", " ").split())
    assert missing == set()
