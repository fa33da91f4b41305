"""What is reported: where, in which words, and all of it at once."""

from pathlib import Path

import pytest

from litellm.proxy.config import check
from litellm.proxy.config.load import inspect
from litellm.proxy.config.model_list import LitellmParams, ModelInfo
from litellm.proxy.config.schema import ConfigFile
from litellm.proxy.config.section import Section

TEXT = "text (in quotes, if it looks like a number)"
AS_IT_IS = "warning: unknown name, is sent to the endpoint as it is"


def problems_of(folder: Path, text: str) -> list[str]:
    """The problems as printed, without the file's name."""
    path = folder / "c.yaml"
    path.write_text(text)
    _, problems = inspect(path, environ={})
    return [str(problem).removeprefix(f"{path}:") for problem in problems]


def params_problems(folder: Path, lines: str) -> list[str]:
    """The problems of one deployment's litellm_params, without position and path."""
    text = "model_list:\n- model_name: m\n  litellm_params:\n    model: openai/m\n    " + lines
    return [line.partition("litellm_params.")[2] for line in problems_of(folder, text)]


def test_everything_is_reported_at_once_with_its_position(tmp_path: Path) -> None:
    text = """\
model_list:
  - model_name: my-model
    litellm_params:
      model: openai/x
      api_bas: http://x
      timeout: -3
      ssl_verify: [1]
  - model_name: a
    api_base: http://x
    litellm_params: {model: openai/a}
  - litellm_params:
general_settings:
  num_retries: 3
  num_retries: 4
  allowed_ips: [10.0.0.1]
  alerting: [slack]
router_settings: {routing_strategy: least-buzy}
litelm_settings: {}
"""
    assert problems_of(tmp_path, text) == [
        "5:7: model_list[0].litellm_params.api_bas: warning: unknown name, is sent to the endpoint as it is, "
        "did you mean api_base?",
        "6:16: model_list[0].litellm_params.timeout: must be more than 0",
        "7:7: model_list[0].litellm_params.ssl_verify: expected true or false, or text (in quotes, if it looks like a "
        "number), found a list",
        "9:5: model_list[1].api_base: warning: unknown name, has no effect, did you mean litellm_params.api_base?",
        "11:5: model_list[2].model_name: is required",
        "11:20: model_list[2].litellm_params: expected a mapping, found nothing",
        "13:3: general_settings.num_retries: warning: unknown name, has no effect, did you mean "
        "litellm_settings.num_retries?",
        "14:3: general_settings.num_retries: occurs twice; the first is on line 13",
        "15:3: general_settings.allowed_ips: warning: is not enforced yet: it restricts nothing",
        "16:3: general_settings.alerting: warning: has no effect yet",
        "17:37: router_settings.routing_strategy: expected one of 'simple-shuffle', 'least-busy', "
        "'latency-based-routing', 'usage-based-routing', 'usage-based-routing-v2', 'cost-based-routing', "
        "'power-of-two' or 'lar1', "
        "did you mean least-busy?",
        "18:1: litelm_settings: warning: unknown name, has no effect, did you mean litellm_settings?",
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("api_base: localhost:8000", "api_base: expected an address like http://host:port/v1"),
        ("api_base: ftp://h/v1", "api_base: expected an address like http://host:port/v1"),
        ("api_base: http://h:99999", "api_base: expected an address like http://host:port/v1"),
        ("base_url: http://u:p@h", "base_url: a URL may not carry user name or password"),
        (
            "api_base: http://h/v1/chat/completions/",
            "api_base: warning: should end before /chat/completions, which is appended to it",
        ),
        ("rpm: -1", "rpm: must be at least 0"),
        ("rpm: 1.5", "rpm: expected a whole number, found a number"),
        ("rpm: many", "rpm: expected a whole number, found text"),
        ("rpm: true", "rpm: expected a number"),
        ("timeout: 0", "timeout: must be more than 0"),
        ("timeout: soon", "timeout: expected a number, found text"),
        ("weight: .nan", "weight: out of range: JSON cannot hold it"),
        ("seed: 9223372036854775808", "seed: out of range: JSON cannot hold it"),
        ("drop_params: perhaps", "drop_params: expected true or false, found text"),
        ("api_key: 1234", f"api_key: expected {TEXT}, found a number"),
        ('api_key: "a b\\n"', "api_key: has white space around it, or characters that a header cannot carry"),
        ('api_key: ""', "api_key: warning: is empty: taken as absent"),
        ("extra_headers: {'a b': c}", "extra_headers: invalid header name 'a b'"),
        ("extra_headers: {host: c}", "extra_headers: header 'host' is set by the transport alone"),
        ("extra_body: [1]", "extra_body: expected a mapping, found a list"),
        ("allowed_openai_params: user", "allowed_openai_params: expected a list, found text"),
        ("mock_response: 3", f"mock_response: expected {TEXT}, or a mapping, found a number"),
        (
            "configurable_clientside_auth_params: [apibase, api_key]",
            "configurable_clientside_auth_params[0]: warning: has no effect here, did you mean api_base?",
        ),
        ("guardrails: [a]", "guardrails: warning: is not enforced yet: it restricts nothing"),
        ("vertex_project: a", "vertex_project: warning: has no effect yet"),
        ("tempature: 1", f"tempature: {AS_IT_IS}, did you mean temperature?"),
        ("apiKey: a", f"apiKey: {AS_IT_IS}, did you mean api_key?"),
    ],
)  # fmt: skip
def test_values_of_a_deployment(tmp_path: Path, line: str, expected: str) -> None:
    assert params_problems(tmp_path, line) == [expected]


