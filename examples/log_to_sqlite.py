"""A callback that writes every call into a SQLite file, the failed ones too.

Set OPENAI_API_KEY; OPENAI_BASE_URL for another endpoint, MODEL for another model, CALLS_DB for another file.
"""

import os
import sqlite3

import litellm
from litellm.integrations.custom_logger import CustomLogger

MODEL = os.environ.get("MODEL", "openai/gpt-4o-mini")
DATABASE = os.environ.get("CALLS_DB", "calls.db")

COLUMNS = ("id", "status", "model", "total_tokens", "response_cost", "response_time", "error_str")


class CallLog(CustomLogger):
    """Callbacks run in a thread of their own, so each event opens the file for itself."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self._execute(f"create table if not exists calls ({', '.join(COLUMNS)})")

    def log_success_event(self, kwargs, response_obj, start_time, end_time):
        self._write(kwargs["standard_logging_object"])

    def log_failure_event(self, kwargs, response_obj, start_time, end_time):
        self._write(kwargs["standard_logging_object"])

    def _write(self, event: dict) -> None:
        marks = ", ".join("?" * len(COLUMNS))
        self._execute(f"insert into calls values ({marks})", [event.get(column) for column in COLUMNS])  # noqa: S608

    def _execute(self, statement: str, values: list | None = None) -> None:
        database = sqlite3.connect(self.path)
        with database:
            database.execute(statement, values or [])
        database.close()


litellm.callbacks = [CallLog(DATABASE)]


if __name__ == "__main__":
    for question in ("What is a query plan?", "And an index?"):
        answer = litellm.completion(model=MODEL, messages=[{"role": "user", "content": question}])
        print(answer.choices[0].message.content)
    try:
        litellm.completion(model=f"{MODEL}-of-yesterday", messages=[{"role": "user", "content": "Are you there?"}])
    except litellm.NotFoundError:
        print("no such model; that is in the log, too")
