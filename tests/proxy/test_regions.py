"""Where calls are served for keys and end users that are bound to a region, and what the log says of who failed."""

from collections.abc import Iterator

import pytest

from litellm.proxy.regions import within
from litellm.router.deployments import Deployment
from litellm.types.calls import Target
from support.admin import chat, get, post, until
from support.gateway import Gateway
from support.management import ask, done, refused
from support.upstream import UpstreamThread

CONFIG = """
model_list:
  - {{model_name: both, litellm_params: {{model: openai/ok, api_base: {base}, api_key: k, region_name: us-east-1}}, model_info: {{id: over}}}}
  - {{model_name: both, litellm_params: {{model: openai/ok, api_base: {base}, api_key: k, region_name: eu-west-1}}, model_info: {{id: there}}}}
  - {{model_name: nowhere, litellm_params: {{model: openai/ok, api_base: {base}, api_key: k}}}}
  - {{model_name: us, litellm_params: {{model: openai/ok, api_base: {base}, api_key: k, region_name: us}}, model_info: {{id: here}}}}
  - {{model_name: broken, litellm_params: {{model: openai/status-500, api_base: {base}, api_key: k, region_name: eu}}}}
  - {{model_name: mixed, litellm_params: {{model: openai/status-500, api_base: {base}, api_key: k}}}}
  - {{model_name: mixed, litellm_params: {{model: groq/status-500, api_base: {base}, api_key: k}}}}
router_settings: {{fallbacks: [{{broken: [us, both]}}], num_retries: 1, disable_cooldowns: true}}
general_settings: {{master_key: sk-1234, data_dir: {data}}}
"""  # noqa: E501


@pytest.fixture(scope="module")
def gateway(shared_upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("regions")
    with Gateway(CONFIG.format(base=shared_upstream.base_url, data=folder / "data"), folder) as running:
        yield running


@pytest.mark.parametrize(
    ("region", "allowed", "fits"),
    [
        ("eu", ("eu",), True),
        ("EU-west-1", ("eu",), True),
        ("europe-west4", ("eu",), True),
        ("eureka", ("eu",), False),
        ("us-east-1", ("us", "us-east-1"), True),
        ("us-east-1", ("us", "eu"), False),
        ("us", ("us-east-1",), False),
        (None, ("eu",), False),
        (None, (), True),
    ],
)
def test_what_is_in_a_region(region: str | None, allowed: tuple[str, ...], fits: bool) -> None:
    one = Deployment("d", "m", Target("openai", "m", "http://x"), region=region)
    assert within(allowed, (one,)) == ((one,) if fits else ())


def served_by(gateway: Gateway, model: str, key: str = "sk-1234", **more: object) -> str:
    """The deployment that the log has for one more call, which succeeds."""
    before = get(gateway, "/spend/logs/v2")["total"]
    status, answer = chat(gateway, model, key, **more)
    assert status == 200, answer
    until(lambda: get(gateway, "/spend/logs/v2")["total"] > before)
    return get(gateway, "/spend/logs/v2")["data"][0]["model_id"]


def test_an_end_users_region(gateway: Gateway) -> None:
    post(gateway, "/customer/new", {"user_id": "pole", "allowed_model_region": "eu"})
    assert {served_by(gateway, "both", user="pole") for _ in range(6)} == {"there"}
    for model in ("nowhere", "us"):
        status, answer = chat(gateway, model, user="pole")
        assert (status, answer["error"]["param"]) == (400, "model")
        assert "in the allowed region eu" in answer["error"]["message"]
    assert chat(gateway, "us", user="somebody")[0] == 200
    post(gateway, "/customer/update", {"user_id": "pole", "default_model": "both"})
    assert served_by(gateway, "us", user="pole") == "there"
    post(gateway, "/customer/update", {"user_id": "pole", "default_model": "nowhere"})
    assert chat(gateway, "us", user="pole")[0] == 400
    post(gateway, "/customer/update", {"user_id": "pole", "default_model": "both"})
    bound = done(gateway, "POST /key/generate", {"models": ["us"]})["key"]
    assert chat(gateway, "us", bound, user="pole")[0] == 403  # a key is asked about the default model, too


def test_a_keys_region_holds_for_fallbacks(gateway: Gateway) -> None:
    key = done(gateway, "POST /key/generate", {"allowed_model_region": "eu"})["key"]
    assert done(gateway, f"GET /key/info?key={key}")["info"]["allowed_model_region"] == "eu"
    assert served_by(gateway, "broken", key) == "there"
    assert served_by(gateway, "broken") == "here"
    post(gateway, "/customer/new", {"user_id": "yankee", "allowed_model_region": "us"})
    assert chat(gateway, "both", key, user="yankee")[0] == 400  # no deployment is in both


def test_a_bound_key_makes_bound_keys(gateway: Gateway) -> None:
    user = done(gateway, "POST /user/new", {"user_id": "u", "auto_create_key": False})["user_id"]
    key = done(gateway, "POST /key/generate", {"user_id": user, "allowed_model_region": "eu"})["key"]
    made = done(gateway, "POST /key/generate", {}, key)
    assert made["allowed_model_region"] == "eu"
    for route, body in (("generate", {}), ("update", {"key": made["key"]})):
        assert refused(gateway, f"POST /key/{route}", {**body, "allowed_model_region": None}, key) == (
            403, "allowed_model_region",
        )  # fmt: skip
    assert ask(gateway, "POST /key/update", {"key": key, "allowed_model_region": "us"})[0] == 200


def test_a_failed_call_of_two_providers_names_the_last_that_was_asked(gateway: Gateway) -> None:
    before = get(gateway, "/spend/logs/v2")["total"]
    for _ in range(4):
        assert chat(gateway, "mixed")[0] == 500
    until(lambda: get(gateway, "/spend/logs/v2")["total"] == before + 4)
    rows = get(gateway, "/spend/logs/v2?status_filter=failure")["data"]
    told = [row for row in rows if row["model_group"] == "mixed"]
    assert len(told) == 4
    assert all(row["custom_llm_provider"] in ("openai", "groq") and row["model_id"] for row in told), told
