"""Second chapter: people. Approved by the merchant, tagged at the vendor; paused, approved again, with another address, in another
campaign.
"""

import time
from typing import Any, Dict, List, Optional

import story_hooks
from story_pages import ANN
from telling import SYSTEM_TAG, Walk

LATER = "ann@lee-courses.example"


def wanted(walk: Walk, *extras: str) -> List[str]:
    """The tags that a contact has while these campaigns' tags are on it."""
    return sorted([SYSTEM_TAG, *walk.known["tags"], *(extras or walk.known["campaign"]["extra_tags"])])


def has_tags(walk: Walk, email: str, tags: List[str]) -> Optional[Dict[str, Any]]:
    contact = walk.twin.contact(email)
    return contact if contact and sorted(contact["tags"]) == tags else None


def preview(walk: Walk) -> None:
    with walk.step("the preview shows the exact requests, and where each value comes from") as step:
        shown = walk.client.ok("preview_sync", {"connection": walk.known["connection"], "affiliate": walk.known["ann"]})
        origins = {tag["name"]: tag["from"] for tag in shown["tags"]}
        assert sorted(origins) == wanted(walk), origins
        requests = [f"{r['request']['method']} {r['request']['url']}" for r in shown["requests"]]
        assert shown["ending"] == "done" and requests and walk.credentials["api_key"] not in str(shown), shown
        assert walk.twin.contact(ANN) is None, "a preview sends nothing"
        step.note(f"tags {origins}; {', '.join(requests)}")


def approve(walk: Walk) -> None:
    with walk.step("approve: the contact is in the account, tagged") as step:
        approved = time.monotonic()
        did = walk.client.ok("approve_affiliate", id=walk.known["ann"])
        assert (did["changed"], did["syncs"]) == (1, 1), did
        tags = wanted(walk)
        contact = walk.until("approve -> contact tagged in the twin", lambda: has_tags(walk, ANN, tags), since=approved)
        affiliate = walk.client.ok("get_affiliate", id=walk.known["ann"])
        fields, names = contact["fields"], walk.known["fields"]
        assert (fields["firstname"], fields["lastname"]) == ("Ann", "Lee"), fields
        assert fields[names["slug"]] == affiliate["slug"] and fields[names["referral_link"]].endswith(f"?via={affiliate['slug']}"), fields
        step.note(f"after {walk.waits['approve -> contact tagged in the twin']} s: {contact['tags']}, {fields[names['referral_link']]}")
    with walk.step("the sync tells what was sent") as step:
        row = walk.until("the sync is shown as succeeded", lambda: sync_of(walk, walk.known["ann"], "succeeded"))
        detail = walk.client.ok("get_sync", id=row["id"])
        steps = [s["call"] for attempt in detail["history"] for s in attempt["steps"]]
        assert steps == ["save", "tag"], detail
        assert walk.credentials["api_key"] not in str(detail), "a sync shows a secret"
        step.note(f"{row['state']}, standing {row['standing']}, calls {steps}")
    with walk.step("the approval and the sync were told by webhook; the signatures verify by the PyPI library") as step:
        for kind in ("affiliate.approved", "sync.succeeded"):
            found = walk.until(f"approve -> {kind} received", lambda: story_hooks.of_type(walk, kind, walk.known["ann"]), since=approved)
            event = story_hooks.verified(walk, found[0])
            step.note(f"{kind} {walk.waits[f'approve -> {kind} received']} s after the approval, webhook-id {found[0].id}")
        assert event["data"]["sync"]["id"] == row["id"], event
    with walk.step("approved twice is approved once"):
        did = walk.client.ok("approve_affiliate", id=walk.known["ann"])
        assert did == {"changed": 0, "already": 1, "syncs": 0, "folded": 0}, did


def sync_of(walk: Walk, affiliate: str, state: str, purpose: Optional[str] = None) -> Optional[Dict[str, Any]]:
    """The newest sync of an affiliate, when it has this state."""
    rows = walk.client.ok("list_syncs", query={"affiliate": affiliate, "limit": 1})["data"]
    good = rows and rows[0]["state"] == state and purpose in (None, rows[0]["purpose"])
    return rows[0] if good else None


def pause(walk: Walk) -> None:
    walk.twin.steer("tags", {"names": ["By hand"]})
    with walk.step("pause: the campaign's tags come off, the contact stays") as step:
        paused = time.monotonic()
        did = walk.client.ok("pause_affiliate", {"reason": "holiday"}, id=walk.known["ann"])
        assert (did["changed"], did["syncs"]) == (1, 1), did
        contact = walk.until("pause -> tags off in the twin", lambda: has_tags(walk, ANN, []), since=paused)
        membership = walk.client.ok("get_affiliate", id=walk.known["ann"])["campaigns"][0]
        assert (membership["status"], membership["reason"]) == ("paused", "holiday"), membership
        step.note(f"after {walk.waits['pause -> tags off in the twin']} s; contact {contact['id']} has no tag of ours")
    with walk.step("approved again: the tags are back on the same contact") as step:
        again = time.monotonic()
        walk.client.ok("approve_affiliate", id=walk.known["ann"])
        back = walk.until("approve again -> tagged again", lambda: has_tags(walk, ANN, wanted(walk)), since=again)
        assert back["id"] == contact["id"], (contact, back)
        step.note(f"after {walk.waits['approve again -> tagged again']} s")


