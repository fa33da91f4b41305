"""The error tree: what each class says of itself, and that openai's names catch ours whenever openai is imported."""

import copy
import inspect
import pickle
import subprocess
import sys
import textwrap
import time
from email.utils import formatdate

import pytest

from litellm import exceptions as e

TREE = [cls for cls in vars(e).values() if inspect.isclass(cls) and issubclass(cls, e.LiteLLMError)]
PUBLIC = [cls for cls in TREE if cls is not e.LiteLLMError and not cls.__name__.startswith("_")]

# litellm-contract 1a.7; architecture 7 for retryability.
STATUS = {
    "AuthenticationError": (401, False),
    "PermissionDeniedError": (403, False),
    "NotFoundError": (404, False),
    "Timeout": (408, True),
    "BadRequestError": (400, False),
    "ContextWindowExceededError": (400, False),
    "ContentPolicyViolationError": (400, False),
    "UnsupportedParamsError": (400, False),
    "RejectedRequestError": (400, False),
    "LiteLLMUnknownProvider": (400, False),
    "ImageFetchError": (400, False),
    "InvalidRequestError": (400, False),
    "UnprocessableEntityError": (422, False),
    "RateLimitError": (429, True),
    "RouterRateLimitError": (429, False),
    "BudgetExceededError": (429, False),
    "APIConnectionError": (500, True),
    "InternalServerError": (500, True),
    "APIResponseValidationError": (500, False),
    "JSONSchemaValidationError": (500, False),
    "OpenAIError": (500, False),
    "BadGatewayError": (502, True),
    "ServiceUnavailableError": (503, True),
    "MidStreamFallbackError": (503, True),
    "APIError": (500, False),
    "AzureOpenAIError": (500, False),
    "MockException": (500, False),
    "GuardrailRaisedException": (400, False),
    "BlockedPiiEntityError": (400, False),
    "ModifyResponseException": (400, False),
}

USUAL = [
    e.AuthenticationError, e.PermissionDeniedError, e.NotFoundError, e.Timeout, e.BadRequestError, e.RateLimitError,
    e.ContextWindowExceededError, e.ContentPolicyViolationError, e.UnsupportedParamsError, e.UnprocessableEntityError,
    e.InternalServerError, e.APIConnectionError, e.APIResponseValidationError, e.BadGatewayError,
    e.ServiceUnavailableError, e.ImageFetchError, e.InvalidRequestError, e.RejectedRequestError,
    e.MidStreamFallbackError,
]  # fmt: skip


def test_every_class_has_its_status_and_its_word_on_retrying():
    assert {cls.__name__: (cls.status_code, cls.retryable) for cls in PUBLIC} == STATUS


def test_every_class_belongs_to_this_module_and_names_an_error_type():
    for cls in PUBLIC:
        assert cls.__module__ == "litellm.exceptions"
        assert cls.error_type.islower(), cls


@pytest.mark.parametrize("cls", USUAL)
def test_keywords_as_users_write_them(cls: type[e.LiteLLMError]):
    error = cls(message="no", llm_provider="openai", model="m")
    assert (error.llm_provider, error.model) == ("openai", "m")
    assert error.message == str(error) == f"litellm.{cls.__name__}: no"
    assert error.raw_message == "no"
    assert error.status_code == cls.status_code
    assert error.type == cls.error_type
    for name in ("response", "litellm_debug_info", "max_retries", "num_retries", "body", "headers", "param"):
        assert getattr(error, name) is None, name
    assert error.request_id is None
    assert error.retry_after is None


def test_positional_arguments_stand_in_each_class_s_own_order():
    provider_first = [
        e.AuthenticationError,
        e.PermissionDeniedError,
        e.RateLimitError,
        e.InternalServerError,
        e.ServiceUnavailableError,
        e.BadGatewayError,
        e.APIConnectionError,
        e.UnsupportedParamsError,
    ]
    for cls in provider_first:
        assert cls("no", "p", "m").model == "m", cls
    model_first = [
        e.BadRequestError,
        e.NotFoundError,
        e.Timeout,
        e.UnprocessableEntityError,
        e.InvalidRequestError,
        e.ContextWindowExceededError,
        e.ContentPolicyViolationError,
        e.RejectedRequestError,
    ]
    for cls in model_first:
        assert cls("no", "m", "p").model == "m", cls
    error = e.APIError(409, "no", "p", "m")
    assert (error.status_code, error.llm_provider, error.model, error.retryable) == (409, "p", "m", True)
    assert not e.APIError(418, "no", "p", "m").retryable


def test_an_instance_may_carry_another_status():
    assert e.Timeout("late", "m", "p", exception_status_code=504).status_code == 504
    assert e.BadRequestError("no", "m", "p", status_code=422).status_code == 422
    assert e.BadRequestError.status_code == 400


