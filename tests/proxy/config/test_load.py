"""Reading a config: shapes, includes, environment variables, secrets."""

import traceback
from pathlib import Path

import pytest

from litellm.proxy.config.load import Config, ConfigError, inspect, load

SECRET = "sk-very-secret"


def write(folder: Path, text: str, name: str = "config.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def config_of(folder: Path, text: str, environ: dict[str, str] | None = None, **more: object) -> Config:
    return load(write(folder, text), environ=environ or {}, **more)  # type: ignore[arg-type]


ONE = """
model_list:
  - model_name: my-model
    litellm_params:
      model: openai/foo
      api_base: http://localhost:8000/v1
      api_key: sk-very-secret
      rpm: 6
      temperature: 0.5
      repetition_penalty: 1.1
      top_k: null
      aws_region_name: eu-west-1
      metadata: {a: b}
    model_info:
      id: 7
      mode: chat
      mine: kept
general_settings:
  master_key: sk-very-secret
"""


def test_what_is_written_is_found(tmp_path: Path) -> None:
    config = config_of(tmp_path, ONE)
    (entry,) = config.model_list
    params = entry.litellm_params
    assert (entry.model_name, params.model, params.api_base, params.rpm) == (
        "my-model",
        "openai/foo",
        "http://localhost:8000/v1",
        6,
    )
    assert params.api_key is not None and params.api_key.get_secret_value() == SECRET
    assert (entry.model_info.id, entry.model_info.mode, entry.model_info.model_extra) == ("7", "chat", {"mine": "kept"})
    master_key = config.general_settings.master_key
    assert master_key is not None and master_key.get_secret_value() == SECRET
    assert config.sources == (tmp_path / "config.yaml",)


def test_only_parameters_of_the_wire_are_sent(tmp_path: Path) -> None:
    """Names of ours never travel, whether their feature is built or not; null is no default."""
    (entry,) = config_of(tmp_path, ONE).model_list
    assert entry.litellm_params.wire == {"temperature": 0.5, "repetition_penalty": 1.1}


def test_names_of_properties_in_the_file_are_parameters_like_any_other(tmp_path: Path) -> None:
    text = """
model_list:
  - model_name: m
    litellm_params: {model: openai/m, wire: 1, missing: 2, api_key_variable: 3, _missing: 4, copy: 5}
"""
    (entry,) = config_of(tmp_path, text).model_list
    assert entry.litellm_params.wire == {"wire": 1, "missing": 2, "api_key_variable": 3, "_missing": 4, "copy": 5}
    assert entry.litellm_params.api_key_variable is None


def test_second_names_are_found_under_the_first(tmp_path: Path) -> None:
    text = """
model_list:
  - model_name: m
    litellm_params:
      model: openai/m
      api_base: http://one/v1
      base_url: http://two/v1
      num_retries: 4
      headers: {x-a: a, x-b: b}
      extra_headers: {x-b: c}
"""
    params = config_of(tmp_path, text).model_list[0].litellm_params
    assert params.api_base == "http://two/v1"
    assert params.max_retries == 4
    assert params.extra_headers == {"x-a": "a", "x-b": "c"}


def test_an_empty_file_and_empty_headings_are_an_empty_config(tmp_path: Path) -> None:
    for text in ("", "model_list:\nlitellm_settings:\ngeneral_settings:\nenvironment_variables:\ninclude:\n"):
        config = config_of(tmp_path, text)
        assert config.model_list == ()
        assert config.litellm_settings.drop_params is None
        assert config.general_settings.master_key is None


def test_secrets_show_nowhere(tmp_path: Path) -> None:
    text = ONE + f"  extra: {SECRET}\nenvironment_variables: {{A: {SECRET}}}\n"
    text = text.replace("metadata: {a: b}", f"extra_headers: {{x: {SECRET}}}\n      extra_body: {{x: {SECRET}}}")
    config = config_of(tmp_path, text)
    assert config.environment_variables == {"A": SECRET}
    assert SECRET not in repr(config) + str(config)
    assert "my-model" in repr(config)


@pytest.mark.parametrize(
    "text",
    [
        f"general_settings: {{master_key: [{SECRET}]}}",
        f'general_settings: {{master_key: "{SECRET} "}}',
        f"general_settings: {{master_key: {{a: {SECRET}}}}}",
        f"model_list: [{{model_name: m, litellm_params: {{model: openai/m, api_key: [{SECRET}]}}}}]",
        f"model_list: [{{model_name: m, litellm_params: {{model: openai/m, api_base: 'http://u:{SECRET}@h'}}}}]",
        f"model_list: [{{model_name: m, litellm_params: {{model: openai/m, api_base: 'http://u:{SECRET} @h'}}}}]",
        f'model_list: [{{model_name: m, litellm_params: {{model: openai/m, headers: {{a: "{SECRET}\\n"}}}}}}]',
        f"model_list: {SECRET}",
        f"environment_variables: [{SECRET}]",
        f"router_settings: {{routing_strategy: {SECRET}}}",
    ],
)
def test_secrets_show_in_no_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_of(tmp_path, text)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.problems)
    assert SECRET not in shown


