"""Callbacks of the SDK's calls: what they are told, in which order, and that they never touch a call."""

import asyncio
import contextvars
import logging
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

import litellm
from litellm.engine.delivery import delivery
from litellm.integrations.custom_logger import CustomLogger
from litellm.types.standard_logging import StandardLoggingPayload
from support.upstream import UpstreamThread

HI = [{"role": "user", "content": "hi"}]
MOCK: dict[str, Any] = {"model": "openai/gpt-4o", "messages": HI, "mock_response": "hello you", "num_retries": 0}
LISTS = ("callbacks", "input_callback", "success_callback", "failure_callback", "_async_success_callback",
         "_async_failure_callback", "_async_input_callback")  # fmt: skip


@pytest.fixture(autouse=True)
def no_callbacks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in LISTS:
        monkeypatch.setattr(litellm, name, [])
    yield
    delivery.flush(20)


def told() -> None:
    assert delivery.flush(20), "the callbacks have not run"


def target(upstream: UpstreamThread) -> dict[str, Any]:
    return {"api_base": upstream.base_url, "api_key": "sk-secret", "messages": HI, "num_retries": 0}


class Recorder(CustomLogger):
    """Writes down which hook was called with what."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.heard: list[tuple[str, dict[str, Any], Any]] = []

    @property
    def hooks(self) -> list[str]:
        return [hook for hook, _, _ in self.heard]

    def log_pre_api_call(self, model: str, messages: Any, kwargs: dict[str, Any]) -> None:
        assert (model, messages) == (kwargs["model"], kwargs["messages"])
        self.heard.append(("pre", kwargs, None))

    def log_post_api_call(self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any) -> None:
        self.heard.append(("post", kwargs, response_obj))

    def log_success_event(self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any) -> None:
        self.heard.append(("success", kwargs, response_obj))

    def log_failure_event(self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any) -> None:
        self.heard.append(("failure", kwargs, response_obj))


class AsyncRecorder(Recorder):
    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        await asyncio.sleep(0)
        self.heard.append(("async success", kwargs, response_obj))

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        await asyncio.sleep(0)
        self.heard.append(("async failure", kwargs, response_obj))


# What they are told


def test_a_function_is_given_the_call_the_answer_and_two_times() -> None:
    heard: list[tuple[Any, ...]] = []
    litellm.success_callback = [lambda *arguments: heard.append(arguments)]
    made = litellm.completion(**MOCK, temperature=0.5, user="u1", metadata={"trace": 1})
    told()
    ((kwargs, response, start, end),) = heard
    assert response is made
    assert start <= end and start == kwargs["start_time"] and end == kwargs["end_time"]
    assert (kwargs["model"], kwargs["custom_llm_provider"]) == ("gpt-4o", "openai")
    assert kwargs["messages"] == HI
    assert kwargs["optional_params"] == {"temperature": 0.5, "user": "u1"}
    assert (kwargs["temperature"], kwargs["user"], kwargs["stream"]) == (0.5, "u1", False)
    assert kwargs["litellm_params"]["metadata"] == {"trace": 1}
    assert kwargs["litellm_call_id"] == made._hidden_params["litellm_call_id"]
    assert kwargs["call_type"] == "completion"
    assert kwargs["response_cost"] == pytest.approx(10 * 2.5e-6 + 20 * 10e-6)
    assert kwargs["additional_args"]["complete_input_dict"] == {
        "model": "gpt-4o", "messages": HI, "temperature": 0.5, "user": "u1",
    }  # fmt: skip
    assert "exception" not in kwargs and "complete_streaming_response" not in kwargs


@pytest.mark.parametrize("asynchronous", [False, True])
def test_input_and_success_get_the_same_dict_in_this_order(asynchronous: bool) -> None:
    heard: list[tuple[str, dict[str, Any]]] = []

    def on_input(kwargs: dict[str, Any]) -> None:
        assert kwargs["response_cost"] is None
        kwargs["litellm_params"]["metadata"]["span"] = "mine"
        heard.append(("input", kwargs))

    def on_success(kwargs: dict[str, Any], *_: Any) -> None:
        heard.append((kwargs["litellm_params"]["metadata"]["span"], kwargs))

    litellm.input_callback, litellm.success_callback = [on_input], [on_success]
    for _ in range(5):
        asyncio.run(litellm.acompletion(**MOCK)) if asynchronous else litellm.completion(**MOCK)
    told()
    assert [name for name, _ in heard] == ["input", "mine"] * 5
    dicts = [kwargs for _, kwargs in heard]
    assert all(one is other for one, other in zip(dicts[::2], dicts[1::2], strict=True))
    assert len({id(kwargs) for kwargs in dicts}) == 5


def test_the_callers_own_metadata_stays_as_it_was() -> None:
    litellm.input_callback = [lambda kwargs: kwargs["litellm_params"]["metadata"].update(span=1)]
    mine: dict[str, Any] = {"a": 1}
    litellm.completion(**MOCK, metadata=mine)
    told()
    assert mine == {"a": 1}


def test_a_failure_says_what_was_raised() -> None:
    heard: list[tuple[Any, ...]] = []
    litellm.failure_callback = [lambda *arguments: heard.append(arguments)]
    with pytest.raises(litellm.RateLimitError) as caught:
        litellm.completion(**{**MOCK, "mock_response": "litellm.RateLimitError"})
    with pytest.raises(litellm.BadRequestError):
        litellm.completion(model="no-such-provider", messages=HI)
    told()
    (kwargs, response, _, _), (early, *_) = heard
    assert response is None
    assert kwargs["exception"] is caught.value
    assert "RateLimitError" in kwargs["traceback_exception"]
    logged = kwargs["standard_logging_object"]
    assert (logged["status"], logged["response"]) == ("failure", None)
    assert logged["error_information"]["error_code"] == "429"
    assert logged["error_information"]["error_class"] == "RateLimitError"
    assert isinstance(early["exception"], litellm.BadRequestError)


@pytest.mark.parametrize(
    ("logger", "sync_hooks", "async_hooks"),
    [
        (Recorder, ["pre", "post", "success", "pre", "failure"], ["pre", "post", "success", "pre", "failure"]),
        (
            AsyncRecorder,
            ["pre", "post", "success", "pre", "failure"],
            ["pre", "post", "async success", "pre", "async failure"],
        ),
    ],
)
def test_a_logger_is_told_in_the_form_of_the_call(
    logger: type[Recorder], sync_hooks: list[str], async_hooks: list[str]
) -> None:
    async def both() -> None:
        await litellm.acompletion(**MOCK)
        with pytest.raises(litellm.RateLimitError):
            await litellm.acompletion(**{**MOCK, "mock_response": "litellm.RateLimitError"})

    recorder = logger()
    litellm.callbacks = [recorder]
    litellm.completion(**MOCK)
    with pytest.raises(litellm.RateLimitError):
        litellm.completion(**{**MOCK, "mock_response": "litellm.RateLimitError"})
    told()
    assert recorder.hooks == sync_hooks
    recorder.heard.clear()
    asyncio.run(both())
    told()
    assert sorted(recorder.hooks) == sorted(async_hooks)


def test_a_logger_with_only_the_asynchronous_form_hears_of_synchronous_calls() -> None:
    heard: list[str] = []

    class Only(CustomLogger):
        async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            heard.append(kwargs["call_type"])

    litellm.callbacks = [Only()]
    litellm.completion(**MOCK)
    told()
    assert heard == ["completion"]


def test_asynchronous_functions_in_any_list() -> None:
    heard: list[str] = []

    async def note(kwargs: Any, *_: Any) -> None:
        await asyncio.sleep(0)
        heard.append(kwargs["call_type"])

    litellm.success_callback, litellm._async_success_callback = [note], [note]  # once, though it stands in both
    asyncio.run(litellm.acompletion(**MOCK))
    litellm.completion(**MOCK)
    told()
    assert sorted(heard) == ["acompletion", "completion"]


def test_other_kinds_of_calls() -> None:
    heard: list[tuple[str, Any]] = []
    litellm.success_callback = [lambda kwargs, *_: heard.append((kwargs["call_type"], kwargs["messages"]))]
    litellm.embedding("openai/e", input=["a"], mock_response=[0.5])
    litellm.text_completion(model="openai/t", prompt="say", mock_response="x")
    told()
    assert heard == [("embedding", ["a"]), ("text_completion", [{"role": "user", "content": "say"}])]


def test_the_payload_is_complete_and_can_be_written_as_json() -> None:
    heard: list[dict[str, Any]] = []
    litellm.success_callback = [lambda kwargs, *_: heard.append(kwargs["standard_logging_object"])]
    litellm.failure_callback = litellm.success_callback
    litellm.completion(**MOCK, metadata={"tags": ["t1"]}, user="u")
    with pytest.raises(litellm.RateLimitError):
        litellm.completion(**{**MOCK, "mock_response": "litellm.RateLimitError"})
    told()
    for payload in heard:
        assert payload.keys() == StandardLoggingPayload.__annotations__.keys()
        assert orjson.dumps(payload)
    payload = heard[0]
    assert (payload["prompt_tokens"], payload["completion_tokens"], payload["total_tokens"]) == (10, 20, 30)
    assert (payload["end_user"], payload["request_tags"]) == ("u", ["t1"])
    assert payload["response"]["choices"][0]["message"]["content"] == "hello you"
    assert payload["startTime"] <= payload["completionStartTime"] <= payload["endTime"]
    assert payload["response_time"] == pytest.approx(payload["endTime"] - payload["startTime"], abs=1e-5)


def test_no_key_is_in_what_callbacks_see(upstream: UpstreamThread) -> None:
    recorder = Recorder()
    litellm.callbacks = [recorder]
    litellm.completion("openai/m", **target(upstream))
    told()
    assert len(recorder.heard) == 3
    assert all("sk-secret" not in repr(kwargs) for _, kwargs, _ in recorder.heard)


def test_no_log() -> None:
    recorder = Recorder()
    litellm.callbacks = [recorder]
    litellm.completion(**MOCK, **{"no-log": True})
    told()
    assert recorder.heard == []


def test_context_variables_of_the_caller() -> None:
    heard: list[str] = []
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="?")

    async def asynchronous(*_: Any) -> None:
        heard.append(name.get())

    litellm.success_callback = [lambda *_: heard.append(name.get()), asynchronous]
    contextvars.copy_context().run(lambda: (name.set("caller"), litellm.completion(**MOCK)))
    told()
    assert heard == ["caller", "caller"]


def test_names_that_are_no_callback() -> None:
    for name, said in (("langfuse", "not built yet"), ("no_such_thing", "unknown callback")):
        litellm.success_callback = [name]
        with pytest.raises(litellm.BadRequestError, match=said):
            litellm.completion(**MOCK)


@pytest.mark.parametrize("everywhere", [True, False])
def test_prompts_and_answers_can_be_hidden(everywhere: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm, "turn_off_message_logging", everywhere)
    hiding, plain = Recorder(turn_off_message_logging=not everywhere), Recorder()
    litellm.callbacks = [hiding, plain]
    made = litellm.completion(**MOCK)
    list(litellm.completion(**MOCK, stream=True))
    told()
    assert len(hiding.heard) == 5
    for _, kwargs, response in hiding.heard:
        assert "hello you" not in repr((kwargs, response))
        assert "'hi'" not in repr(kwargs)
    assert hiding.heard[2][1]["standard_logging_object"]["total_tokens"] == 30
    assert ("hello you" in repr(plain.heard)) is not everywhere
    assert made.choices[0].message.content == "hello you"


# Streams


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_stream_is_told_with_the_answer_it_adds_up_to(asynchronous: bool, upstream: UpstreamThread) -> None:
    recorder = AsyncRecorder()
    litellm.callbacks = [recorder]

    async def read() -> list[Any]:
        return [chunk async for chunk in await litellm.acompletion("openai/m", stream=True, **target(upstream))]

    if asynchronous:
        chunks = asyncio.run(read())
    else:
        chunks = list(litellm.completion("openai/m", stream=True, **target(upstream)))
    told()
    assert recorder.hooks == ["pre", "async success" if asynchronous else "success"]
    _, kwargs, response = recorder.heard[1]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text and response.choices[0].message.content == text
    assert kwargs["complete_streaming_response"] is response
    assert kwargs["async_complete_streaming_response"] is response
    assert kwargs["stream"] is True
    assert kwargs["start_time"] <= kwargs["completion_start_time"] <= kwargs["end_time"]
    # The endpoint was asked for usage, because somebody may want to know the cost; the caller was not shown it.
    assert upstream.requests[0].json["stream_options"] == {"include_usage": True}
    assert response.usage.total_tokens == kwargs["standard_logging_object"]["total_tokens"] > 0
    assert all(chunk.get("usage") is None for chunk in chunks)


def test_without_callbacks_nobody_asks_for_usage(upstream: UpstreamThread) -> None:
    list(litellm.completion("openai/m", stream=True, **target(upstream)))
    assert "stream_options" not in upstream.requests[0].json


def test_each_chunk_can_be_heard() -> None:
    class Chunks(CustomLogger):
        def log_stream_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            heard.append(response_obj)

    heard: list[Any] = []
    litellm.callbacks = [Chunks()]
    chunks = list(litellm.completion(**MOCK, stream=True))
    told()
    assert heard == chunks


def test_a_stream_left_early_is_told_once_with_what_was_read() -> None:
    recorder = Recorder()
    litellm.callbacks = [recorder]
    stream = litellm.completion(**{**MOCK, "mock_response": "one two three four"}, stream=True)
    for chunk in stream:
        if "two" in (chunk.choices[0].delta.content or ""):
            break
    stream.close()
    del stream
    told()
    assert recorder.hooks == ["pre", "success"]
    assert recorder.heard[1][2].choices[0].message.content == "one two"


def test_a_stream_that_breaks_is_a_failure(upstream: UpstreamThread) -> None:
    recorder = Recorder()
    litellm.callbacks = [recorder]
    with pytest.raises(litellm.APIConnectionError):
        list(litellm.completion("openai/close-mid-body", stream=True, **target(upstream)))
    told()
    assert recorder.hooks == ["pre", "failure"]


# They never touch a call


@pytest.mark.parametrize("error", [ValueError("the prompt was: hi"), SystemExit(3), KeyboardInterrupt()])
def test_what_a_callback_raises_is_said_and_goes_no_further(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise error

    async def afail(*_: Any) -> None:
        raise error

    after = Recorder()
    litellm.callbacks = [after]
    litellm.input_callback, litellm.success_callback = [fail], [fail, afail]
    with caplog.at_level(logging.WARNING, "litellm"):
        assert litellm.completion(**MOCK).choices[0].message.content == "hello you"
        asyncio.run(litellm.acompletion(**MOCK))
        told()
    assert after.hooks == ["pre", "post", "success"] * 2
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 6
    assert all(type(error).__name__ in line and "test_callbacks.py" in line for line in lines)
    assert not any("the prompt" in line for line in lines), "a callback's words may quote a prompt"


def test_a_callback_that_blocks_delays_no_call() -> None:
    go = threading.Event()
    litellm.input_callback = litellm.success_callback = [lambda *_: go.wait(60)]
    try:
        begin = time.monotonic()
        litellm.completion(**MOCK)
        assert time.monotonic() - begin < 30
    finally:
        go.set()


def test_an_asynchronous_callback_that_hangs_delays_no_call() -> None:
    async def hang(*_: Any) -> None:
        await asyncio.sleep(3600)

    async def main() -> float:
        litellm.success_callback = [hang]
        begin = time.monotonic()
        for _ in range(3):
            await litellm.acompletion(**MOCK)
        seconds = time.monotonic() - begin
        litellm.success_callback = []
        return seconds

    runner = asyncio.Runner()
    assert runner.run(main()) < 30
    tasks = next(home.tasks for home in delivery._homes.values() if home.loop is runner.get_loop())
    for task in tasks:  # else closing the loop would wait for them for the time that flushing may take
        runner.get_loop().call_soon(task.cancel)
    runner.close()


def test_nothing_of_this_is_loaded_for_a_call_without_callbacks() -> None:
    code = """
        import litellm, sys
        litellm.completion(model="openai/m", messages=[{"role": "user", "content": "hi"}], mock_response="x")
        litellm.success_callback.append(print); litellm.success_callback.clear()
        litellm.completion(model="openai/m", messages=[{"role": "user", "content": "hi"}], mock_response="x")
        loaded = [name for name in sys.modules if name.startswith(("litellm.engine.", "litellm.integrations"))]
        assert not {"litellm.engine.events", "litellm.engine.delivery", "litellm.integrations"} & {*loaded}, loaded
    """
    run(code)


# The end


def run(code: str, seconds: float = 120) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=seconds
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_a_loop_finishes_its_callbacks_before_it_closes() -> None:
    heard: list[int] = []

    async def slow(*_: Any) -> None:
        await asyncio.sleep(0.3)
        heard.append(1)

    async def main() -> None:
        await asyncio.gather(*(litellm.acompletion(**MOCK) for _ in range(20)))

    litellm.success_callback = [slow]
    asyncio.run(main())
    assert len(heard) == 20
    heard.clear()
    litellm.success_callback = [lambda *_: None, slow]  # by way of a worker thread
    asyncio.run(main())
    assert len(heard) == 20


EXIT = """
    import asyncio, litellm, time
    call = dict(model="openai/m", messages=[{"role": "user", "content": "hi"}], mock_response="x")

    def slow(*_):
        time.sleep(0.2)
        print("sync\\n", end="", flush=True)

    async def aslow(*_):
        await asyncio.sleep(0.2)
        print("async\\n", end="", flush=True)

    litellm.success_callback = [slow, aslow]