def test_a_prefix_is_not_put_twice_and_a_subclass_of_a_user_keeps_the_parents():
    class Mine(e.RateLimitError):
        pass

    assert Mine("slow", "p", "m").message == "litellm.RateLimitError: slow"
    assert e.RateLimitError(Mine("slow", "p", "m"), "p", "m").message == "litellm.RateLimitError: slow"


def test_a_changed_message_shows():
    error = e.RateLimitError("slow", "p", "m")
    error.message += " - and again"
    assert str(error) == "litellm.RateLimitError: slow - and again"
    assert error.raw_message == "slow - and again"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_the_body_s_words():
    body = {"error": {"message": "m", "type": "insufficient_quota", "param": "n", "code": 7}}
    error = e.BadRequestError("no", "m", "p", body=body)
    assert (error.body, error.type, error.param, error.code) == (body, "insufficient_quota", "n", "7")
    error = e.BadRequestError("no", "m", "p", body=body["error"])
    assert (error.type, error.param, error.code) == ("insufficient_quota", "n", "7")
    error = e.RateLimitError("no", "m", "p", body="<html>")
    assert (error.body, error.type, error.param, error.code) == ("<html>", "throttling_error", None, "429")


def test_made_of_a_vendor_s_answer():
    error = e.RateLimitError.from_vendor(
        "OpenAIException - slow down",
        status_code=429,
        llm_provider="openai",
        model="m",
        headers=[(b"Retry-After", b"7"), (b"x-request-id", b"r1"), (b"a", b"1"), (b"a", b"2")],
        body=b'{"error": {"message": "slow down"}}',
        code="rate_limited",
    )
    assert error.message == "litellm.RateLimitError: OpenAIException - slow down"
    assert (error.retry_after, error.request_id, error.code) == (7.0, "r1", "rate_limited")
    assert error.response.headers["RETRY-AFTER"] == error.headers.get("Retry-After") == "7"
    assert "Retry-After" in error.response.headers
    assert error.response.headers["a"] == "1, 2"
    assert error.response.json() == error.body == {"error": {"message": "slow down"}}
    assert error.response.status_code == 429
    plain = e.APIError.from_vendor("?", status_code=418, llm_provider="p", model=None, headers=[], body=b"<html>")
    assert (plain.body, plain.response.text, plain.status_code, plain.retryable) == ("<html>", "<html>", 418, False)


def test_retry_after_in_all_its_forms():
    def after(**headers: str) -> float | None:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return e.RateLimitError("no", "p", "m", headers=fields).retry_after

    assert after(retry_after="1.5") == 1.5
    assert after(retry_after_ms="250", retry_after="9") == 0.25
    assert after(Retry_After="-3") == 0.0
    assert after(retry_after="soon") is None
    later = after(retry_after=formatdate(time.time() + 100, usegmt=True))
    assert later is not None
    assert 60 < later <= 100
    assert after(retry_after=formatdate(time.time() - 100, usegmt=True)) == 0.0


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_copies_and_pickles_keep_everything(copied):
    errors = [cls(message="no", llm_provider="p", model="m", num_retries=3) for cls in USUAL if cls is not e.Timeout]
    errors += [
        e.Timeout("late", "m", "p", exception_status_code=504),
        e.APIError(418, "no", "p", "m"),
        e.JSONSchemaValidationError("m", "p", "{}", "{...}"),
        e.BudgetExceededError(2.0, 1.0),
        e.RouterRateLimitError("m", 5.0, cooldown_list=["a"]),
        e.OpenAIError(ValueError("x")),
        e.GuardrailRaisedException("g", "no"),
        e.BlockedPiiEntityError("EMAIL", "g"),
        e.ModifyResponseException("instead", "m", {"a": 1}),
        e.LiteLLMUnknownProvider("m", "q"),
        e.RateLimitError.from_vendor("n", status_code=429, llm_provider="p", model="m", headers=[(b"a", b"b")]),
    ]
    for error in errors:
        made = copied(error)
        assert type(made) is type(error)
        assert made.args == error.args
        before, after = dict(vars(error)), dict(vars(made))
        for name in ("original_exception", "response"):  # compared by identity
            assert repr(type(before.pop(name, None))) == repr(type(after.pop(name, None)))
        assert before == after


def test_errors_of_our_own_making():
    assert str(e.BudgetExceededError(0.1, 0.05)) == "Budget has been exceeded! Current cost: 0.1, Max budget: 0.05"
    assert isinstance(e.RouterRateLimitError("m", 5), ValueError)
    assert e.GuardrailRaisedException("g", "plain", should_wrap_with_default_message=False).message == "plain"
    assert e.RateLimitError("no", "p", "m", category="vendor_rate_limit").category == "vendor_rate_limit"
    assert e.MidStreamFallbackError("cut", "m", "p", generated_content="so far").generated_content == "so far"


