"""Every name that published packages use of LiteLLM is here, under every path they use, and can be used as they do.

The table `dropin_names.tsv` comes from a scan of about a hundred packages: the name's path, how it is used (called,
set, caught, subclassed, ...) and the keywords that calls pass.
"""

import importlib
import inspect
import pickle
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
from typing_extensions import is_typeddict

import litellm

ROWS = [line.split("\t") for line in (Path(__file__).parent / "dropin_names.tsv").read_text().splitlines()[1:]]
FOREIGN = {"litellm.turn_off_message"}  # a misspelling that one package sets; LiteLLM has no such name either


def using(use: str) -> list[str]:
    return [name for name, uses, _ in ROWS if use in uses.split() and name not in FOREIGN]


def resolve(path: str) -> Any:
    """As `import a.b; a.b.c` and `from a.b import c` find it."""
    return owner_of(path)[2]


def owner_of(path: str) -> tuple[Any, str, Any]:
    owner: Any = None
    found: Any = litellm
    name = "litellm"
    for depth, name in enumerate(path.split(".")[1:], 2):
        owner = found
        if isinstance(owner, ModuleType) and not hasattr(owner, name):
            importlib.import_module(".".join(path.split(".")[:depth]))
        found = getattr(owner, name)
    return owner, name, found


def test_the_table_is_the_scan_s():
    assert len(ROWS) == 343
    assert len({name for name, _, _ in ROWS}) == 343


@pytest.mark.parametrize("path", [name for name, _, _ in ROWS if name not in FOREIGN])
def test_it_resolves_by_its_path(path: str):
    found = resolve(path)
    assert found is resolve(path)  # one object, however often it is asked for
    module, _, name = path.rpartition(".")
    if module in sys.modules:  # what `from module import name` does
        assert getattr(importlib.import_module(module), name) is found


def test_one_name_is_one_object_under_all_its_paths():
    """`isinstance` and `except` must not depend on where a class was imported from."""
    by_leaf: dict[str, dict[int, str]] = {}
    for path in {name for name, _, _ in ROWS} - FOREIGN:
        found = resolve(path)
        if inspect.isclass(found) or inspect.isfunction(found):
            by_leaf.setdefault(path.rpartition(".")[2], {})[id(found)] = path
    # A method and a function may share their name.
    del by_leaf["validate_environment"]
    assert [paths for paths in by_leaf.values() if len(paths) > 1] == []


@pytest.mark.parametrize("path", using("call"))
def test_what_is_called_takes_the_keywords_that_callers_pass(path: str):
    found = resolve(path)
    keywords = next(row[2].split() for row in ROWS if row[0] == path)
    if isinstance(found, list | ModuleType) or not callable(found):  # the scan counts methods of a value, too
        return
    if is_typeddict(found):
        assert set(keywords) <= found.__annotations__.keys()
        return
    parameters = inspect.signature(found).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        assert set(keywords) <= parameters.keys()


@pytest.mark.parametrize("path", using("except"))
def test_what_is_caught_is_an_exception_of_ours(path: str):
    found = resolve(path)
    assert issubclass(found, Exception)
    assert found.__module__.startswith("litellm")


@pytest.mark.parametrize("path", using("subclass"))
def test_what_is_subclassed_is_a_class(path: str):
    found = resolve(path)
    child = type("Child", (found,), {})
    assert issubclass(child, found)


@pytest.mark.parametrize("path", [*using("set"), *using("setattr"), *FOREIGN])
def test_what_is_set_can_be_set_and_put_back(path: str):
    owner = resolve(path.rpartition(".")[0])
    name = path.rpartition(".")[2]
    before = getattr(owner, name, None)
    with mock.patch.object(owner, name, "theirs", create=path in FOREIGN):
        assert getattr(owner, name) == "theirs"
    assert getattr(owner, name, None) is before or getattr(owner, name) == before


FUNCTIONS = sorted({name for name, _, _ in ROWS if name not in FOREIGN and inspect.isfunction(resolve(name))})


@pytest.mark.parametrize("path", FUNCTIONS)
def test_functions_can_be_patched_with_their_signature(path: str):
    original = resolve(path)
    with mock.patch(path, autospec=True) as fake:
        patched = resolve(path)
        assert patched is fake
        assert hasattr(patched, "await_count") == inspect.iscoroutinefunction(original)
        assert inspect.signature(patched).parameters.keys() == inspect.signature(original).parameters.keys()
    assert resolve(path) is original
    if "<locals>" not in original.__qualname__ and "Auth" not in path:
        assert pickle.loads(pickle.dumps(original)) is original


def test_a_package_that_shares_a_function_s_name_is_callable():
    import litellm.responses.main

    assert callable(litellm.responses)
    assert isinstance(litellm.responses, ModuleType)
    assert inspect.signature(litellm.responses) == inspect.signature(litellm.responses.main.responses)
    with mock.patch("litellm.responses.responses", return_value="answer") as fake:
        assert litellm.responses(model="m", input="i") == "answer"
        fake.assert_called_once_with(model="m", input="i")
    with mock.patch("litellm.responses", autospec=True) as whole:
        litellm.responses(model="m", input="i")
        whole.assert_called_once_with(model="m", input="i")


def test_patching_an_old_path_patches_that_path():
    import litellm.main

    with mock.patch("litellm.main.completion", autospec=True) as fake:
        litellm.main.completion(model="m")
        fake.assert_called_once_with(model="m")
    assert litellm.main.completion is litellm.completion


def test_an_old_path_has_the_names_it_lists_and_no_other():
    import litellm.utils

    for name in dir(litellm.utils):
        getattr(litellm.utils, name)
    assert {"ModelResponse", "token_counter", "_get_model_info_helper"} <= set(dir(litellm.utils))
    with pytest.raises(AttributeError, match=r"module 'litellm.utils' has no attribute 'no_such_name'"):
        litellm.utils.no_such_name  # noqa: B018
    with pytest.raises(ImportError):
        from litellm.utils import no_such_name  # noqa: F401


def old_paths() -> list[str]:
    """Modules that are tables (`_reexport.names`)."""
    package = Path(litellm.__file__).parent
    found = [file for file in package.rglob("*.py") if "__dir__ = names(" in file.read_text()]
    parts = [file.relative_to(package.parent).with_suffix("").parts for file in found]
    return [".".join(names[:-1] if names[-1] == "__init__" else names) for names in parts]


def test_every_row_of_every_old_path_resolves():
    assert len(old_paths()) > 50
    for path in old_paths():
        module = importlib.import_module(path)
        for name in dir(module):
            assert getattr(module, name) is not None or name.startswith("__") or path == "litellm.constants", name


def test_an_old_path_loads_nothing_until_it_is_asked():
    code = (
        "import sys, litellm.utils, litellm.main, litellm.llms.azure.azure, litellm.responses.main, litellm.caching\n"
        "print([name for name in sys.modules if name in ('pydantic', 'asyncio', 'json', 'litellm.sdk', 'openai')])"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
