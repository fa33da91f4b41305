"""Failures on request."""

import pytest

from litellm.router.mocking import FAILURES, failure, wanted


@pytest.mark.parametrize("name", FAILURES)
def test_each_flag_is_a_failure_of_its_kind(name: str) -> None:
    assert wanted({name: True}) == name
    assert wanted({name: False}) is wanted({name: None}) is wanted({}) is None
    error = failure(name, "m")
    assert type(error) is FAILURES[name] and name in error.message
    with pytest.raises(ValueError, match=name):
        wanted({name: "yes"})
