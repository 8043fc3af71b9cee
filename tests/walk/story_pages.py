"""The chapters that people without a key take part in: the application page, and invitations. Pages are read and sent as a browser without
JavaScript would.
"""

import time
from typing import Any, Dict

import story_hooks
from browser import Form, Page
from telling import Walk

ANN = "Ann.Lee@students.example"
# Nobody reads and fills a page faster; the host takes what does for a program.
READING = 2.2


def filled(page: Page, email: str, **more: str) -> Form:
    return page.form.fill({"E-mail": email, "Full name": "Ann Lee", "Website": "https://ann.example", "I agree": True, **more})


def apply(walk: Walk) -> None:
    campaign, browser = walk.known["campaign"], walk.browser()
    with walk.step("the application page shows the campaign") as step:
        assert campaign["page_url"], "the campaign does not say where its page is"
        page = browser.open(campaign["page_url"])
        assert page.status == 200, page.text
        for words in (campaign["name"], campaign["commission_text"], "60 days"):
            assert words in page.text, f"{words!r} is not on the page: {page.text}"
        step.note(f"{page.url}: {', '.join(f.label for f in page.form.seen())}")
    with walk.step("sent without consent, it comes back with words") as step:
        missing = browser.open(campaign["page_url"])
        form = filled(missing, ANN, **{"I agree": False})
        assert "consent" in form.complaints(), "a browser would send it"
        time.sleep(READING)
        back = browser.submit(missing, form, despite=True)
        assert back.status == 422 and walk.client.ok("list_affiliates", query={"email": ANN})["data"] == [], back.text
        assert back.form.by_label("E-mail").value == ANN, "what was typed is lost"
        step.note(back.text[:120])
    with walk.step("apply on the page, as a person would") as step:
        thanks = browser.submit(back, filled(back, ANN))
        assert thanks.status == 200 and campaign["name"] in thanks.text, thanks.text
        rows = walk.client.ok("list_affiliates", query={"campaign": campaign["id"], "status": "pending"})["data"]
        assert [row["email"] for row in rows] == [ANN] and rows[0]["source"] == "page", rows
        consent = rows[0]["consent"]
        assert consent and consent["source"].startswith(campaign["page_url"]), rows[0]
        walk.known["ann"] = rows[0]["id"]
        assert walk.twin.contact(ANN) is None, "pending, and already in the account"
        step.note(f"{rows[0]['id']} is pending, consent given at {consent['source']}; the page says: {thanks.text[:90]}")
    with walk.step("who has applied already reads the very same, and nothing changes"):
        again = browser.open(campaign["page_url"])
        time.sleep(READING)
        same = browser.submit(again, filled(again, ANN.lower(), **{"Full name": "Somebody Else"}))
        assert (same.status, same.text, same.url) == (thanks.status, thanks.text, thanks.url), (same.text, thanks.text)
        assert walk.client.ok("get_affiliate", id=walk.known["ann"])["full"] == "Ann Lee"
    with walk.step("a program that fills every field is thanked, and not taken") as step:
        page = browser.open(campaign["page_url"])
        form = filled(page, "robot@spam.example")
        hidden = [f for f in page.form.fields if f.unseen and f.typed]
        for control in hidden:
            control.value = "x"
        time.sleep(READING)
        thanked = browser.submit(page, form)
        assert hidden and thanked.text == thanks.text, thanked.text
        assert walk.client.ok("list_affiliates", query={"email": "robot@spam.example"})["data"] == []
        step.note(f"the trap is {', '.join(f.name for f in hidden)}")
    with walk.step("the application was told by webhook; its signature verifies by the PyPI library") as step:
        found = walk.until("apply -> webhook received", lambda: story_hooks.of_type(walk, "affiliate.applied", walk.known["ann"]))
        event = story_hooks.verified(walk, found[0])
        assert event["data"]["affiliate"]["email"] == ANN and event["data"]["membership"]["status"] == "pending", event
        step.note(f"webhook-id {found[0].id}: {event['type']}")


def accept(walk: Walk, link: str, name: str) -> Page:
    browser = walk.browser()
    page = browser.open(link)
    assert page.status == 200, page.text
    return browser.submit(page, page.form.fill({"Full name": name, "I agree": True}))


def invite(walk: Walk) -> None:
    campaign = walk.known["coaching"]["id"]
    with walk.step("bulk invite: four people, one of them twice, one address wrong") as step:
        emails = ["carl@friends.example", "dora@friends.example", "Carl@Friends.example", "not an address"]
        people = [{"email": email, "name": "Friend"} for email in emails]
        made = walk.client.ok("create_invites", {"campaign": campaign, "people": people[:3], "note": "spring"})
        assert (made["invited"], made["repeated"]) == (2, 1), made
        carl, dora = made["results"][0], made["results"][1]
        table = "Email,Name\r\nerin@friends.example,Erin\r\nnot an address,Nobody\r\n".encode()
        file = walk.client.ok("create_invites_from_file", table, content_type="text/csv", query={"campaign": campaign, "approve": False})
        assert (file["invited"], file["errors"]) == (1, 1), file
        walk.known["erin"] = file["results"][0]
        step.note(f"{made['invited']} + {file['invited']} links; {file['results'][1]['errors']}")
    with walk.step("the accept page: looking spends nothing, accepting approves, the link works once") as step:
        for _ in range(2):
            assert walk.browser().open(carl["link"]).status == 200
        joined = accept(walk, carl["link"], "Carl Friend")
        assert joined.status == 200, joined.text
        walk.until("invite accepted -> tagged in the twin", lambda: walk.twin.tags("carl@friends.example"))
        used = walk.browser().open(carl["link"])
        assert used.status == 404, used.text
        row = walk.client.ok("get_invite", id=carl["invite"])
        assert row["state"] == "accepted" and row["affiliate"], row
        step.note(f"{joined.text[:80]}; tags {walk.twin.tags('carl@friends.example')}; the second time: {used.status} {used.text[:60]}")
    with walk.step("a withdrawn link and one without approval") as step:
        walk.client.ok("revoke_invite", id=dora["invite"])
        assert walk.browser().open(dora["link"]).status == 404
        accept(walk, walk.known["erin"]["link"], "Erin Friend")
        erin = one(walk, "erin@friends.example")
        assert [m["status"] for m in erin["campaigns"]] == ["pending"] and erin["source"] == "invite", erin
        rows, _ = walk.client.every("list_invites", query={"campaign": campaign})
        states = {row["email"]: row["state"] for row in rows}
        assert states == {"carl@friends.example": "accepted", "dora@friends.example": "revoked", "erin@friends.example": "accepted"}, states
        step.note(f"{states}")


def one(walk: Walk, email: str) -> Dict[str, Any]:
    rows = walk.client.ok("list_affiliates", query={"email": email})["data"]
    assert len(rows) == 1, rows
    return rows[0]


APPLYING = [apply]
CHAPTER = [invite]
