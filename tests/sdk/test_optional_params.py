"""`get_optional_params`: what a call would send, by the rules of the host's row."""

import pytest

import litellm
from litellm.catalog import hosts
from litellm.utils import get_optional_params


def row_with(rule: str) -> str:
    return next(name for name, row in hosts.rows().items() if getattr(row, rule))


def test_what_was_given_and_no_more() -> None:
    made = get_optional_params(model="gpt-4o", custom_llm_provider="openai", temperature=0.5, top_p=None, mine={"a": 1})
    assert made == {"temperature": 0.5, "mine": {"a": 1}}
    assert litellm.get_optional_params is get_optional_params
    assert get_optional_params("openai/gpt-4o", extra_body={"k": 1}, api_key="sk", metadata=None) == {"k": 1}


def test_a_renamed_parameter() -> None:
    name = row_with("rename")
    old, new = next(iter(hosts.rows()[name].rename.items()))
    assert get_optional_params("m", name, **{old: 3})[new] == 3


def test_one_that_the_host_does_not_take() -> None:
    name = row_with("unsupported")
    bad = sorted(hosts.rows()[name].unsupported)[0]
    with pytest.raises(litellm.UnsupportedParamsError, match=bad):
        get_optional_params("m", name, **{bad: 1})
    assert bad not in get_optional_params("m", name, drop_params=True, **{bad: 1})
    assert bad not in get_optional_params("m", name, additional_drop_params=[bad], **{bad: 1})
    allowed = get_optional_params("m", name, allowed_openai_params=[bad], **{bad: 1})
    assert 1 in allowed.values()


def test_the_setting_drops_too(monkeypatch: pytest.MonkeyPatch) -> None:
    name = row_with("unsupported")
    monkeypatch.setattr(litellm, "drop_params", True)
    bad = sorted(hosts.rows()[name].unsupported)[0]
    assert bad not in get_optional_params("m", name, **{bad: 1})


def test_a_provider_that_nobody_knows() -> None:
    with pytest.raises(litellm.BadRequestError):
        get_optional_params("no-such-model-anywhere", temperature=1)
