"""Every write leaves a row in the audit log, with who did it; and what is shown is what the store has."""

import asyncio
from pathlib import Path

from litellm.store.base import Audit
from litellm.store.database import open_database
from litellm.store.records import SqlRecords
from support.gateway import Gateway
from support.management import done


def audits(gateway: Gateway) -> list[Audit]:
    async def read() -> list[Audit]:
        database = await open_database(None, Path(gateway.folder, "data"))
        try:
            return (await SqlRecords(database).audit(size=1000))[0]
        finally:
            await database.aclose()

    return asyncio.run(read())


def test_every_write_is_in_the_audit_log(managed: Gateway) -> None:
    admin = done(managed, "POST /user/new", {"user_id": "auditor", "user_role": "proxy_admin"})["key"]

    def act(route: str, body: object) -> None:
        done(managed, route, body, admin)

    act("POST /organization/new", {"organization_id": "ao"})
    act("PATCH /organization/update", {"organization_id": "ao", "max_budget": 0.5})
    act("POST /team/new", {"team_id": "at", "organization_id": "ao"})
    act("POST /team/update", {"team_id": "at", "team_alias": "new"})
    act("POST /team/block", {"team_id": "at"})
    act("POST /team/unblock", {"team_id": "at"})
    act("POST /team/member_add", {"team_id": "at", "member": {"user_id": "au"}})
    act("POST /team/member_update", {"team_id": "at", "user_id": "au", "role": "admin"})
    act("POST /user/update", {"user_id": "au", "user_alias": "A"})
    act("POST /key/generate", {"team_id": "at", "user_id": "au", "key": "sk-audited-1"})
    act("POST /key/update", {"key": "sk-audited-1", "rpm_limit": 1})
    act("POST /key/block", {"key": "sk-audited-1"})
    act("POST /key/regenerate", {"key": "sk-audited-1", "new_key": "sk-audited-2"})
    act("POST /user/delete", {"user_ids": ["au"]})
    act("DELETE /organization/delete", {"organization_ids": ["ao"]})
    log = [row for row in audits(managed) if row.actor == "auditor"]
    of = {
        kind: {row.action for row in log if row.kind == kind}
        for kind in ("organization", "team", "member", "user", "key")
    }
    assert of["organization"] == {"created", "updated", "deleted"}
    assert of["team"] == {"created", "updated", "blocked", "unblocked", "deleted"}
    assert of["member"] == {"created", "updated", "deleted"} == of["user"]
    assert of["key"] == {"created", "updated", "blocked", "regenerated", "deleted"}
    [changed] = [row for row in log if row.kind == "organization" and row.action == "updated"]
    assert changed.before is not None and changed.after is not None
    assert (changed.before["max_budget"], changed.after["max_budget"]) == (None, 500_000_000)
    assert "sk-audited" not in "".join(map(str, log))
