"""What `import litellm` loads, which names it serves, and how they behave when callers replace them."""

import ast
import inspect
import json
import pickle
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

import litellm
from litellm.settings import Settings, settings

PACKAGE = Path(litellm.__file__).parent


def fresh(code: str) -> str:
    """Run in an interpreter of its own; what it prints."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_loads_two_small_modules():
    before, after = json.loads(
        fresh("import json, sys; a = sorted(sys.modules); import litellm; print(json.dumps([a, sorted(sys.modules)]))")
    )
    assert set(after) - set(before) == {"litellm", "litellm._version"}


def test_import_opens_no_socket_and_no_file_outside_the_package():
    opened = json.loads(
        fresh(
            "import json, sys; seen = []\n"
            "sys.addaudithook(lambda event, args: seen.append([event, str(args[0])]) "
            "if event == 'open' or event.startswith('socket') else None)\n"
            "import litellm; print(json.dumps(seen))"
        )
    )
    assert opened
    assert [name for event, name in opened if event != "open" or not name.startswith(str(PACKAGE))] == []


def test_an_error_class_loads_no_pydantic_and_a_first_mocked_call_no_client_library():
    loaded = fresh("import sys, litellm; litellm.RateLimitError; print([*sys.modules])")
    assert "'pydantic'" not in loaded
    assert "'asyncio'" not in loaded
    loaded = fresh("import sys, litellm; litellm.completion; litellm.ModelResponse; print([*sys.modules])")
    for name in ("openai", "httpx", "aiohttp", "fastapi", "uvicorn", "tiktoken", "yaml"):
        assert f"'{name}'" not in loaded, name


def test_every_public_name_resolves_once_and_is_kept():
    for name, module in litellm._NAMES.items():
        value = getattr(litellm, name)
        assert value is getattr(sys.modules[module], name)
        assert vars(litellm)[name] is value
        assert name in dir(litellm) or name in litellm._UNLISTED


def test_submodules_are_attributes():
    fresh("import litellm; assert litellm.exceptions.RateLimitError is litellm.RateLimitError")
    fresh("import litellm; assert litellm.types.__name__ == 'litellm.types'")
    fresh("import litellm; assert litellm._version.version == litellm.__version__ == '1.105.100'")


def test_unknown_names_are_attribute_errors():
    for name in ("no_such_name", "__wrapped__", "__path_hooks__"):
        assert not hasattr(litellm, name)
    with pytest.raises(AttributeError, match="module 'litellm' has no attribute 'no_such_name'"):
        litellm.no_such_name  # noqa: B018
    with pytest.raises(ImportError):
        from litellm import no_such_name  # noqa: F401


def test_dir_lists_the_errors_that_tools_know_and_no_other():
    listed = {name for name in dir(litellm) if name.endswith("Error")}
    assert listed == {
        "APIConnectionError", "APIError", "APIResponseValidationError", "AuthenticationError", "AzureOpenAIError",
        "BadRequestError", "BudgetExceededError", "ContentPolicyViolationError", "ContextWindowExceededError",
        "InternalServerError", "InvalidRequestError", "JSONSchemaValidationError", "NotFoundError", "OpenAIError",
        "RateLimitError", "RouterRateLimitError", "ServiceUnavailableError", "UnprocessableEntityError",
        "UnsupportedParamsError",
    }  # fmt: skip
    assert litellm.PermissionDeniedError.status_code == 403  # served, though unlisted
    assert {"completion", "drop_params", "Timeout", "ModelResponse"} <= set(dir(litellm))


def test_the_calls_are_plain_functions_that_say_what_they_take():
    for name in ("completion", "acompletion", "embedding", "aembedding", "text_completion", "atext_completion"):
        function = getattr(litellm, name)
        assert inspect.isfunction(function)
        assert "model" in inspect.signature(function).parameters
    assert inspect.iscoroutinefunction(litellm.acompletion)
    assert pickle.loads(pickle.dumps(litellm.completion)) is litellm.completion


def test_a_function_can_be_patched_before_and_after_its_first_use():
    code = """
import litellm
from unittest import mock
assert "completion" not in vars(litellm)
for _ in range(2):
    with mock.patch("litellm.completion", autospec=True) as fake:
        litellm.completion(model="m", messages=[])
        fake.assert_called_once_with(model="m", messages=[])
        try:
            litellm.completion()
        except TypeError:
            pass
        else:
            raise AssertionError("autospec lost the signature")
    assert litellm.completion.__module__ == "litellm.sdk.main"
from litellm import completion
assert completion is litellm.completion
"""
    fresh(code)


def test_a_function_can_be_replaced_by_assignment():
    fresh("import litellm; litellm.completion = print; from litellm import completion; assert completion is print")


def test_foreign_attributes_can_be_set():
    fresh("import litellm; litellm._datadog_patch = True; assert litellm._datadog_patch; del litellm._datadog_patch")


def test_the_names_for_type_checkers_are_the_settings():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    declared = {node.target.id for node in block.body if isinstance(node, ast.AnnAssign)}
    assert declared == set(Settings.__annotations__)


def test_no_setting_is_named_like_a_module_of_the_package():
    modules = {path.stem for path in PACKAGE.iterdir()} | {"caching", "integrations", "store"}
    assert not modules & set(Settings.__annotations__)


def test_a_setting_assigned_on_the_package_is_the_settings_object_s():
    assert litellm.drop_params is False
    with mock.patch("litellm.drop_params", True):
        assert settings.drop_params is True
    assert settings.drop_params is litellm.drop_params is False
    assert "drop_params" not in vars(litellm)
    litellm.api_base = "http://x"
    assert settings.api_base == "http://x"
    del litellm.api_base
    assert settings.api_base is litellm.api_base is None
    settings.num_retries = 3
    assert litellm.num_retries == 3
    del settings.num_retries
    assert litellm.num_retries is None


def test_a_setting_assigned_before_the_settings_are_loaded():
    code = """
import litellm, sys
litellm.drop_params = True
assert "litellm.settings" not in sys.modules
from litellm.settings import settings
assert settings.drop_params is True
"""
    fresh(code)


def test_pytest_s_own_patching_restores(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(litellm, "suppress_debug_info", True)
    assert settings.suppress_debug_info is True
    monkeypatch.undo()
    assert settings.suppress_debug_info is False
