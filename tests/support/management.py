"""The management API of a running gateway: asked as somebody, and filled with two of everything."""

import json
from dataclasses import dataclass, field
from typing import Any

from support.gateway import Gateway

CONFIG = """
model_list:
  - {{model_name: m, litellm_params: {{model: openai/ok, api_base: {base}, api_key: k}}}}
general_settings: {{master_key: sk-1234, data_dir: {data}}}
"""


def ask(gateway: Gateway, route: str, body: Any = None, key: str = "sk-1234") -> tuple[int, Any]:
    """`route` is `GET /team/list`. Status and answer, whatever the status."""
    method, path = route.split(" ", 1)
    data = None if body is None else json.dumps(body).encode()
    status, answer = gateway.request(method, path, data, key=key)
    return status, json.loads(answer)


def done(gateway: Gateway, route: str, body: Any = None, key: str = "sk-1234") -> Any:
    """The answer of what must succeed."""
    status, answer = ask(gateway, route, body, key)
    assert status == 200, (route, body, status, answer)
    return answer


def refused(gateway: Gateway, route: str, body: Any = None, key: str = "sk-1234") -> tuple[int, str | None]:
    """Status and field of what must fail."""
    status, answer = ask(gateway, route, body, key)
    assert 400 <= status < 500, (route, body, status, answer)
    return status, answer["error"]["param"]


@dataclass
class Side:
    """One organization with a team and its people; nothing of it is the other side's business."""

    name: str
    keys: dict[str, str] = field(default_factory=dict[str, str])
    """Who -> the key they ask with."""

    def words(self) -> list[str]:
        """What must not be told to the other side."""
        return [f"{self.name}-", *self.keys.values()]


def fill(gateway: Gateway, name: str) -> Side:
    """Ids begin with the side's name, and so do all names."""
    side = Side(name)
    org, team = f"{name}-org", f"{name}-team"
    done(gateway, "POST /organization/new", {"organization_id": org, "organization_alias": f"{name}-alias"})
    done(gateway, "POST /team/new", {"team_id": team, "organization_id": org, "metadata": {"about": f"{name}-about"}})
    for who, role in (
        ("org_admin", "internal_user"),
        ("team_admin", "internal_user"),
        ("internal_user", "internal_user"),
        ("internal_user_viewer", "internal_user_viewer"),
    ):
        user = {
            "user_id": f"{name}-{who}",
            "user_role": role,
            "user_email": f"{name}-{who}@x",
            "key_alias": f"{name}-{who}",
        }
        side.keys[who] = done(gateway, "POST /user/new", user)["key"]
    leader = {"user_id": f"{name}-org_admin", "role": "org_admin"}
    done(gateway, "POST /organization/member_add", {"organization_id": org, "member": leader})
    people = [{"user_id": f"{name}-team_admin", "role": "admin"}, {"user_id": f"{name}-internal_user"}]
    done(gateway, "POST /team/member_add", {"team_id": team, "member": people})
    alone = {"key_alias": f"{name}-key", "metadata": {"about": f"{name}-secret"}}
    side.keys["key"] = done(gateway, "POST /key/generate", alone)["key"]
    given = {"key_alias": f"{name}-given", "team_id": team, "user_id": f"{name}-internal_user"}
    side.keys["given"] = done(gateway, "POST /key/generate", given)["key"]
    return side