def move(walk: Walk) -> None:
    with walk.step("another e-mail: the contact moves, there is no second one") as step:
        before = walk.twin.contact(ANN)
        walk.twin.opt_out(ANN)
        changed = time.monotonic()
        walk.client.ok("update_affiliate", {"email": LATER, "company": None}, id=walk.known["ann"])
        after = walk.until("e-mail changed -> contact moved", lambda: has_tags(walk, LATER, wanted(walk)), since=changed)
        walk.quiet()
        everyone = [c["email"] for c in walk.twin.contacts()]
        assert after["id"] == before["id"] and everyone == [LATER], (before, after, everyone)
        assert after["opted_out"], "a contact that moved is not subscribed again"
        step.note(f"contact {after['id']} after {walk.waits['e-mail changed -> contact moved']} s, still opted out; account holds {everyone}")
    with walk.step("a taken address is refused, and who has it is said"):
        bob = walk.client.ok("create_affiliate", {"campaign": walk.known["campaign"]["id"], "email": "bob@students.example"})
        walk.known["bob"] = bob["id"]
        problem = walk.client.refused("update_affiliate", 409, {"email": LATER.upper()}, id=bob["id"])
        assert (problem["code"], problem["field"], problem["existing"]) == ("already_exists", "email", walk.known["ann"]), problem


def second_campaign(walk: Walk) -> None:
    first = walk.known["campaign"]
    with walk.step("a second campaign with an override: another tag, one field left out") as step:
        order = {"name": "Coaching", "slug": "coaching", "commission": {"model": "cps", "amount": "20", "currency": "EUR"}}
        coaching = walk.client.ok("create_campaign", {**order, "extra_tags": ["Coaching"]})
        walk.known["coaching"] = coaching
        ids = {"id": coaching["id"], "connection": walk.known["connection"]}
        walk.client.refused("get_override", 404, **ids)
        override = {"extra_tags": ["Coach VIP"], "fields": {"slug": None}}
        walk.client.ok("set_override", override, **ids)
        joined = walk.client.ok("join_campaign", {"campaign": coaching["id"], "approve": True}, id=walk.known["ann"])
        assert [m["status"] for m in joined["campaigns"]] == ["approved", "approved"], joined
        both = wanted(walk, *first["extra_tags"], "Coaching", "Coach VIP")
        walk.until("second campaign -> its tags too", lambda: has_tags(walk, LATER, both))
        shown = walk.client.ok("preview_sync", {"connection": ids["connection"], "affiliate": walk.known["ann"], "campaign": coaching["id"]})
        origins = {tag["name"]: tag["from"] for tag in shown["tags"]}
        assert origins["Coach VIP"] == "override" and "slug" not in [f["source"] for f in shown["fields"]], shown
        step.note(f"{origins}")
    with walk.step("removed from the first campaign: only the tags that no other campaign gives come off") as step:
        walk.client.ok("remove_affiliate", {"campaign": first["id"]}, id=walk.known["ann"])
        left = wanted(walk, "Coaching", "Coach VIP")
        walk.until("removed from one campaign -> its own tags off", lambda: has_tags(walk, LATER, left))
        walk.client.ok("approve_affiliate", {"campaign": first["id"]}, id=walk.known["ann"])
        walk.until("and back", lambda: has_tags(walk, LATER, sorted({*left, *first["extra_tags"]})))
        step.note(f"left were {left}")


def many(walk: Walk) -> None:
    campaign = walk.known["campaign"]["id"]
    with walk.step("many at once: all pending of a campaign, then two by id") as step:
        emails = [f"student{n}@students.example" for n in range(12)]
        ids = [walk.client.ok("create_affiliate", {"campaign": campaign, "email": email})["id"] for email in emails]
        walk.client.ok("reject_affiliates", {"ids": ids[:2], "campaign": campaign, "reason": "no website"})
        started = time.monotonic()
        did = walk.client.ok("approve_affiliates", {"campaign": campaign, "all": True})
        # Bob was pending as well.
        assert (did["changed"], did["syncs"]) == (11, 11), did
        tags = wanted(walk)
        walk.until("11 approved -> 11 tagged", lambda: all(has_tags(walk, e, tags) for e in emails[2:]), since=started)
        assert not any(walk.twin.contact(email) for email in emails[:2]), "the rejected were never sent"
        rows, pages = walk.client.every("list_affiliates", query={"campaign": campaign, "status": "approved", "limit": 5})
        assert len(rows) == 12 and pages >= 3, (len(rows), pages)
        found = walk.client.ok("list_affiliates", query={"email": emails[3].upper()})["data"]
        assert [a["id"] for a in found] == [ids[3]], found
        step.note(f"{did}; tagged after {walk.waits['11 approved -> 11 tagged']} s; list of 12 in {pages} pages")


CHAPTER = [preview, approve, pause, move, second_campaign, many]
