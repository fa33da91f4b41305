"""Deployments and credentials of the store: kept sealed, served by every worker, never in the gateway's way."""

import json
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.admin import ask, chat, config, get, post, refused, until
from support.gateway import Gateway
from support.upstream import UpstreamThread

SECRET = "sk-s3cr3t-of-the-store"
OURS = "os.environ/LITELLM_SALT_KEY"
PLAIN = {"model_name": "x", "litellm_params": {"model": "openai/x"}}
SALT = {"LITELLM_SALT_KEY": "a salt for tests", "OUTSIDE_KEY": "sk-from-outside"}


@pytest.fixture(scope="module")
def gateway(shared_upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("deployments")
    with Gateway(config(shared_upstream, data_dir=str(folder / "data")), folder, env=SALT) as gateway:
        yield gateway


def params(upstream: UpstreamThread, **more: Any) -> dict[str, Any]:
    return {"model": "openai/ok", "api_base": upstream.base_url, "api_key": SECRET, **more}


def row_of(gateway: Gateway, id: str) -> dict[str, Any]:
    [row] = get(gateway, f"/model/info?litellm_model_id={id}")["data"]
    return row


def sent_key(upstream: UpstreamThread) -> str:
    return upstream.requests[-1].headers["authorization"].removeprefix("Bearer ")


def in_store(gateway: Gateway) -> str:
    with sqlite3.connect(gateway.folder / "data/litellm.db") as connection:
        return "\n".join(connection.iterdump())


def test_a_deployment_from_beginning_to_end(gateway: Gateway, shared_upstream: UpstreamThread) -> None:
    asked = {"model_name": "new", "litellm_params": params(shared_upstream), "model_info": {"note": "n"}}
    made = post(gateway, "/model/new", asked)
    id = made["model_id"]
    assert made["model_info"] == {"note": "n", "id": id, "db_model": True} and "api_key" not in made["litellm_params"]
    assert chat(gateway, "new")[0] == 200 and sent_key(shared_upstream) == SECRET
    assert row_of(gateway, id)["model_info"]["db_model"] is True
    assert "new" in [row["id"] for row in get(gateway, "/v1/models")["data"]]
    changed = {"model_info": {"id": id}, "litellm_params": {"api_key": "sk-s3cr3t-two", "rpm": 9}}
    assert post(gateway, "/model/update", changed)["litellm_params"]["rpm"] == 9
    assert chat(gateway, "new")[0] == 200 and sent_key(shared_upstream) == "sk-s3cr3t-two"
    status, renamed = ask(
        gateway, "PATCH", f"/model/{id}/update", {"model_name": "newer", "model_info": {"note": None}}
    )
    assert (status, renamed["model_name"], "note" in renamed["model_info"]) == (200, "newer", False)
    assert (chat(gateway, "newer")[0], chat(gateway, "new")[0]) == (200, 400)
    post(gateway, "/model/block", {"id": id})
    assert chat(gateway, "newer")[0] == 400 and row_of(gateway, id)["model_info"]["error"] == "it is blocked"
    post(gateway, "/model/unblock", {"id": id})
    assert chat(gateway, "newer")[0] == 200
    assert post(gateway, "/model/delete", {"id": id}) == {"message": f"Model: {id} deleted successfully"}
    assert chat(gateway, "newer")[0] == 400 and refused(gateway, "/model/delete", {"id": id}) == (404, "id")


def test_no_secret_is_told_or_kept_in_the_clear(gateway: Gateway, shared_upstream: UpstreamThread) -> None:
    more = {"extra_headers": {"x-inside": "s3cr3t"}, "my_token": "s3cr3t", "extra_body": {"inside": "s3cr3t"}}
    post(gateway, "/model/new", {"model_name": "quiet", "litellm_params": params(shared_upstream, **more)})
    values = {"api_key": SECRET, "api_base": shared_upstream.base_url}
    post(
        gateway, "/credentials", {"credential_name": "quiet", "credential_values": values, "credential_info": {"a": 1}}
    )
    assert chat(gateway, "quiet")[0] == 200
    assert shared_upstream.requests[-1].headers["x-inside"] == "s3cr3t"
    assert shared_upstream.requests[-1].json["inside"] == "s3cr3t"
    for path in ("/model/info", "/v1/model/info", "/credentials", "/credentials/by_name/quiet", "/audit?page_size=100"):
        told = json.dumps(get(gateway, path))
        assert "s3cr3t" not in told and "sealed:" not in told, path
    assert get(gateway, "/credentials/by_name/quiet")["credential_info"] == {"a": 1}
    assert "s3cr3t" not in gateway.log and "s3cr3t" not in in_store(gateway) and "sealed:v1:" in in_store(gateway)


def test_a_deployment_takes_what_it_does_not_say_from_its_credential(
    gateway: Gateway, shared_upstream: UpstreamThread
) -> None:
    values = {"api_key": "sk-s3cr3t-a", "api_base": shared_upstream.base_url}
    post(gateway, "/credentials", {"credential_name": "of a/team", "credential_values": values})
    named = {"model": "openai/ok", "litellm_credential_name": "of a/team"}
    post(gateway, "/model/new", {"model_name": "by name", "litellm_params": named, "model_info": {"id": "by-name"}})
    assert chat(gateway, "by name")[0] == 200 and sent_key(shared_upstream) == "sk-s3cr3t-a"
    path = "/credentials/of%20a/team"
    assert ask(gateway, "PATCH", path, {"credential_values": {"api_key": "sk-s3cr3t-b"}})[0] == 200
    assert chat(gateway, "by name")[0] == 200 and sent_key(shared_upstream) == "sk-s3cr3t-b"
    assert row_of(gateway, "by-name")["litellm_params"]["litellm_credential_name"] == "of a/team"
    assert refused(gateway, path, None, "DELETE") == (400, "name")
    post(gateway, "/model/delete", {"id": "by-name"})
    assert ask(gateway, "DELETE", path)[0] == 200 and refused(gateway, path, None, "DELETE") == (404, "name")
    status, answer = ask(gateway, "POST", "/model/new", {"model_name": "x", "litellm_params": named})
    assert (status, answer["error"]["param"]) == (400, "litellm_params.litellm_credential_name")


def test_values_of_the_environment(gateway: Gateway, shared_upstream: UpstreamThread) -> None:
    asked = params(shared_upstream, api_key="os.environ/OUTSIDE_KEY")
    post(gateway, "/model/new", {"model_name": "outside", "litellm_params": asked})
    assert chat(gateway, "outside")[0] == 200 and sent_key(shared_upstream) == "sk-from-outside"
    post(
        gateway,
        "/model/new",
        {"model_name": "unset", "litellm_params": params(shared_upstream, api_key="os.environ/NO")},
    )
    status, answer = chat(gateway, "unset")
    assert status == 401 and "NO is not set" in answer["error"]["message"]
    for variable in ("LITELLM_MASTER_KEY", "LITELLM_SALT_KEY", "DATABASE_URL"):
        asked = params(shared_upstream, api_key=f"os.environ/{variable}")
        body = {"model_name": "x", "litellm_params": asked}
        assert refused(gateway, "/model/new", body) == (400, "litellm_params.api_key")


def test_the_stores_deployment_takes_the_place_of_the_configs(upstream: UpstreamThread, tmp_path: Path) -> None:
    rows = [{"model_name": "m", "litellm_params": params(upstream, api_key="k"), "model_info": {"id": "one"}}]
    text = json.dumps(
        {"model_list": rows, "general_settings": {"master_key": "sk-1234", "data_dir": str(tmp_path / "data")}}
    )
    with Gateway(text, tmp_path, env=SALT) as gateway:
        assert refused(gateway, "/model/update", {"model_info": {"id": "one"}}) == (400, "model_info.id")
        asked = {"model_name": "m", "litellm_params": params(upstream), "model_info": {"id": "one"}}
        post(gateway, "/model/new", asked)
        assert [row["model_info"]["db_model"] for row in get(gateway, "/model/info")["data"]] == [True]
        assert chat(gateway)[0] == 200 and sent_key(upstream) == SECRET
        post(gateway, "/model/delete", {"id": "one"})
        assert chat(gateway)[0] == 200 and sent_key(upstream) == "k"


def test_a_credential_for_a_deployment_of_the_config(upstream: UpstreamThread, tmp_path: Path) -> None:
    named = {"model": "openai/ok", "litellm_credential_name": "later"}
    text = json.dumps(
        {
            "model_list": [{"model_name": "m", "litellm_params": named}],
            "general_settings": {"master_key": "sk-1234", "data_dir": str(tmp_path / "data")},
        }
    )
    environment = {**SALT, "OPENAI_API_KEY": "sk-never-sent"}
    with Gateway(text, tmp_path, env=environment) as gateway:
        assert chat(gateway)[0] == 400, "it is not served with another key, at another address"
        [row] = get(gateway, "/model/info")["data"]
        assert "'later' does not exist" in row["model_info"]["error"] and not row["model_info"]["db_model"]
        values = {"api_key": SECRET, "api_base": upstream.base_url}
        post(gateway, "/credentials", {"credential_name": "later", "credential_values": values})
        assert chat(gateway)[0] == 200 and sent_key(upstream) == SECRET
    with Gateway(text, tmp_path, env=environment) as gateway:
        assert chat(gateway)[0] == 200, "and after a new start"


def test_credentials_of_the_config(upstream: UpstreamThread, tmp_path: Path) -> None:
    values = {"api_key": "os.environ/OUTSIDE_KEY", "api_base": upstream.base_url}
    text = json.dumps(
        {
            "model_list": [
                {"model_name": name, "litellm_params": {"model": "openai/ok", "litellm_credential_name": name}}
                for name in ("listed", "no-such")
            ],
            "credential_list": [{"credential_name": "listed", "credential_values": values}],
            "general_settings": {"master_key": "sk-1234", "data_dir": str(tmp_path / "data")},
        }
    )
    with Gateway(text, tmp_path, env=SALT) as gateway:
        assert chat(gateway, "listed")[0] == 200 and sent_key(upstream) == "sk-from-outside"
        assert "the credential 'no-such' does not exist" in gateway.log and "sk-from-outside" not in gateway.log
        body = {"credential_name": "listed", "credential_values": {**values, "api_key": SECRET}}
        post(gateway, "/credentials", body)
        assert chat(gateway, "listed")[0] == 200 and sent_key(upstream) == SECRET


def test_what_cannot_be_opened_is_left_out_and_the_gateway_goes_on(upstream: UpstreamThread, tmp_path: Path) -> None:
    text = config(upstream, data_dir=str(tmp_path / "data"))
    with Gateway(text, tmp_path, env=SALT) as gateway:
        body = {"model_name": "kept", "litellm_params": params(upstream), "model_info": {"id": "kept"}}
        post(gateway, "/model/new", body)
    with Gateway(text, tmp_path, env={"LITELLM_SALT_KEY": "another"}) as gateway:
        assert (chat(gateway)[0], chat(gateway, "kept")[0]) == (200, 400)
        assert "another LITELLM_SALT_KEY" in row_of(gateway, "kept")["model_info"]["error"]
        assert "deployment kept of model 'kept' is left out" in gateway.log
        post(gateway, "/model/update", {"model_info": {"id": "kept"}, "litellm_params": {"api_key": "sk-s3cr3t-new"}})
        assert chat(gateway, "kept")[0] == 200
    with Gateway(text, tmp_path) as gateway:
        assert (chat(gateway)[0], chat(gateway, "kept")[0]) == (200, 400)
        assert "LITELLM_SALT_KEY" in row_of(gateway, "kept")["model_info"]["error"]
        status, answer = ask(gateway, "POST", "/model/new", {"model_name": "x", "litellm_params": params(upstream)})
        assert status == 400 and "LITELLM_SALT_KEY" in answer["error"]["message"]
        asked = {"credential_name": "x", "credential_values": {"api_key": "v"}}
        status, answer = ask(gateway, "POST", "/credentials", asked)
        assert status == 400 and "LITELLM_SALT_KEY" in answer["error"]["message"]
        assert answer["error"]["param"] == "credential_values.api_key"


def test_it_is_kept_across_a_reload(upstream: UpstreamThread, tmp_path: Path) -> None:
    with Gateway(config(upstream, data_dir=str(tmp_path / "data")), tmp_path, env=SALT) as gateway:
        post(gateway, "/model/new", {"model_name": "kept", "litellm_params": params(upstream)})
        gateway.config_file.write_text(config(upstream, "m", "added", data_dir=str(tmp_path / "data")))
        gateway.signal(signal.SIGHUP)
        until(lambda: chat(gateway, "added")[0] == 200)
        assert chat(gateway, "kept")[0] == 200


@pytest.mark.slow
def test_every_worker_serves_it_within_two_seconds(upstream: UpstreamThread, tmp_path: Path) -> None:
    text = config(upstream, data_dir=str(tmp_path / "data"))
    with Gateway(text, tmp_path, ("--num_workers", "2"), env=SALT) as gateway:
        post(gateway, "/model/new", {"model_name": "a", "litellm_params": params(upstream)})
        time.sleep(2)
        assert {chat(gateway, "a")[0] for _ in range(20)} == {200}
        post(gateway, "/model/new", {"model_name": "b", "litellm_params": params(upstream)})
        time.sleep(2)
        assert {chat(gateway, "b")[0] for _ in range(20)} == {200}


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({}, "litellm_params.model"),
        ({"model": 5}, "litellm_params.model"),
        ({"model": "openai/x", "rpm": -1}, "litellm_params.rpm"),
        ({"model": "openai/x", "api_base": "nowhere"}, "litellm_params.api_base"),
        ({"model": "nobody-knows-this"}, "litellm_params.model"),
        ({"model": "openai/x", "user": "sealed:v1:abc:def"}, "litellm_params.user"),
        ({"model": "openai/x", "litellm_credential_name": "nobody"}, "litellm_params.litellm_credential_name"),
    ],
)
def test_bad_parameters_are_named(gateway: Gateway, params: dict[str, Any], name: str) -> None:
    assert refused(gateway, "/model/new", {"model_name": "x", "litellm_params": params}) == (400, name)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "name"),
    [
        ("POST", "/model/new", {"model_name": "x"}, 422, "litellm_params"),
        ("POST", "/model/new", {"model_name": "x", "litellm_params": {"model": "openai/\0"}}, 422, "litellm_params"),
        ("POST", "/model/new", {**PLAIN, "model_info": {"id": []}}, 400, "model_info.id"),
        ("POST", "/model/new", {**PLAIN, "model_info": {"mode": "y"}}, 400, "model_info.mode"),
        ("POST", "/model/update", {"model_name": "x"}, 400, "model_info.id"),
        ("POST", "/model/update", {"model_info": {"id": "nobody"}}, 404, "model_info.id"),
        ("PATCH", "/model/nobody/update", {}, 404, "model_id"),
        ("POST", "/model/block", {"id": "nobody"}, 404, "id"),
        ("POST", "/credentials", {"credential_name": "x"}, 422, "credential_values"),
        ("POST", "/credentials", {"credential_name": "x", "credential_values": {"api_key": OURS}},
         400, "credential_values.api_key"),
        ("POST", "/credentials", {"credential_name": "x", "credential_values": {"api_base": "nowhere"}},
         400, "credential_values.api_base"),
        ("GET", "/credentials/by_name/nobody", None, 404, "name"),
        ("PATCH", "/credentials/nobody", {}, 404, "name"),
        ("DELETE", "/credentials/nobody", None, 404, "name"),
    ],
)  # fmt: skip
def test_bad_requests_are_named(gateway: Gateway, method: str, path: str, body: object, status: int, name: str) -> None:
    assert refused(gateway, path, body, method) == (status, name)


def test_an_id_or_a_name_that_is_taken(gateway: Gateway, shared_upstream: UpstreamThread) -> None:
    body = {"model_name": "x", "litellm_params": params(shared_upstream), "model_info": {"id": 7}}
    assert post(gateway, "/model/new", body)["model_id"] == "7"
    assert refused(gateway, "/model/new", body) == (400, "model_info.id")
    twice = {"credential_name": "twice", "credential_values": {}}
    post(gateway, "/credentials", twice)
    assert refused(gateway, "/credentials", twice) == (400, "credential_name")