COUNTERPARTS = {
    "AuthenticationError": "AuthenticationError",
    "PermissionDeniedError": "PermissionDeniedError",
    "NotFoundError": "NotFoundError",
    "Timeout": "APITimeoutError",
    "BadRequestError": "BadRequestError",
    "ContextWindowExceededError": "BadRequestError",
    "UnsupportedParamsError": "BadRequestError",
    "InvalidRequestError": "BadRequestError",
    "UnprocessableEntityError": "UnprocessableEntityError",
    "RateLimitError": "RateLimitError",
    "InternalServerError": "InternalServerError",
    "APIConnectionError": "APIConnectionError",
    "BadGatewayError": "APIStatusError",
    "ServiceUnavailableError": "APIStatusError",
    "MidStreamFallbackError": "APIStatusError",
    "APIResponseValidationError": "APIResponseValidationError",
    "OpenAIError": "OpenAIError",
}


def run(code: str) -> None:
    """In an interpreter of its own: whether openai is imported is the whole point here."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


CAUGHT = f"""
    for ours, theirs in {COUNTERPARTS!r}.items():
        made = getattr(litellm, ours)
        try:
            raise made(message="no", llm_provider="p", model="m") if ours != "OpenAIError" else made("no")
        except getattr(openai, theirs) as error:
            assert type(error) is made
            assert error.__class__.__module__ == "litellm.exceptions"
            assert error.model in ("m", None)
            assert type(pickle.loads(pickle.dumps(error))) is made
            assert isinstance(error, openai.OpenAIError)
    try:
        raise litellm.APIError(418, "no", "p", "m")
    except openai.APIError as error:
        assert error.status_code == 418
    assert not issubclass(litellm.BudgetExceededError, openai.OpenAIError)
    assert not issubclass(litellm.RateLimitError, litellm.APIError)
    assert issubclass(litellm.Timeout, openai.APIConnectionError)
"""


def test_openai_imported_before():
    run("    import openai, litellm, pickle\n" + CAUGHT)


def test_openai_imported_after():
    run(
        """
    import litellm, pickle, sys
    early = litellm.RateLimitError("no", "p", "m")
    assert "openai" not in sys.modules
    import openai"""
        + CAUGHT
        + """
    assert isinstance(early, openai.RateLimitError)
    """
    )


def test_openai_never_imported():
    run(
        """
        import sys, litellm
        try:
            raise litellm.RateLimitError("no", "p", "m")
        except litellm.RateLimitError as error:
            assert str(error) == "litellm.RateLimitError: no"
        assert "openai" not in sys.modules and "httpx" not in sys.modules
        """
    )


def test_openai_s_constructors_are_not_run():
    run(
        """
        import openai, litellm
        def boom(self, *args, **kwargs): raise AssertionError("openai's constructor ran")
        for name in ("OpenAIError", "APIError", "APIStatusError", "RateLimitError", "APITimeoutError"):
            getattr(openai, name).__init__ = boom
        assert litellm.RateLimitError("no", "p", "m").message == "litellm.RateLimitError: no"
        assert litellm.Timeout("no", "m", "p").status_code == 408
        """
    )


def test_openai_half_imported_is_left_for_later():
    run(
        """
        import sys, types, litellm
        sys.modules["openai"] = types.ModuleType("openai")
        litellm.RateLimitError("no", "p", "m")
        del sys.modules["openai"]
        import openai
        assert isinstance(litellm.RateLimitError("no", "p", "m"), openai.RateLimitError)
        """
    )


def test_a_caller_s_subclass_of_both_breaks_nothing():
    run(
        """
        import litellm
        litellm.RateLimitError
        import openai
        class Both(openai.RateLimitError, litellm.RateLimitError):
            def __init__(self): litellm.RateLimitError.__init__(self, "no", "p", "m")
        assert Both().message == "litellm.RateLimitError: no"
        assert isinstance(litellm.NotFoundError("no", "m", "p"), openai.NotFoundError)
        """
    )


def test_many_threads_at_the_first_error():
    run(
        """
        import litellm, threading, openai
        litellm.exceptions
        gate, found = threading.Barrier(16), []
        def go():
            gate.wait()
            found.append(litellm.RateLimitError("no", "p", "m"))
        threads = [threading.Thread(target=go) for _ in range(16)]
        [thread.start() for thread in threads]; [thread.join() for thread in threads]
        assert len(found) == 16 and all(isinstance(error, openai.RateLimitError) for error in found)
        assert litellm.RateLimitError.__mro__.count(openai.RateLimitError) == 1
        """
    )