"""


@pytest.mark.parametrize(
    "calls",
    [
        "litellm.completion(**call); litellm.completion(**call)",
        "list(litellm.completion(**call, stream=True)); asyncio.run(litellm.acompletion(**call))",
        """loop = asyncio.new_event_loop(); loop.run_until_complete(litellm.acompletion(**call)); loop.close()
    loop = asyncio.new_event_loop(); loop.run_until_complete(litellm.acompletion(**call)); loop.close()""",
    ],
)
def test_all_are_told_before_the_process_ends(calls: str) -> None:
    said = run(EXIT + "    " + calls)
    assert sorted(said.split()) == ["async", "async", "sync", "sync"]


def test_the_process_ends_although_a_callback_hangs() -> None:
    begin = time.monotonic()
    run(EXIT + "    litellm.success_callback = [lambda *_: time.sleep(3600)]; litellm.completion(**call)")
    assert time.monotonic() - begin < 60


def test_callbacks_in_a_forked_child() -> None:
    said = run(
        EXIT
        + """
    import os
    from litellm.engine.delivery import delivery
    litellm.completion(**call)
    assert delivery.flush(30)  # no callback holds stdout's lock while the process forks
    pid = os.fork()
    if pid == 0:
        litellm.success_callback = [lambda *_: print("child\\n", end="", flush=True)]
        litellm.completion(**call)
        assert delivery.flush(30)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    """
    )
    assert sorted(said.split()) == ["async", "child", "sync"]


def test_the_parts_of_the_cost() -> None:
    heard: list[dict[str, Any]] = []
    litellm.success_callback = [lambda kwargs, *_: heard.append(kwargs["standard_logging_object"])]
    litellm.completion(**MOCK)
    told()
    ((parts, cost),) = [(logged["cost_breakdown"], logged["response_cost"]) for logged in heard]
    assert parts == {
        "input_cost": 10 * 2.5e-6, "output_cost": 20 * 10e-6, "tool_usage_cost": 0.0, "original_cost": cost,
        "total_cost": cost,
    }  # fmt: skip
    assert cost == pytest.approx(parts["input_cost"] + parts["output_cost"])


def test_an_unpriced_call_has_no_parts() -> None:
    heard: list[dict[str, Any]] = []
    litellm.success_callback = [lambda kwargs, *_: heard.append(kwargs["standard_logging_object"])]
    litellm.completion(**{**MOCK, "model": "openai/nobody-knows-it"})
    told()
    assert heard[0]["cost_breakdown"] is None and heard[0]["response_cost"] == 0.0


def test_a_discount_is_beside_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm, "cost_discount_config", {"openai": 0.5})
    made = litellm.completion(**MOCK)
    parts = made._hidden_params.breakdown
    assert parts["total_cost"] == made._hidden_params["response_cost"] == pytest.approx(parts["original_cost"] / 2)


def test_a_calls_own_logger_hears_of_it_before_and_after() -> None:
    heard: list[tuple[Any, bool]] = []

    def own(kwargs: dict[str, Any]) -> None:
        heard.append((kwargs["model"], kwargs["end_time"] is None))

    made = litellm.completion(**MOCK, logger_fn=own)
    told()
    assert made.choices[0].message.content == "hello you"
    assert [model for model, _ in heard] == ["gpt-4o", "gpt-4o"] and heard[1] == ("gpt-4o", False)


def test_a_calls_own_logger_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    def fails(kwargs: dict[str, Any]) -> None:
        raise ValueError("mine")

    assert litellm.completion(**MOCK, logger_fn=fails).choices
    told()
