"""Bodies that nobody means: every management route answers with a status that says whose fault it is."""

import json
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any, Final

import pytest

from litellm.proxy.config.model_list import LitellmParams, ModelInfo
from support.admin import ask, chat, config, get, post, until
from support.gateway import Gateway
from support.upstream import UpstreamThread

VALUES: Final[tuple[Any, ...]] = (
    None, True, -1, 2**70, 1e308, "", "\0", "\ud800", "x" * 10_000, [], [None], {}, {"": {"\0": "\ud800"}},
    "os.environ/", {"": ""}, {"model": "openai/*", "api_key": 5}, {"id": "\u2028"}, float("nan"),
)  # fmt: skip


@pytest.fixture(scope="module")
def gateway(shared_upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("hostile")
    text = config(shared_upstream, data_dir=str(folder / "data"))
    with Gateway(text, folder, env={"LITELLM_SALT_KEY": "s"}) as gateway:
        yield gateway


def raw(gateway: Gateway, method: str, path: str, body: bytes) -> tuple[int, Any]:
    told = {"Authorization": "Bearer sk-1234", "Content-Type": "application/json"}
    try:
        request = urllib.request.Request(gateway.origin + path, body, told, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


RIGHT: Final = {
    "string": "some text", "object": {"model": "openai/x", "api_key": "k"}, "array": ["some text"],
    None: {"user_id": "somebody"},  # what may be several things: a member
}  # fmt: skip


def bodies(schema: dict[str, Any]) -> Iterator[Any]:
    """One field at a time is wrong, the others are there if they must be."""
    yield from VALUES
    required = {name: RIGHT[schema["properties"][name].get("type")] for name in schema.get("required", ())}
    for name in schema["properties"]:
        for value in VALUES:
            yield {**required, name: value}


@pytest.mark.slow
def test_no_body_is_a_defect(gateway: Gateway) -> None:
    document = get(gateway, "/openapi.json")
    asked = 0
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if "requestBody" not in operation or operation["tags"] in (["inference"], ["models"]):
                continue
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            reference = schema.get("$ref") or schema["anyOf"][0]["$ref"]
            for body in bodies(document["components"]["schemas"][reference.rpartition("/")[2]]):
                said = json.dumps(body).encode()
                status, answer = raw(gateway, method.upper(), path.replace("{", "").replace("}", ""), said)
                assert status < 500, (path, body, answer)
                assert status < 400 or answer["error"]["message"], (path, body)
                asked += 1
    assert asked > 1000


@pytest.mark.parametrize("part", ["litellm_params", "model_info"])
def test_no_parameter_of_a_deployment_is_a_defect(gateway: Gateway, part: str) -> None:
    names = (
        [*LitellmParams.model_fields, "temperature", "my_token"] if part == "litellm_params" else ModelInfo.model_fields
    )
    for name in names:
        for value in VALUES:
            given = {"model_name": "x", "litellm_params": {"model": "openai/x"}, "model_info": {}}
            given[part] = {**given[part], name: value}  # type: ignore[dict-item]
            status, answer = raw(gateway, "POST", "/model/new", json.dumps(given).encode())
            assert status < 500, (name, value, answer)
    assert ask(gateway, "GET", "/model/info")[0] == 200 == chat(gateway)[0]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"{}" * 2, b'"x"', b"[" * 100_000 + b"]" * 100_000]
)
def test_what_is_no_json_is_refused(gateway: Gateway, body: bytes) -> None:
    for path in ("/customer/new", "/model/new", "/credentials"):
        status, answer = raw(gateway, "POST", path, body)
        assert status in (400, 422) and answer["error"]["code"] == str(status)


def test_a_database_that_does_not_answer_is_503(shared_upstream: UpstreamThread, tmp_path_factory: Any) -> None:
    folder = tmp_path_factory.mktemp("down")
    with Gateway(config(shared_upstream, data_dir=str(folder / "data")), folder) as gateway:
        post(gateway, "/tag/new", {"name": "t"})
        with sqlite3.connect(folder / "data/litellm.db") as connection:
            connection.execute("DROP TABLE tags")
        status, answer = ask(gateway, "GET", "/tag/list")
        assert (status, answer["error"]["type"]) == (503, "no_db_connection")


def test_an_absurd_price_does_not_hold_up_the_log(shared_upstream: UpstreamThread, tmp_path_factory: Any) -> None:
    folder = tmp_path_factory.mktemp("absurd")
    with Gateway(config(shared_upstream, data_dir=str(folder / "data")), folder) as gateway:
        params = {"model": "openai/ok", "api_base": shared_upstream.base_url, "input_cost_per_token": 1e12}
        params |= {"api_key": "os.environ/PATH", "output_cost_per_token": 1e12}
        post(gateway, "/model/new", {"model_name": "dear", "litellm_params": params})
        assert [chat(gateway, model)[0] for model in ("dear", "m")] == [200, 200]
        until(lambda: get(gateway, "/spend/logs/v2")["total"] == 2)
