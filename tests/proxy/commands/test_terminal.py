"""Tables on a terminal."""

from litellm.proxy.commands.terminal import table


def test_columns_are_as_wide_as_what_they_hold() -> None:
    rows = [{"name": "a", "n": 1.5, "on": True}, {"name": "longer", "n": 10, "on": None, "hidden": 1}]
    assert table(rows, ("name", "n", "on")).splitlines() == ["name      n  on", "a       1.5  yes", "longer   10  -"]


def test_small_sums_are_shown_whole_and_nothing_moves_the_cursor() -> None:
    assert "0.000000001" in table([{"x": 1e-9}], ("x",))
    assert "\x1b" not in table([{"x": "a\x1b[2Jb"}], ("x",))
    assert table([{"x": ["a", "b"]}, {"x": []}], ("x",)).splitlines() == ["x", "a, b", "-"]