def test_variables_are_read_anywhere(tmp_path: Path) -> None:
    text = """
model_list:
  - model_name: os.environ/NAME
    litellm_params:
      model: openai/m
      rpm: os.environ/RPM
      tags: [os.environ/NAME, b]
      seed: os.environ/RPM
general_settings: {master_key: os.environ/KEY}
"""
    config = config_of(tmp_path, text, {"NAME": "n", "RPM": "12", "KEY": "sk-1"})
    (entry,) = config.model_list
    assert (entry.model_name, entry.litellm_params.rpm, entry.litellm_params.tags) == ("n", 12, ("n", "b"))
    assert config.missing == {}


@pytest.mark.parametrize("environ", [{}, {"NOPE": ""}])
def test_an_unset_variable_is_a_warning_and_its_value_absent(tmp_path: Path, environ: dict[str, str]) -> None:
    text = """
model_list:
  - model_name: a
    litellm_params: {model: openai/a}
  - model_name: b
    litellm_params: {model: openai/b, api_key: os.environ/NOPE, tags: [os.environ/NOPE, t]}
"""
    config = config_of(tmp_path, text, environ)
    first, second = (entry.litellm_params for entry in config.model_list)
    assert (first.api_key_variable, second.api_key_variable) == (None, "NOPE")
    assert second.api_key is None and second.tags == ("t",) and second.missing == {"api_key": "NOPE"}
    assert config.missing["model_list[1].litellm_params.api_key"] == "NOPE"
    assert any("NOPE" in problem.message and problem.line == 6 for problem in config.warnings)


@pytest.mark.parametrize(
    "text",
    [
        "general_settings: {master_key: os.environ/NOPE}",
        "general_settings: {database_url: os.environ/NOPE}",
        "general_settings: {coordination_redis: {host: os.environ/NOPE}}",
        "router_settings: {redis_host: os.environ/NOPE}",
        "litellm_settings: {cache_params: {password: os.environ/NOPE}}",
        "environment_variables: {LITELLM_SALT_KEY: os.environ/NOPE}",
        "environment_variables: {REDIS_URL: os.environ/NOPE}",
    ],
)
def test_an_unset_variable_is_an_error_where_the_gateway_would_be_open_or_elsewhere(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="NOPE is not set"):
        config_of(tmp_path, text)


def test_a_misspelt_master_key_variable_never_opens_the_gateway(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="MASTERKEY is empty"):
        config_of(tmp_path, "general_settings: {master_key: os.environ/MASTERKEY}", {"MASTERKEY": ""})
    with pytest.raises(ConfigError, match="master_key: is empty"):
        config_of(tmp_path, 'general_settings: {master_key: ""}')


def test_the_master_key_comes_from_the_environment_if_the_file_has_none(tmp_path: Path) -> None:
    environ = {"LITELLM_MASTER_KEY": "sk-env"}
    for text in ("", "general_settings:", "general_settings: {master_key: null}", "general_settings: {}"):
        key = config_of(tmp_path, text, environ).general_settings.master_key
        assert key is not None and key.get_secret_value() == "sk-env"
    key = config_of(tmp_path, "general_settings: {master_key: sk-file}", environ).general_settings.master_key
    assert key is not None and key.get_secret_value() == "sk-file"


def test_environment_variables_come_first_and_change_nothing_outside(tmp_path: Path) -> None:
    text = """
environment_variables: {A: 010, B: true, C: os.environ/OUTER, D: "x"}
model_list: [{model_name: os.environ/A, litellm_params: {model: os.environ/C}}]
"""
    environ = {"OUTER": "openai/o", "A": "other"}
    config = config_of(tmp_path, text, environ)
    assert config.environment_variables == {"A": "010", "B": "true", "C": "openai/o", "D": "x"}
    assert config.model_list[0].model_name == "010"
    assert environ == {"OUTER": "openai/o", "A": "other"}


