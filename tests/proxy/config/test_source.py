"""YAML with positions: what values become, and where they are said to be."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm.proxy.config.source import Fields, Mark, Problem, find, name_mark, of, parse, plain


def values_of(text: str) -> tuple[Any, list[str]]:
    problems: list[Problem] = []
    root = parse(text, "f", problems)
    return (None if root is None else plain(root)), [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 2024-02-01", "2024-02-01"),
        ("a: 1e-6", 1e-6),
        ("a: 1.5e3", 1500.0),
        ("a: 0.0000025", 0.0000025),
        ("a: 1e-6x", "1e-6x"),
        ("a: yes", True),
        ("a: 'yes'", "yes"),
        ("a: ~", None),
        ("a: 010", 8),
        ("a: !!str 5", "5"),
        ("a: ünï", "ünï"),
        ("a: |\n  x\n  y\n", "x\ny\n"),
    ],
)
def test_scalars(text: str, value: object) -> None:
    assert values_of(text) == ({"a": value}, [])


def test_keys_are_the_text_that_was_written() -> None:
    assert values_of("{on: 1, 50256: 2, null: 3}") == ({"on": 1, "50256": 2, "null": 3}, [])


def test_anchors_and_merged_mappings() -> None:
    text = "base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}\ntwo: {<<: [{x: 5}, *b], z: 4}\nthree: *b\n"
    values, problems = values_of(text)
    assert problems == []
    assert values["one"] == {"x": 1, "y": 3}
    assert values["two"] == {"x": 5, "y": 2, "z": 4}
    assert values["three"] == {"x": 1, "y": 2}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: !!binary aGk=", "f:1:4: a: the YAML tag !!binary is not supported"),
        ("a: !mine 3", "f:1:4: a: the YAML tag !mine is not supported"),
        ("a: !!int x", "f:1:4: a: not a value of the type that its YAML tag says"),
        ("? [a]\n: 1", "f:1:3: a key must be plain text"),
        ("a:\n  b: 1\n  b: 2", "f:3:3: a.b: occurs twice; the first is on line 2"),
        ("a: {<<: 3}", "f:1:9: a: `<<` takes a mapping or a list of mappings"),
        ("a: &x [*x]", "f:1:1: nested too deeply, or contains itself"),
        ("a: b\x00", "f:1:1: a character that YAML does not allow"),
    ],
)
def test_what_is_not_accepted(text: str, expected: str) -> None:
    assert values_of(text)[1] == [expected]


def test_positions() -> None:
    root = parse("a:\n  - b: 1\n    c:\n      d: 2\n", "f", [])
    assert root is not None
    assert find(root, ("a", 0, "b"))[1:] == (Mark("f", 2, 8), ("a", 0, "b"))
    assert find(root, ("a", 0, "c"))[1] == Mark("f", 3, 5)
    assert find(root, ("a", 0))[1] == Mark("f", 2, 5)
    assert find(root, ("a", 0, "x", "y"))[1:] == (Mark("f", 2, 5), ("a", 0))
    assert name_mark(root, ("a", 0, "b")) == Mark("f", 2, 5)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=3))
def test_a_tree_of_values_gives_them_back(value: dict[str, Any]) -> None:
    tree = of(value, Mark("f"))
    assert isinstance(tree, Fields)
    assert repr(plain(tree)) == repr(value)


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    problems: list[Problem] = []
    root = parse(text, "f", problems)
    assert root is not None or problems
    assert all(problem.line >= 1 and problem.column >= 1 for problem in problems)
