"""The programs of `examples/`, run as their readers run them, against the tests' upstream; none warns or complains."""

import ast
import asyncio
import base64
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support import behaviours, bodies
from support.behaviours import Exchange
from support.upstream import UpstreamThread

FOLDER = Path(__file__).parents[2] / "examples"
MODEL = "gpt-4o-mini"
TEXT = " tok0 tok1 tok2 tok3 tok4"
SECONDS = 120.0  # a bound for a slow machine, not an expectation


def environment(upstream: UpstreamThread, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    return {**kept, "OPENAI_BASE_URL": upstream.base_url, "OPENAI_API_KEY": "sk-example", **more}


def run(upstream: UpstreamThread, name: str, *args: str, text: str = "", status: int = 0, **env: str) -> str:
    """What the program prints on stdout, or on stderr if that is all; it may complain only if it has to fail."""
    command = [sys.executable, "-W", "error", str(FOLDER / name), *args]
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=SECONDS, env=environment(upstream, **env)
    )
    assert done.returncode == status, done.stderr
    assert status or not done.stderr, done.stderr
    return done.stdout or done.stderr


def behave(monkeypatch: pytest.MonkeyPatch, behaviour: behaviours.Behaviour, model: str = MODEL) -> None:
    monkeypatch.setitem(behaviours.BEHAVIOURS, model, behaviour)


async def say(exchange: Exchange, text: str) -> None:
    await exchange.send(behaviours.whole(200, behaviours.to_bytes(bodies.answer("chat", exchange.asked, text=text))))


def test_an_agent_loop_with_tools(upstream: UpstreamThread, monkeypatch: pytest.MonkeyPatch):
    async def agent(exchange: Exchange) -> None:
        """Asks for the weather, then tells what it was told."""
        last = exchange.asked["messages"][-1]
        if last["role"] == "tool":
            await say(exchange, f"Take none: {last['content']}.")
        else:
            await behaviours.tool_call(exchange)

    behave(monkeypatch, agent)
    assert run(upstream, "agent.py").splitlines() == [
        "-> get_weather({'city': 'Paris'})",
        "Take none: 18 degrees, cloudy.",
    ]
    first, second = upstream.asked(MODEL)
    assert [tool["function"]["name"] for tool in first.json["tools"]] == ["get_weather"]
    question, asked, told = second.json["messages"]
    assert question == {"role": "user", "content": "Do I need an umbrella in Paris?"}
    assert asked["tool_calls"][0]["id"] == told["tool_call_id"] == "call_1"


def test_an_agent_that_never_answers(upstream: UpstreamThread, monkeypatch: pytest.MonkeyPatch):
    behave(monkeypatch, behaviours.tool_call)
    assert run(upstream, "agent.py", "Well?").splitlines()[-1] == "no answer after 5 steps"
    assert len(upstream.asked(MODEL)) == 5


def test_structured_output_with_pydantic(upstream: UpstreamThread, monkeypatch: pytest.MonkeyPatch):
    found = {"order": 4411, "items": [{"name": "blue kettle", "quantity": 2}], "wish": "refund"}
    behave(monkeypatch, lambda exchange: say(exchange, json.dumps(found)))
    assert run(upstream, "structured_output.py").splitlines() == ["Order 4411: refund", "  2 x blue kettle"]
    schema = upstream.asked(MODEL)[0].json["response_format"]["json_schema"]
    assert schema["name"] == "Complaint" and schema["strict"] is True
    assert set(schema["schema"]["properties"]) == {"order", "items", "wish"}


def test_an_async_fan_out_with_a_semaphore(upstream: UpstreamThread, monkeypatch: pytest.MonkeyPatch):
    under_way, most = 0, 0

    async def counted(exchange: Exchange) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.05)
        under_way -= 1
        await behaviours.normal(exchange)

    behave(monkeypatch, counted)
    lines = run(upstream, "fan_out.py", AT_ONCE="3").splitlines()
    assert len(lines) == 10 and lines[0] == f"Accra:{TEXT}"
    assert most == upstream.accepted == 3


def test_streaming_to_a_terminal(upstream: UpstreamThread):
    out = run(upstream, "stream_to_terminal.py", text="Hello\nAnd again\n")
    assert out == f"You: {TEXT}\nYou: {TEXT}\nYou: \n"
    messages = upstream.asked(MODEL)[1].json["messages"]
    assert [(one["role"], one["content"]) for one in messages] == [
        ("user", "Hello"), ("assistant", TEXT), ("user", "And again"),
    ]  # fmt: skip


