"""`BudgetManager`: what each user of a program may spend, kept in a JSON file of the working directory.

Amounts are dollars, durations "daily", "weekly", "monthly", "yearly".
"""

import json
import threading
import time
from pathlib import Path
from typing import Any, Final

from litellm.sdk.costs import completion_cost

DAY: Final = 24 * 3600
DURATIONS: Final = {"daily": DAY, "weekly": 7 * DAY, "monthly": 28 * DAY, "yearly": 365 * DAY}
FILE: Final = Path("user_cost.json")

User = dict[str, Any]


class BudgetManager:
    """`client_type` "local" is the only one there is: LiteLLM's "hosted" kept the data on a server of theirs."""

    def __init__(
        self,
        project_name: str,
        client_type: str = "local",
        api_base: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        if client_type != "local":
            raise ValueError(f"client_type {client_type!r} is not built: there is 'local'")
        self.project_name = project_name
        self.client_type = client_type
        self.api_base = api_base
        self.headers = headers or {"Content-Type": "application/json"}
        self._lock = threading.Lock()
        self.user_dict: dict[str, User] = {}
        self.load_data()

    def load_data(self) -> None:
        """What the file holds; nothing if there is none."""
        if FILE.is_file():
            self.user_dict = json.loads(FILE.read_text(encoding="utf-8"))

    def save_data(self) -> dict[str, str]:
        with self._lock:
            FILE.write_text(json.dumps(self.user_dict, indent=4), encoding="utf-8")
        return {"status": "success"}

    def create_budget(
        self, total_budget: float, user: str, duration: str | None = None, created_at: float | None = None
    ) -> User:
        """A budget for a user; `created_at` is Unix time. Raises ValueError for an unknown duration."""
        made: User = {"total_budget": total_budget}
        if duration is not None:
            if duration not in DURATIONS:
                raise ValueError(f"duration must be one of {', '.join(DURATIONS)}, not {duration!r}")
            began = time.time() if created_at is None else created_at
            made |= {"duration": DURATIONS[duration], "created_at": began, "last_updated_at": began}
        self.user_dict[user] = made
        return made

    def projected_cost(self, model: str, messages: list[Any], user: str) -> float:
        """What the user will have spent after a prompt, its answer not counted."""
        prompt = "".join(str(message.get("content") or "") for message in messages)
        return completion_cost(model=model, prompt=prompt) + self.get_current_cost(user)

    def get_total_budget(self, user: str) -> float:
        return self.user_dict[user]["total_budget"]

    def update_cost(
        self,
        user: str,
        completion_obj: Any = None,
        model: str | None = None,
        input_text: str | None = None,
        output_text: str | None = None,
    ) -> dict[str, User]:
        """Add what a response cost, or what texts to and from a model cost."""
        if model and input_text is not None and output_text is not None:
            cost = completion_cost(model=model, prompt=input_text, completion=output_text)
        elif completion_obj is not None:
            cost = completion_cost(completion_obj)
            model = model or completion_obj["model"]
        else:
            raise ValueError("either completion_obj, or model with input_text and output_text, is needed")
        with self._lock:
            entry = self.user_dict[user]
            entry["current_cost"] = cost + entry.get("current_cost", 0.0)
            costs = entry.setdefault("model_cost", {})
            costs[model] = cost + costs.get(model, 0.0)
        return {"user": entry}

    def get_current_cost(self, user: str) -> float:
        return self.user_dict[user].get("current_cost", 0.0)

    def get_model_cost(self, user: str) -> dict[str, float] | float:
        return self.user_dict[user].get("model_cost", 0.0)

    def is_valid_user(self, user: str) -> bool:
        return user in self.user_dict

    def get_users(self) -> list[str]:
        return list(self.user_dict)

    def reset_cost(self, user: str) -> dict[str, User]:
        self.user_dict[user] |= {"current_cost": 0.0, "model_cost": {}}
        return {"user": self.user_dict[user]}

    def reset_on_duration(self, user: str) -> None:
        """Begin anew if the user's time is over; then the data is saved."""
        entry = self.user_dict[user]
        if "duration" in entry and time.time() - entry["last_updated_at"] >= entry["duration"]:
            self.reset_cost(user)
            entry["last_updated_at"] = time.time()
            self.save_data()

    def update_budget_all_users(self) -> None:
        for user in self.get_users():
            self.reset_on_duration(user)