def test_include_extends_lists_and_replaces_the_rest(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write(tmp_path, "model_list: [{model_name: c, litellm_params: {model: openai/c}}]", "sub/c.yaml")
    write(
        tmp_path,
        "include: [c.yaml]\nlitellm_settings: {num_retries: 5}\n"
        "model_list: [{model_name: b, litellm_params: {model: openai/b}}]",
        "sub/b.yaml",
    )
    config = config_of(
        tmp_path,
        "include: [sub/b.yaml]\nlitellm_settings: {drop_params: true}\n"
        "model_list: [{model_name: a, litellm_params: {model: openai/a}}]",
    )
    assert [entry.model_name for entry in config.model_list] == ["a", "b", "c"]
    assert (config.litellm_settings.num_retries, config.litellm_settings.drop_params) == (5, None)
    assert config.sources == (tmp_path / "config.yaml", tmp_path / "sub/b.yaml", tmp_path / "sub/c.yaml")


def test_includes_in_a_circle_are_an_error(tmp_path: Path) -> None:
    write(tmp_path, "include: [config.yaml]", "b.yaml")
    with pytest.raises(ConfigError) as caught:
        config_of(tmp_path, "include: [b.yaml]")
    expected = f"{tmp_path}/b.yaml:1:11: include[0]: config.yaml includes this file, or is it"
    assert expected in str(caught.value).splitlines()


def test_a_file_included_twice_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, "model_list: [{model_name: b, litellm_params: {model: openai/b}}]", "b.yaml")
    config = config_of(tmp_path, "include: [b.yaml, ./b.yaml]")
    assert len(config.model_list) == 1
    assert "included already" in str(config.warnings[0])


def test_problems_in_an_included_file_are_reported_there(tmp_path: Path) -> None:
    write(tmp_path, "model_list:\n  - model_name: [b]\n    litellm_params: {model: openai/b}", "b.yaml")
    with pytest.raises(ConfigError) as caught:
        config_of(tmp_path, "include:\n  - b.yaml\n  - none.yaml\nmodel_list:\n- model_name: a")
    shown = str(caught.value).splitlines()
    assert shown == [
        f"{tmp_path}/config.yaml:3:5: include[1]: no such file: {tmp_path}/none.yaml",
        f"{tmp_path}/config.yaml:5:3: model_list[0].litellm_params: is required",
        f"{tmp_path}/b.yaml:2:5: model_list[1].model_name: expected text (in quotes, if it looks like a number), "
        "found a list",
    ]


def test_overrides_lie_on_top(tmp_path: Path) -> None:
    overrides = {
        "litellm_settings": {"drop_params": True},
        "model_list": [{"model_name": "b", "litellm_params": {"model": "openai/b", "api_base": "http://x/v1"}}],
    }
    text = "litellm_settings: {num_retries: 3}\nmodel_list: [{model_name: a, litellm_params: {model: openai/a}}]"
    config = load(write(tmp_path, text), overrides, {})
    assert [entry.model_name for entry in config.model_list] == ["a", "b"]
    assert (config.litellm_settings.num_retries, config.litellm_settings.drop_params) == (3, True)


def test_without_a_file_the_command_line_is_the_config() -> None:
    entry = {"model_name": "b", "litellm_params": {"model": "openai/b", "api_base": "nonsense"}}
    config, problems = inspect(None, {"model_list": [entry]}, {})
    assert config is None
    assert [str(problem) for problem in problems] == [
        "command line: model_list[0].litellm_params.api_base: expected an address like http://host:port/v1"
    ]


def test_a_config_cannot_be_changed(tmp_path: Path) -> None:
    config = config_of(tmp_path, ONE)
    with pytest.raises(ValueError, match="frozen"):
        config.model_list[0].litellm_params.model = "x"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        config.sources = ()  # type: ignore[misc]


def test_the_quickstart_needs_no_key() -> None:
    config = load(Path(__file__).parents[3] / "examples/quickstart.yaml", environ={})
    assert [entry.model_name for entry in config.model_list] == ["demo", "openai/*"]
    assert config.model_list[1].litellm_params.api_key_variable == "OPENAI_API_KEY"
    assert len(config.warnings) == 1