def test_parameters_of_endpoints_are_no_misspellings(tmp_path: Path) -> None:
    passed_on = LitellmParams.passed_on - LitellmParams.model_fields.keys()
    names = [name for name in passed_on if not LitellmParams.has_no_effect(name)]
    names += ["xyz", "my_own_switch", "return_token_ids"]
    lines = "\n    ".join(f"{name}: 1" for name in sorted(names))
    assert params_problems(tmp_path, lines) == []


def test_yaml_that_cannot_be_parsed_says_where(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, "a: 1\nb: [1,\nc: 2\n")
    assert problem.startswith(("3:2: not valid YAML: ", "4:1: not valid YAML: "))
    (problem,) = problems_of(tmp_path, "a:\n\t- b\n")
    assert problem.startswith("2:1: not valid YAML: ")
    (problem,) = problems_of(tmp_path, "a: 1\n---\nb: 1\n")
    assert "not valid YAML" in problem


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    config, (problem,) = inspect(tmp_path / "none.yaml", environ={})
    assert config is None
    assert str(problem) == f"{tmp_path}/none.yaml: cannot be read: No such file or directory"
    assert inspect(tmp_path, environ={})[1][0].message == "cannot be read: Is a directory"


def test_ids_are_unique(tmp_path: Path) -> None:
    text = """
model_list:
- {model_name: a, litellm_params: {model: openai/a}, model_info: {id: "x"}}
- {model_name: a, litellm_params: {model: openai/b}}
- {model_name: b, litellm_params: {model: openai/b}, model_info: {id: x}}
"""
    assert problems_of(tmp_path, text) == ["5:71: model_list[2].model_info.id: is the id of model_list[0] already"]


def test_models_have_names(tmp_path: Path) -> None:
    text = """
model_list:
- {model_name: a, litellm_params: {model: openai/}}
- {model_name: b, litellm_params: {model: openai/*}}
- {model_name: "", litellm_params: {model: ""}}
- {model_name: "*", litellm_params: {model: openai/*}}
"""
    assert problems_of(tmp_path, text) == [
        "3:43: model_list[0].litellm_params.model: names no model after the provider",
        "4:43: model_list[1].litellm_params.model: warning: `*` stands for nothing: model_name has none",
        "5:16: model_list[2].model_name: is empty",
        "5:44: model_list[2].litellm_params.model: is empty",
    ]


def test_providers_are_known_and_have_an_address(tmp_path: Path) -> None:
    text = """
model_list:
- {model_name: a, litellm_params: {model: mistral-of-mine}}
- {model_name: b, litellm_params: {model: hosted_vllm/b}}
- {model_name: c, litellm_params: {model: c, custom_llm_provider: nobody}}
- {model_name: d, litellm_params: {model: hosted_vllm/d, api_base: "http://h/v1"}}
- {model_name: e, litellm_params: {model: gpt-4o}}
"""
    lines = problems_of(tmp_path, text)
    assert [line.partition("model: ")[0] for line in lines] == [
        f"{line}:43: model_list[{line - 3}].litellm_params." for line in (3, 4, 5)
    ]
    assert "mistral-of-mine" in lines[0] and "HOSTED_VLLM_API_BASE" in lines[1] and "nobody" in lines[2]


def test_an_address_may_come_from_the_files_own_variables(tmp_path: Path) -> None:
    text = "model_list: [{model_name: b, litellm_params: {model: hosted_vllm/b}}]\n"
    assert problems_of(tmp_path, text + "environment_variables: {HOSTED_VLLM_API_BASE: http://h/v1}") == []
    assert problems_of(tmp_path, text + "litellm_settings: {api_base: http://h/v1}") == []


