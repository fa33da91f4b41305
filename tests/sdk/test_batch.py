"""Several calls at once."""

import threading
import time
from typing import Any

import pytest

import litellm
from support.upstream import UpstreamThread

HI = [{"role": "user", "content": "hi"}]


def target(upstream: UpstreamThread) -> dict[str, Any]:
    return {"api_base": upstream.base_url, "api_key": "sk-1", "num_retries": 0}


def prompts(count: int) -> list[Any]:
    return [[{"role": "user", "content": str(number)}] for number in range(count)]


def test_one_answer_per_prompt_in_order(upstream: UpstreamThread) -> None:
    answers = litellm.batch_completion("openai/m", prompts(30), temperature=0.1, **target(upstream))
    assert len(answers) == 30 and all(isinstance(answer, litellm.ModelResponse) for answer in answers)
    sent = {request.json["messages"][0]["content"] for request in upstream.requests}
    assert sent == {str(number) for number in range(30)}
    assert all(request.json["temperature"] == 0.1 for request in upstream.requests)
    assert litellm.batch_completion("openai/m", []) == []


def test_an_exception_in_the_place_of_a_failure() -> None:
    def answer(**given: Any) -> str:
        if given["messages"][0]["content"] == "1":
            raise litellm.RateLimitError("no", "openai", "m")
        return given["messages"][0]["content"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(litellm, "completion", answer)  # as instrumentors do
        zero, one, two = litellm.batch_completion("openai/m", prompts(3))
    assert (zero, two) == ("0", "2")
    assert isinstance(one, litellm.RateLimitError)


def test_at_most_so_many_at_once() -> None:
    running, most, lock = [0], [0], threading.Lock()

    def answer(**_: Any) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.02)
        with lock:
            running[0] -= 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(litellm, "completion", answer)
        litellm.batch_completion("openai/m", prompts(20), max_workers=3)
    assert most[0] <= 3


def test_the_fastest_of_several_models(upstream: UpstreamThread) -> None:
    begin = time.monotonic()
    made = litellm.batch_completion_models(models=["openai/hang", "openai/good"], messages=HI, **target(upstream))
    assert made.choices[0].message.content
    assert time.monotonic() - begin < 30
    slow = next(request for request in upstream.requests if request.model == "hang")
    until = time.monotonic() + 30
    while not slow.disconnected and time.monotonic() < until:
        time.sleep(0.01)
    assert slow.disconnected, "the loser stops costing money"


def test_a_failure_does_not_win(upstream: UpstreamThread) -> None:
    rows = [{"model": "openai/status-500", **target(upstream)}, {"model": "openai/good", **target(upstream)}]
    assert litellm.batch_completion_models(messages=HI, deployments=rows).choices
    with pytest.raises(litellm.InternalServerError):
        litellm.batch_completion_models(HI, models=["openai/status-500"] * 2, **target(upstream))
    with pytest.raises(litellm.BadRequestError, match="whom to ask"):
        litellm.batch_completion_models(messages=HI)


def test_all_answers(upstream: UpstreamThread, caplog: pytest.LogCaptureFixture) -> None:
    models = ["openai/a", "openai/status-500", "openai/b"]
    answers = litellm.batch_completion_models_all_responses(models=models, messages=HI, **target(upstream))
    assert len(answers) == 2
    assert "openai/status-500" in caplog.text
