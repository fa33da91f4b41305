"""BudgetManager: what users of a program may spend."""

import json
import time
from pathlib import Path

import pytest

import litellm

HI = [{"role": "user", "content": "hi"}]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_costs_add_up_and_are_kept(folder: Path) -> None:
    manager = litellm.BudgetManager(project_name="p")
    assert not manager.is_valid_user("u")
    manager.create_budget(total_budget=10, user="u", duration="daily")
    assert manager.is_valid_user("u") and manager.get_users() == ["u"]
    response = litellm.completion("gpt-4o", HI, mock_response="x")
    manager.update_cost(completion_obj=response, user="u")
    manager.update_cost(user="u", model="gpt-4o", input_text="hello there", output_text="hello to you")
    spent = manager.get_current_cost("u")
    assert spent > litellm.completion_cost(response) > 0
    assert manager.get_model_cost("u") == {"gpt-4o": pytest.approx(spent)}
    assert manager.projected_cost("gpt-4o", HI, "u") > spent
    assert manager.get_total_budget("u") == 10
    assert manager.save_data() == {"status": "success"}
    assert json.loads((folder / "user_cost.json").read_text())["u"]["current_cost"] == spent
    assert litellm.BudgetManager(project_name="p").get_current_cost("u") == spent


def test_time_runs_out() -> None:
    manager = litellm.BudgetManager(project_name="p")
    day = 24 * 3600
    manager.create_budget(1, "old", "daily", created_at=time.time() - 2 * day)
    manager.create_budget(1, "new", "weekly")
    for user in ("old", "new"):
        manager.update_cost(user=user, model="gpt-4o", input_text="a", output_text="b")
    manager.update_budget_all_users()
    assert manager.get_current_cost("old") == 0.0 and manager.get_current_cost("new") > 0
    manager.reset_cost("new")
    assert manager.get_current_cost("new") == 0.0


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="not built"):
        litellm.BudgetManager(project_name="p", client_type="hosted")
    manager = litellm.BudgetManager(project_name="p")
    with pytest.raises(ValueError, match="duration must be one of"):
        manager.create_budget(1, "u", "hourly")
    manager.create_budget(1, "u")
    with pytest.raises(ValueError, match="needed"):
        manager.update_cost(user="u")
