"""Last chapter: what the law and the auditors ask for, and that nobody else sees any of it."""

import csv
import io
from typing import Any, List, Set

from story_people import LATER
from telling import Walk

# What this story has done, as the log must call it.
EXPECTED = {
    "affiliate.applied",
    "affiliate.approved",
    "affiliate.paused",
    "affiliate.updated",
    "affiliate.erased",
    "campaign.created",
    "campaign.override_set",
    "connection.created",
    "connection.updated",
    "connection.disconnected",
    "import.finished",
    "invite.created",
    "invite.accepted",
    "invite.revoked",
    "key.created",
    "key.revoked",
    "webhook_endpoint.created",
    "webhook_endpoint.secret_rotated",
}

def exported(walk: Walk) -> None:
    with walk.step("GDPR export: everything about one person in one document") as step:
        walk.quiet()
        person = walk.client.ok("export_affiliate", id=walk.known["ann"])
        text = str(person)
        assert person["affiliate"]["id"] == walk.known["ann"] and person["former_emails"], person
        assert person["syncs"] and person["audit"] and person["contacts"], person
        assert walk.credentials["api_key"] not in text and walk.known["first_secret"] not in text, "an export holds a secret"
        step.note(", ".join(f"{len(person[part])} {part}" for part in ("syncs", "contacts", "audit", "deliveries", "invites")))


def erased(walk: Walk) -> None:
    ann = walk.known["ann"]
    with walk.step("GDPR erase: asked to confirm, then nothing is left here") as step:
        problem = walk.client.refused("erase_affiliate", 422, {"confirm": "somebody@else.example"}, id=ann)
        assert problem["field"] == "confirm" and LATER not in str(problem), problem
        syncs, _ = walk.client.every("list_syncs", query={"affiliate": ann})
        did = walk.client.ok("erase_affiliate", {"confirm": LATER}, id=ann)
        assert did["id"] == ann and did["syncs"] >= len(syncs) and walk.known["connection"] in did["may_remain_at"], did
        for operation in ("get_affiliate", "export_affiliate"):
            assert walk.client.refused(operation, 404, id=ann)["code"] == "not_found"
        assert walk.client.refused("get_sync", 404, id=syncs[0]["id"])["code"] == "not_found"
        assert walk.client.ok("list_affiliates", query={"email": LATER})["data"] == []
        assert walk.twin.contact(LATER), "the contact stays in the merchant's account"
        step.note(f"{did}")
    with walk.step("nothing that the API shows names the erased person"):
        for name in ("list_affiliates", "list_syncs", "list_invites"):
            rows, _ = walk.client.every(name, query={"limit": 100})
            assert not holds(rows, {LATER.lower(), ann}), name


def holds(value: Any, wanted: Set[str]) -> bool:
    if isinstance(value, dict):
        return any(holds(inner, wanted) for inner in value.values())
    if isinstance(value, list):
        return any(holds(inner, wanted) for inner in value)
    return isinstance(value, str) and value.lower() in wanted


def audited(walk: Walk) -> None:
    with walk.step("the audit log: who, what, when, from where; also as a table") as step:
        rows, pages = walk.client.every("list_audit_log", query={"limit": 100})
        actions = {row["action"] for row in rows}
        assert EXPECTED <= actions, f"missing {EXPECTED - actions} in {actions}"
        assert not any(holds_text(row, [walk.credentials["api_key"], LATER, "students.example"]) for row in rows), "the log holds values"
        keys = {key["id"]: key for key in walk.client.every("list_api_keys")[0]}
        made = [row for row in rows if row["action"] == "campaign.created"]
        assert made and all(row["actor"]["id"] in keys and row["actor"]["ip"] == "127.0.0.1" for row in made), made
        applied = [row for row in rows if row["actor"]["kind"] == "public"]
        assert applied, "nobody without a key is in the log"
        by_target = walk.client.ok("list_audit_log", query={"target": walk.known["campaign"]["id"], "action": "campaign."})["data"]
        assert {row["action"] for row in by_target} == {"campaign.created"}, by_target
        table = list(csv.DictReader(io.StringIO(walk.client.call("export_audit_log").text)))
        assert len(table) >= len(rows), (len(table), len(rows))
        step.note(f"{len(rows)} entries in {pages} pages: {', '.join(sorted(actions))}")


def holds_text(value: Any, words: List[str]) -> bool:
    text = str(value).lower()
    return any(word.lower() in text for word in words)


def strangers(walk: Walk) -> None:
    with walk.step("another organization's key finds none of it: 404, the same words as for what never was") as step:
        ours = {
            "get_connection": walk.known["connection"],
            "get_campaign": walk.known["campaign"]["id"],
            "get_affiliate": walk.known["bob"],
            "export_affiliate": walk.known["bob"],
            "get_webhook_endpoint": walk.known["endpoint"],
        }
        for operation, name in ours.items():
            assert walk.client.call(operation, id=name).status == 200
            seen = walk.stranger.refused(operation, 404, id=name)
            never = walk.stranger.refused(operation, 404, id=name[:-4] + "0000")
            assert {**seen, "request_id": ""} == {**never, "request_id": ""}, (seen, never)
        for listed in ("list_connections", "list_campaigns", "list_affiliates", "list_syncs", "list_webhook_endpoints"):
            assert walk.stranger.every(listed)[0] == [], listed
        step.note(f"{len(ours)} kinds of id, 5 lists")


def disconnected(walk: Walk) -> None:
    with walk.step("disconnect: the key is forgotten, the contacts stay") as step:
        before = len(walk.twin.contacts())
        gone = walk.client.ok("disconnect", id=walk.known["connection"])
        assert gone["connection"]["state"] == "disconnected" and gone["connection"]["credentials"] == {}, gone
        late = walk.client.ok("approve_affiliate", {"campaign": walk.known["campaign"]["id"]}, id=walk.known["bob"])
        assert late["syncs"] == 0 and len(walk.twin.contacts()) == before, late
        step.note(f"{before} contacts stay; nothing more is sent")


CHAPTER = [exported, erased, audited, strangers, disconnected]
