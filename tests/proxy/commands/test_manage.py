"""The management commands, against a gateway as a process; what is not built there yet, against fixed answers."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from litellm.cli import main
from litellm.proxy.commands import manage
from support.gateway import MASTER_KEY, Gateway

CONFIG = {
    "model_list": [{"model_name": "demo", "litellm_params": {"model": "demo/demo"}}],
    "general_settings": {"master_key": MASTER_KEY, "data_dir": "data"},
}


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    with Gateway(json.dumps(CONFIG), tmp_path) as gateway:
        monkeypatch.setenv("LITELLM_PROXY_URL", gateway.origin)
        monkeypatch.setenv("LITELLM_PROXY_API_KEY", MASTER_KEY)
        yield gateway


def test_a_key_from_its_making_to_its_end(gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    def told(*arguments: str) -> Any:
        assert main([*arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    made = told("keys", "generate", "--key-alias", "mine", "--models", "demo, other", "--max-budget", "0.5")
    assert (made["models"], made["max_budget"], made["key_alias"]) == (["demo", "other"], 0.5, "mine")
    key = made["key"]
    assert main(["keys", "list"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["token", "key_name", "key_alias"] and f"sk-...{key[-4:]}" in row and key not in row
    assert told("keys", "update", key, "--rpm-limit", "7")["rpm_limit"] == 7
    assert told("keys", "block", key)["blocked"] is True
    assert told("keys", "info", key)["info"]["blocked"] is True
    assert told("keys", "unblock", key)["blocked"] is False
    assert (
        gateway.post("/chat/completions", {"model": "demo", "messages": [{"role": "user", "content": "a"}]}, key=key)[0]
        == 200
    )
    assert main(["spend", "total"]) == 0
    assert capsys.readouterr().out.split()[:2] == ["spend", "max_budget"]
    spent = ["--start-date", "2026-01-01", "--end-date", "2099-01-01"]
    until = time.monotonic() + 30
    while not (rows := told("spend", "logs", "--size", "5", *spent)) and time.monotonic() < until:
        time.sleep(0.2)
    assert rows[0]["model"] == "demo", "calls, not their sums"
    assert [day["api_keys"][0]["api_key"] for day in told("spend", "report", "--by", "api_key")] == [made["token"]]
    assert main(["spend", "report"]) == 0
    assert capsys.readouterr().out.split()[:3] == ["day", "of", "spend"]
    assert told("keys", "delete", key) == {"deleted_keys": [key]}
    assert main(["keys", "info", key]) == 1
    assert capsys.readouterr().err.endswith("answered 404: Key not found\n")
    assert main(["keys", "list"]) == 0
    assert capsys.readouterr().err == "none\n"


def test_a_wrong_key_and_no_gateway(gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "list", "--key", "sk-wrong"]) == 1
    assert "answered 401" in capsys.readouterr().err
    assert main(["keys", "list", "--url", "http://127.0.0.1:9"]) == 1
    assert "cannot be reached" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["keys"], "what about them? generate, list, info, update, delete, block, unblock"),
        (["keys", "shred"], "invalid choice: 'shred'"),
        (["keys", "generate", "--max-budget", "much"], "--max-budget"),
        (["keys", "generate", "--metadata", "[]"], "expected a JSON object"),
        (["keys", "info"], "key"),
    ],
)
def test_wrong_command_lines(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert said.lower() in capsys.readouterr().err.lower()


def test_answers_as_tables() -> None:
    """The shapes of LiteLLM's documentation."""
    verbs = manage.VERBS
    assert verbs["users"]["list"].rows({"users": [{"user_id": "u"}], "total": 1}) == [{"user_id": "u"}]
    assert verbs["teams"]["list"].rows([{"team_id": "t"}]) == [{"team_id": "t"}]
    assert verbs["teams"]["info"].rows({"team_id": "t", "team_info": {"team_id": "t", "spend": 1}}) == [
        {"team_id": "t", "spend": 1}
    ]
    teams = [{"team_name": "a", "total_spend": 0.5, "metadata": []}]
    answer = [{"group_by_day": "2026-11-01T00:00:00+00:00", "teams": teams}]
    assert verbs["spend"]["report"].rows(answer) == [{"day": "2026-11-01", "of": "a", "spend": 0.5}]
