"""The command line: what is said, what is handed on, how it ends. Commands run as processes of their own."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from litellm.cli import COMMANDS
from litellm.proxy.commands import serve
from litellm.proxy.commands.flags import parse
from support.gateway import ROOT, Gateway, clean_environment

QUICKSTART = ROOT / "examples/quickstart.yaml"


def run(*arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "litellm", *arguments],
        env=clean_environment(env or {}),
        capture_output=True,
        text=True,
        timeout=60,
    )


# Flags


def test_the_version() -> None:
    for flag in ("--version", "-v"):
        result = run(flag)
        assert (result.returncode, result.stdout) == (0, "LiteLLM: Current Version = 1.105.100\n")


def test_help_names_every_flag() -> None:
    result = run("--help")
    assert result.returncode == 0
    for name in ("--config", "--drain_seconds", "--run_gunicorn", "--iam_token_db_auth", "litellm check"):
        assert name in result.stdout


def test_importing_the_command_loads_nothing_of_the_gateway() -> None:
    code = "import litellm.cli, sys; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], env=clean_environment({}), capture_output=True, text=True, timeout=60
    )
    heavy = {"pydantic", "yaml", "uvicorn", "fastapi", "asyncio", "ssl", "urllib.request", "litellm.proxy", "orjson"}
    assert heavy & set(result.stdout.split()) == set()


def test_both_spellings_and_short_names() -> None:
    plain = parse(["--num_workers", "3", "--drain_seconds=4", "-c", "a-b.yaml", "--allow_unauthenticated"], {})
    dashed = parse(["--num-workers", "3", "--drain-seconds=4", "-c", "a-b.yaml", "--allow-unauthenticated"], {})
    assert plain == dashed
    assert (dashed.num_workers, dashed.drain_seconds, dashed.config) == (3, 4.0, "a-b.yaml")
    assert parse(["-m", "openai/a-b"], {}).model == "openai/a-b"


def test_the_environment_speaks_where_no_flag_does() -> None:
    environ = {"HOST": "h", "PORT": "5", "NUM_WORKERS": "2", "CONFIG_FILE_PATH": "c.yaml", "LITELLM_LOG": "debug"}
    flags = parse([], environ)
    assert (flags.host, flags.port, flags.num_workers, flags.config, flags.debug) == ("h", 5, 2, "c.yaml", True)
    flags = parse(["--host", "i", "--port", "0", "--config", "d.yaml"], environ)
    assert (flags.host, flags.port, flags.config) == ("i", 0, "d.yaml")
    assert parse([], {"PORT": ""}).port is None


@pytest.mark.parametrize(
    ("arguments", "env", "expected"),
    [
        (["--prot", "3"], {}, "unknown flag --prot, did you mean --port?"),
        (["--num-worker=3"], {}, "unknown flag --num_worker, did you mean --num_workers?"),
        (["chek", "x"], {}, "unknown command chek, did you mean check?"),
        (["config.yaml"], {}, "unknown command config.yaml, did you mean --config config.yaml?"),
        (["--port", "x"], {}, "--port: expected a whole number, not 'x'"),
        (["--port", "65536"], {}, "--port: must be at least 0 and at most 65535"),
        (["--num_workers", "0"], {}, "--num_workers: must be at least 1"),
        (["--drain_seconds", "inf"], {}, "--drain_seconds: must be at least 0"),
        (["--headers", "[1]"], {}, "--headers: expected a JSON object"),
        (["--headers", "{"], {}, "--headers: expected a JSON object"),
        (["--ssl_keyfile_path", "k"], {}, "--ssl_keyfile_path needs --ssl_certfile_path"),
        ([], {"PORT": "abc"}, "environment variable PORT: expected a whole number, not 'abc'"),
    ],
)
def test_wrong_command_lines(
    arguments: list[str], env: dict[str, str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(arguments, env, COMMANDS)
    assert caught.value.code == 2
    assert expected in capsys.readouterr().err.splitlines()[0]


def test_flags_become_the_config_and_the_servers_options() -> None:
    flags = parse(
        [
            *("--model", "openai/foo", "--alias", "foo", "--api_base", "http://h/v1", "--api_key", "k"),
            *("--headers", '{"x-a": "b"}', "--temperature", "0.5", "--max_tokens", "7"),
            *("--request_timeout", "9", "--drop_params", "--port", "0", "--keepalive_timeout", "5"),
            *("--ssl_certfile_path", "c", "--ssl_keyfile_path", "k", "--ciphers", "X", "--limit_concurrency", "8"),
        ],
        {},
    )
    assert serve.overrides_of(flags) == {
        "litellm_settings": {"request_timeout": 9.0, "drop_params": True},
        "model_list": [
            {
                "model_name": "foo",
                "litellm_params": {
                    "model": "openai/foo",
                    "api_base": "http://h/v1",
                    "api_key": "k",
                    "extra_headers": {"x-a": "b"},
                    "temperature": 0.5,
                    "max_tokens": 7,
                },
            }
        ],
    }
    options = serve.options_of(flags, "127.0.0.1")
    assert (options.host, options.port, options.keepalive_timeout, options.max_connections) == ("127.0.0.1", 0, 5, 8)
    assert (options.ssl_certfile, options.ssl_keyfile, options.ciphers) == ("c", "k", "X")
    assert (options.num_workers, options.drain_seconds) == (1, 30)


def test_without_flags_nothing_is_overridden() -> None:
    flags = parse(["--config", "c.yaml"], {})
    assert serve.overrides_of(flags) == {}


def test_nothing_to_serve_says_what_to_do() -> None:
    result = run()
    assert result.returncode == 2
    assert "litellm --config config.yaml" in result.stderr and "litellm --model" in result.stderr


def test_without_the_extra_it_says_how_to_get_it() -> None:
    """-S leaves out installed packages: what remains is a bare Python and this project."""
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); from litellm.cli import main; sys.exit(main())"
    for arguments in (["--config", str(QUICKSTART)], ["check", str(QUICKSTART)]):
        result = subprocess.run(
            [sys.executable, "-S", "-E", "-c", code, *arguments], capture_output=True, text=True, timeout=60
        )
        assert result.returncode == 1
        assert "pip install '.[proxy]'" in result.stderr
        assert "Traceback" not in result.stderr


# litellm check


def test_check_prints_everything_and_fails(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("model_list:\n- model_name: m\n  litellm_params: {model: openai/m, rpm: x}\ngeneral_setings: {}\n")
    result = run("check", str(path))
    assert result.returncode == 1
    assert result.stdout.splitlines() == [
        f"{path}:3:42: model_list[0].litellm_params.rpm: expected a whole number, found text",
        f"{path}:4:1: general_setings: warning: unknown name, has no effect, did you mean general_settings?",
        f"{path}: 1 error, 1 warning",
    ]


def test_check_of_a_good_file() -> None:
    result = run("check", str(QUICKSTART), env={"OPENAI_API_KEY": "k"})
    assert (result.returncode, result.stdout) == (0, f"{QUICKSTART}: no problems\n")
    result = run("check", env={"CONFIG_FILE_PATH": str(QUICKSTART)})
    assert result.returncode == 0
    assert result.stdout.endswith(": 1 warning\n")


def test_check_without_a_file() -> None:
    result = run("check")
    assert result.returncode == 2
    assert "which file?" in result.stderr


# Asking a running gateway


@contextmanager
def answering(answers: dict[str, tuple[int, Any]]) -> Iterator[tuple[str, list[tuple[str, str | None, bytes]]]]:
    """A server with fixed answers by path; its origin, and the (path, authorization, body) of every request."""
    seen: list[tuple[str, str | None, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            seen.append((self.path, self.headers.get("authorization"), body))
            status, answer = answers[self.path]
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_test_asks_the_first_model_that_has_a_name() -> None:
    models = {"data": [{"id": "openai/*"}, {"id": "demo"}]}
    with answering({"/models": (200, models), "/chat/completions": (200, {"hello": 1})}) as (origin, seen):
        result = run("--test", origin, env={"LITELLM_MASTER_KEY": "sk-1"})
    assert result.returncode == 0
    assert '"hello": 1' in result.stdout
    assert [(path, key) for path, key, _ in seen] == [("/models", "Bearer sk-1"), ("/chat/completions", "Bearer sk-1")]
    assert json.loads(seen[1][2])["model"] == "demo"


def test_test_takes_the_model_port_and_key_that_are_given() -> None:
    with answering({"/chat/completions": (401, {"error": "no"})}) as (origin, seen):
        port = origin.rpartition(":")[2]
        result = run("--test", "--model", "mine", "--port", port, "--config", str(QUICKSTART))
    assert result.returncode == 1
    assert "answered 401" in result.stderr
    assert seen[0][1] == "Bearer sk-1234"
    assert json.loads(seen[0][2])["model"] == "mine"


@pytest.mark.parametrize(("unhealthy", "code"), [([], 0), ([{"model": "m"}], 1)])
def test_health(unhealthy: list[Any], code: int) -> None:
    with answering({"/health": (200, {"healthy_endpoints": [], "unhealthy_endpoints": unhealthy})}) as (origin, _):
        result = run("--health", "--port", origin.rpartition(":")[2])
    assert result.returncode == code
    assert "healthy_endpoints" in result.stdout


def test_a_gateway_that_does_not_run() -> None:
    with answering({}) as (origin, _):
        pass
    for arguments in (["--health", "--port", origin.rpartition(":")[2]], ["--test", origin]):
        result = run(*arguments)
        assert result.returncode == 1
        assert "cannot be reached" in result.stderr and "Traceback" not in result.stderr


# Serving


def test_a_bad_config_does_not_start(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("general_settings: {master_key: os.environ/NOPE}\nmodel_list: 3\n")
    result = run("--config", str(path))
    assert result.returncode == 1
    assert f"{path}:1:32: general_settings.master_key: the environment variable NOPE is not set" in result.stderr
    assert f"{path}:2:13: model_list: expected a list, found a number" in result.stderr


def test_skip_server_startup_checks_and_ends() -> None:
    result = run("--config", str(QUICKSTART), "--skip_server_startup", "--run_gunicorn", "--api_base", "http://h")
    assert result.returncode == 0
    assert "--run_gunicorn has no effect yet" in result.stderr
    assert "--api_base has an effect only together with --model" in result.stderr


def test_the_quickstart_serves(tmp_path: Path) -> None:
    with Gateway(QUICKSTART.read_text(), tmp_path, env={"HOST": "127.0.0.1"}) as gateway:
        status, body = gateway.post(
            "/chat/completions", {"model": "demo", "messages": [{"role": "user", "content": "a"}]}
        )
        assert status == 200
        assert json.loads(body)["model"] == "demo"
        assert gateway.get("/models", key="wrong")[0] == 401


def test_a_model_without_a_config(tmp_path: Path) -> None:
    options = ("--model", "demo/demo", "--alias", "mine")
    with Gateway("", tmp_path, options) as gateway:
        status, body = gateway.get("/models")
        assert (status, [model["id"] for model in json.loads(body)["data"]]) == (200, ["mine"])
        assert "listening on 127.0.0.1 only" in gateway.log


def test_a_busy_port_is_an_error(tmp_path: Path) -> None:
    with answering({}) as (origin, _):
        result = run("--config", str(QUICKSTART), "--host", "127.0.0.1", "--port", origin.rpartition(":")[2])
    assert result.returncode == 1
    assert "already in use" in result.stderr