def test_a_model_whose_variable_is_unset_is_missing(tmp_path: Path) -> None:
    text = "model_list:\n- model_name: a\n  litellm_params:\n    model: os.environ/NOPE\n"
    assert problems_of(tmp_path, text) == [
        "3:3: model_list[0].litellm_params.model: is required",
        "4:12: model_list[0].litellm_params.model: warning: the environment variable NOPE is not set: the value counts "
        "as absent",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model_list: 3", "1:13: model_list: expected a list, found a number"),
        ("model_list: [3]", "1:14: model_list[0]: expected a mapping, found a number"),
        ("general_settings: [a]", "1:1: general_settings: expected a mapping, found a list"),
        ("include: a.yaml", "1:10: include: expected a list, found text"),
        ("environment_variables: {a: [b]}", f"1:25: environment_variables.a: expected {TEXT}, found a list"),
        ("- a", "1:1: expected a mapping, such as `model_list: ...`"),
        ("litellm_settings: {request_timeout: -1}", "1:37: litellm_settings.request_timeout: must be more than 0"),
        ("general_settings: {master_key: [a]}", f"1:20: general_settings.master_key: expected {TEXT}, found a list"),
    ],
)  # fmt: skip
def test_shapes(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in problems_of(tmp_path, text)


def test_fallbacks_that_are_no_models_are_a_warning(tmp_path: Path) -> None:
    lines = problems_of(
        tmp_path,
        """
model_list: [{model_name: a, litellm_params: {model: openai/a}}, {model_name: b/*, litellm_params: {model: openai/*}}]
router_settings:
  model_group_alias: {alias: a}
  fallbacks: [{a: [b/x, alias, nobody]}, {typo: [a]}, {"*": [a]}]
  default_fallbacks: [a, nothing]
litellm_settings: {context_window_fallbacks: [{a: [none]}]}
""",
    )
    said = sorted(line.partition("no entry of model_list is called ")[2] for line in lines if "no entry" in line)
    assert said == ["nobody", "none", "nothing", "typo"]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        (
            "type: semantic",
            {
                "similarity_threshold: is required for semantic",
                "embedding_model: is required for semantic: a model_name of model_list",
            },
        ),
        (
            "type: redis-semantic, similarity_threshold: 1.5, embedding_model: a",
            {"similarity_threshold: must be at most 1"},
        ),
        (
            "type: redis-semantic, similarity_threshold: 0.9, redis_semantic_cache_embedding_model: nobody",
            {"redis_semantic_cache_embedding_model: no entry of model_list is called nobody"},
        ),
        ("type: semantic, similarity_threshold: 0.9, embedding_model: b/x", set[str]()),
        ("type: local", set[str]()),
    ],
)
def test_a_semantic_cache_has_a_threshold_and_an_embedding_model(tmp_path: Path, params: str, said: set[str]) -> None:
    models = "{model_name: a, litellm_params: {model: openai/a}}, {model_name: b/*, litellm_params: {model: openai/*}}"
    lines = problems_of(tmp_path, f"model_list: [{models}]\nlitellm_settings: {{cache_params: {{{params}}}}}\n")
    assert {line.partition("cache_params.")[2] for line in lines if "cache_params." in line} == said


def test_strategies_that_are_not_built_yet_are_a_warning(tmp_path: Path) -> None:
    lines = problems_of(tmp_path, "router_settings: {routing_strategy: lar1}")
    assert "1:37: router_settings.routing_strategy: warning: lar1 has no effect yet" in lines


def test_a_budget_is_a_providers_and_says_dollars_and_a_period(tmp_path: Path) -> None:
    def said(text: str) -> list[str]:
        return [line.partition(": ")[2] for line in problems_of(tmp_path, text) if "budget" in line]

    good = "openai: {budget_limit: 1e-12, time_period: 1d}, groq: {max_budget: 5, budget_duration: 24h}"
    assert said(f"router_settings: {{provider_budget_config: {{{good}}}}}") == []
    place = "router_settings.provider_budget_config"
    assert said("router_settings: {provider_budget_config: {opnai: {budget_limit: 1}}}") == [
        f"{place}.opnai: warning: no provider has this name, did you mean openai?"
    ]
    assert said("router_settings: {provider_budget_config: {openai: {budget_limit: 1, time_period: often}}}") == [
        f"{place}.openai: 'often' is no duration: say 30s, 30m, 1h, 7d, 1w or 1mo"
    ]
    assert said("router_settings: {provider_budget_config: {openai: {limit: 1}}}") == [
        f"{place}.openai: expected {{budget_limit: dollars, time_period: 1d}}"
    ]
    assert said("router_settings: {optional_pre_call_checks: [router_budget_limiting]}") == []
    entry = (
        "model_list: [{{model_name: m, litellm_params: {{model: openai/m, max_budget: {0}, budget_duration: {1}}}}}]"
    )
    assert said(entry.format(1.5, "1mo")) == []
    assert len(said(entry.format(-1, "often"))) == 2
    assert len(said(entry.format("1e20", "999999w"))) == 2
    assert said("router_settings: {provider_budget_config: {openai: {budget_limit: 1, time_period: 999999mo}}}") == [
        f"{place}.openai: '999999mo' is longer than a hundred years"
    ]


@pytest.mark.parametrize("section", [ConfigFile, ModelInfo, LitellmParams, *check.SETTINGS.values()])
def test_what_is_said_to_restrict_nothing_is_a_name_without_effect(section: type[Section]) -> None:
    assert all(map(section.has_no_effect, section.unguarded))


@pytest.mark.parametrize("section", check.SETTINGS)
def test_every_known_name_is_accepted(tmp_path: Path, section: str) -> None:
    cls = check.SETTINGS[section]
    lines = problems_of(tmp_path, f"{section}:\n" + "".join(f"  {name}: null\n" for name in sorted(cls.later)))
    assert [line for line in lines if "unknown" in line] == []
    assert len([line for line in lines if "no effect yet" in line or "not enforced yet" in line]) == len(cls.later)