def test_a_retrying_batch_job_with_its_costs(upstream: UpstreamThread, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    refused: set[str] = set()

    async def busy(exchange: Exchange) -> None:
        """Refuses each line once."""
        line = exchange.asked["messages"][-1]["content"]
        known = line in refused
        refused.add(line)
        await (behaviours.normal(exchange) if known else behaviours.status(exchange, 503))

    behave(monkeypatch, busy)
    lines = tmp_path / "lines.txt"
    lines.write_text("one\n\ntwo\nthree\n")
    out = run(upstream, "batch_with_costs.py", str(lines)).splitlines()
    assert out[:4] == ["one", f"  {TEXT.strip()}", "two", f"  {TEXT.strip()}"]
    total, dollars = out[-1].split(" tokens, $")
    assert total == "3 lines, 0 failed, 54"
    assert float(dollars) == pytest.approx(3 * (9 * 0.15 + 4 * 0.075 + 5 * 0.6) / 1e6, abs=1e-6)
    assert len(upstream.asked(MODEL)) == 6


def test_a_line_of_a_batch_that_fails_does_not_take_the_others_along(
    upstream: UpstreamThread, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    async def picky(exchange: Exchange) -> None:
        hopeless = exchange.asked["messages"][-1]["content"] == "hopeless"
        await (behaviours.status(exchange, 400) if hopeless else behaviours.normal(exchange))

    behave(monkeypatch, picky)
    lines = tmp_path / "lines.txt"
    lines.write_text("one\nhopeless\n")
    out = run(upstream, "batch_with_costs.py", str(lines), status=1)
    assert "hopeless\n  failed: BadRequestError: " in out
    assert "2 lines, 1 failed, 18 tokens" in out


def test_a_vision_call(upstream: UpstreamThread, tmp_path: Path):
    picture = tmp_path / "dot.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n dot")
    assert run(upstream, "vision.py", str(picture), "A", "dot?") == f"{TEXT}\n"
    run(upstream, "vision.py", "https://pictures.example/a.jpg")
    (text, inline), (_, linked) = (asked.json["messages"][0]["content"] for asked in upstream.asked(MODEL))
    assert text["text"] == "A dot?"
    kind, _, data = inline["image_url"]["url"].partition(";base64,")
    assert kind == "data:image/png" and base64.b64decode(data) == picture.read_bytes()
    assert linked["image_url"]["url"] == "https://pictures.example/a.jpg"


def test_a_custom_provider(upstream: UpstreamThread):
    backwards = "yadot step on no pets"
    assert run(upstream, "custom_provider.py").splitlines() == [backwards, TEXT, f"{backwards} "]
    (asked,) = upstream.asked(MODEL)
    assert asked.json["messages"][0]["content"] == "Say this politely: step on no pets today"


def test_a_callback_that_logs_to_sqlite(upstream: UpstreamThread, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    behave(monkeypatch, lambda exchange: behaviours.status(exchange, 404), f"{MODEL}-of-yesterday")
    path = tmp_path / "calls.db"
    out = run(upstream, "log_to_sqlite.py", CALLS_DB=str(path))
    assert out.splitlines()[-1] == "no such model; that is in the log, too"
    database = sqlite3.connect(path)
    rows = database.execute("select status, total_tokens, response_cost > 0, error_str from calls").fetchall()
    database.close()
    assert [row[:3] for row in sorted(rows, key=lambda row: row[0], reverse=True)] == [
        ("success", 18, 1), ("success", 18, 1), ("failure", 0, 0),
    ]  # fmt: skip
    assert [bool(row[3]) for row in rows].count(True) == 1


def test_a_fallback_chain(upstream: UpstreamThread):
    out = run(upstream, "fallback_chain.py", MODELS="openai/status-503,openai/status-429,openai/ok")
    assert out == f"ok-2024-07-18: {TEXT}\n"
    assert len(upstream.asked("status-503")) == 2  # its own retry


def test_a_fallback_chain_without_an_end(upstream: UpstreamThread):
    out = run(upstream, "fallback_chain.py", MODELS="openai/status-500,openai/status-429", status=1)
    assert out == "nobody answered; the last one said RateLimitError (429)\n"


def test_a_prompt_too_long_for_the_first_model(upstream: UpstreamThread, monkeypatch: pytest.MonkeyPatch):
    async def small(exchange: Exchange) -> None:
        body = bodies.error(400, message="maximum context length is 8 tokens")
        body["error"]["code"] = "context_length_exceeded"
        await exchange.send(behaviours.whole(400, behaviours.to_bytes(body)))

    behave(monkeypatch, small, "small")
    assert run(upstream, "fallback_chain.py", MODELS="openai/small", LONG_MODEL="openai/large").startswith("large-")


def test_a_notebook_s_cells_in_a_running_loop(
    upstream: UpstreamThread, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """As IPython runs them: each cell by itself, on the thread whose loop is running."""
    for name, value in environment(upstream).items():
        monkeypatch.setenv(name, value)

    cells = (FOLDER / "notebook.py").read_text().split("# %% ")[1:]

    async def kernel() -> None:
        names: dict[str, Any] = {}
        for cell in cells:
            exec(f"# {cell}", names)  # noqa: S102

    asyncio.run(kernel())
    assert capsys.readouterr().out == f"{TEXT}\n{[TEXT] * 3}\n{TEXT}\n54 tokens\n"


def test_the_notebook_as_a_script(upstream: UpstreamThread):
    assert run(upstream, "notebook.py").endswith("54 tokens\n")


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_every_example_is_short_and_says_what_it_is(path: Path):
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text))
    assert 20 <= len(text.splitlines()) <= 60
    assert f'"{path.stem}.py"' in Path(__file__).read_text()
