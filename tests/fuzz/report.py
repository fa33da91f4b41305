"""What a fuzzer has seen: answers by status, and those that must not be."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Report:
    """`statuses` counts every answer, `inference` those of inference routes; `wrong` says what must
    not be."""

    name: str
    seed: int
    statuses: Counter[int] = field(default_factory=Counter)
    inference: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    allowed: frozenset[int] = frozenset()

    def saw(self, status: int, inference: bool, body: bytes, what: str) -> None:
        """One answer. A server error that is not `allowed`, or an error in another shape than OpenAI's, is wrong."""
        self.statuses[status] += 1
        if inference:
            self.inference[status] += 1
        if (status >= 500 and status not in self.allowed) or (status >= 400 and not (body == b"" or well_formed(body))):
            self.wrong.append(f"{status} {body[:300]!r} for {what[:1500]}")

    def check(self, tell: Callable[[str], None]) -> None:
        """Say the counts; fail if anything was wrong."""
        statuses, inference = dict(sorted(self.statuses.items())), self.inference.total()
        shares = f", {inference} on inference routes, {self.succeeded} of them 2xx" if inference else ""
        tell(f"{self.name}: {self.statuses.total()} answers{shares}; by status {statuses}; seed {self.seed}")
        assert not self.wrong, f"seed {self.seed}, {len(self.wrong)} wrong:\n" + "\n".join(self.wrong[:10])

    @property
    def succeeded(self) -> int:
        """Inference requests that were answered 2xx."""
        return sum(count for status, count in self.inference.items() if 200 <= status < 300)


def well_formed(body: bytes) -> bool:
    """OpenAI's error object with its four fields, or FastAPI's answer for an unknown route."""
    try:
        wire: Any = json.loads(body)
    except ValueError:
        return False
    if wire == {"detail": "Not Found"}:
        return True
    error = wire.get("error") if isinstance(wire, dict) else None
    return isinstance(error, dict) and {"message", "type", "param", "code"} <= set(error)
