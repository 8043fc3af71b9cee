"""The chapter of many: a Rewardful export is checked, imported and told row by row; everything is brought into the account again."""

import csv
import io
import time
from typing import Any, Dict, List

import story_hooks
from story_people import has_tags, wanted
from telling import Walk

ROWS = [
    "First Name,Last Name,Email,Token,State,Campaign,Created At",
    "Zoë,Müller,zoe@imported.example,zoe-m,active,Course launch,2025-01-02",
    "José,de Sousa,jose@imported.example,jose,active,Course launch,2025-02-03",
    "=cmd(),Evil,evil@imported.example,evil-one,active,Course launch,2025-02-04",
    "Off,Switched,off@imported.example,off-one,disabled,Course launch,2025-03-04",
    "Zoë,Again,ZOE@imported.example,zoe-2,active,Course launch,2025-03-05",
    "No,Address,,no-one,active,Course launch,2025-03-06",
    "Bad,Address,bad at example.com,bad-one,active,Course launch,2025-03-07",
]
FILE = ("\ufeff" + "\r\n".join(ROWS) + "\r\n").encode()


def result_rows(walk: Walk, name: str) -> List[Dict[str, str]]:
    answer = walk.client.call("import_results", id=name)
    return list(csv.DictReader(io.StringIO(answer.text)))


def in_state(walk: Walk, name: str, *states: str) -> Dict[str, Any]:
    found = walk.client.ok("get_import", id=name)
    assert found["state"] != "failed", found
    return found if found["state"] in states else {}


def imported(walk: Walk) -> None:
    campaign = walk.known["campaign"]["id"]
    with walk.step("import of a Rewardful export: the dry run counts and writes nothing") as step:
        before, _ = walk.client.every("list_affiliates", query={"limit": 100})
        taken = walk.client.call("create_import", FILE, content_type="text/csv", query={"campaign": campaign, "approve": True})
        name = taken.json()["id"]
        checked = walk.until("import -> checked", lambda: in_state(walk, name, "checked"))
        assert checked["layout"] == "rewardful", checked
        assert checked["check"] == {"rows": 7, "created": 4, "joined": 0, "duplicates": 1, "errors": 2}, checked
        after, _ = walk.client.every("list_affiliates", query={"limit": 100})
        assert len(before) == len(after), "a dry run made affiliates"
        foretold = result_rows(walk, name)
        step.note(f"{checked['check']}; {[e['message'] for e in checked['first_errors']]}; ignored {checked['ignored_columns']}")
    with walk.step("started: the active ones are approved, tagged, and keep their slugs") as step:
        started = time.monotonic()
        walk.client.ok("start_import", id=name)
        done = walk.until("import started -> finished", lambda: in_state(walk, name, "finished"), since=started)
        assert done["counts"] == checked["check"], done
        tags = wanted(walk)
        for email in ("zoe@imported.example", "jose@imported.example", "evil@imported.example"):
            walk.until(f"import -> {email.split('@')[0]} tagged", lambda: has_tags(walk, email, tags), since=started)
        assert walk.twin.contact("off@imported.example") is None, "who was switched off was sent"
        found = walk.client.ok("list_affiliates", query={"slug": "zoe-m"})["data"]
        assert [a["email"] for a in found] == ["zoe@imported.example"], found
        walk.known["zoe"] = found[0]["id"]
        step.note(f"{done['counts']} in {walk.waits['import started -> finished']} s")
    with walk.step("the result file has a line for each row") as step:
        rows = result_rows(walk, name)
        assert [row["result"] for row in rows] == ["created"] * 4 + ["duplicate", "error", "error"], rows
        assert [row["result"] for row in foretold] == [row["result"] for row in rows], "the dry run foretold something else"
        step.note("; ".join(f"row {row['row']} {row['result']} {row['message']}".strip() for row in rows[3:]))
    with walk.step("the end is told as server-sent events and by webhook") as step:
        events = walk.client.call("import_events", id=name).text
        assert "event: end" in events or "event:end" in events, events
        told = walk.until("import -> webhook", lambda: story_hooks.of_type(walk, "import.finished", name))
        event = story_hooks.verified(walk, told[0])
        step.note(f"{event['data']['import']['counts']}")
    with walk.step("the same file once more changes nothing"):
        again = walk.client.ok("create_import", FILE, content_type="text/csv", query={"campaign": campaign, "format": "rewardful", "start": True})
        done = walk.until("second import -> finished", lambda: in_state(walk, again["id"], "finished"))
        assert (done["counts"]["created"], done["counts"]["duplicates"]) == (0, 5), done


def table(walk: Walk) -> None:
    with walk.step("affiliates as a table: a formula in a name is only text") as step:
        answer = walk.client.call("export_affiliates", query={"campaign": walk.known["campaign"]["id"]})
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        evil = [row for row in rows if row["email"] == "evil@imported.example"]
        assert evil and evil[0]["first"] == "'=cmd()", evil
        step.note(f"{len(rows)} rows; {evil[0]['first']}")


def resync(walk: Walk) -> None:
    connection = walk.known["connection"]
    with walk.step("a contact that the merchant deleted comes back by a resync of one") as step:
        walk.quiet()
        walk.twin.steer("remove?email=zoe%40imported.example")
        did = walk.client.ok("resync_connection", {"affiliates": [walk.known["zoe"]]}, id=connection)
        assert (did["affiliates"], did["syncs"]) == (1, 1), did
        walk.until("resync -> tagged again", lambda: has_tags(walk, "zoe@imported.example", wanted(walk)))
        step.note(f"{did}")
    with walk.step("a second account: approved affiliates are counted, and brought over when asked") as step:
        second = {"connector": walk.connector, "name": "Same account again", "credentials": walk.credentials}
        refused_or_made = walk.client.call("create_connection", second, expect=[201, 409])
        if refused_or_made.status == 409:
            step.note(f"409 {refused_or_made.json()['code']}: {refused_or_made.json()['detail']}")
            return
        made = refused_or_made.json()
        assert made["approved_before"] >= 15 and made["backfill"] is None, made
        before = len(walk.twin.contacts())
        did = walk.client.ok("resync_connection", {"all": True, "campaign": walk.known["campaign"]["id"]}, id=made["id"])
        walk.quiet()
        assert did["affiliates"] >= 15 and len(walk.twin.contacts()) == before, (did, before)
        gone = walk.client.ok("disconnect", id=made["id"])
        assert gone["connection"]["state"] == "disconnected", gone
        step.note(f"{made['approved_before']} approved before; {did}; no second contact for anyone")


CHAPTER = [imported, table, resync]
