"""First chapter: what a merchant tries wrongly, the connect form, connect, pick, the campaign."""

from typing import Any, Dict

from telling import Walk

TAGS = 120
REFERRAL_FIELD, SLUG_FIELD = "Referred By", "Affiliate Tier"


def wrong_keys(walk: Walk) -> None:
    with walk.step("no key, a mistyped key and another organization's key are refused") as step:
        problem = walk.client.without_key().refused("list_connections", 401)
        step.note(f"401 {problem['code']}: {problem['detail']}")
        mistyped = walk.client.key[:-1] + ("0" if walk.client.key[-1] != "0" else "1")
        assert walk.client.as_key(mistyped).refused("list_connections", 401)["code"] == "unauthorized"


def keys(walk: Walk) -> None:
    with walk.step("another key, for reading only: shown once, seen in use, revoked") as step:
        made = walk.client.ok("create_api_key", {"name": "reports", "scope": "read"})
        reader = walk.client.as_key(made["secret"])
        assert reader.ok("list_connections")["data"] == []
        problem = reader.refused("create_campaign", 403, {"name": "No", "slug": "not-mine", "commission": {"model": "rev_share", "percent": "5"}})
        assert problem["code"] == "forbidden_scope", problem
        row = walk.until("a key's last use is shown", lambda: used(walk, made["id"]))
        assert made["secret"] not in str(row) and made["secret"].endswith(row["last4"]), row
        walk.client.ok("revoke_api_key", id=made["id"])
        assert reader.refused("list_connections", 401)["code"] == "unauthorized"
        own = [key["id"] for key in walk.client.every("list_api_keys")[0] if key["revoked"] is None]
        last = walk.client.refused("revoke_api_key", 409, id=own[0])
        step.note(f"{problem['code']}; last used {row['last_used']}; the last key stays: {last['code']}")


def used(walk: Walk, key: str) -> Dict[str, Any]:
    row = walk.client.ok("get_api_key", id=key)
    return row if row["last_used"] else {}


def form(walk: Walk) -> None:
    with walk.step("the directory and the connect form") as step:
        cards, _ = walk.client.every("list_connectors")
        assert walk.connector in [card["slug"] for card in cards], cards
        about = walk.client.ok("get_connector", slug=walk.connector)
        fields = {f["name"]: f for f in about["form"]}
        assert set(fields) == set(walk.credentials), fields
        walk.known["form"], walk.known["about"] = fields, about
        step.note(f"{len(cards)} connectors; {about['name']} asks for {', '.join(f['label'] for f in about['form'])}")


def wrong_credentials(walk: Walk) -> None:
    with walk.step("App ID left out: the form's own words") as step:
        given = {k: v for k, v in walk.credentials.items() if k != "app_id"}
        problem = walk.client.refused("create_connection", 422, {"connector": walk.connector, "credentials": given})
        assert (problem["code"], problem["field"]) == ("validation_failed", "credentials.app_id"), problem
        symptoms = " ".join(note["symptom"] for note in walk.known["about"]["setup"]["troubleshooting"])
        assert problem["detail"].startswith("missing Api-Appid header") and "missing Api-Appid header" in symptoms, problem
        step.note(problem["detail"])
    with walk.step("a wrong key: the vendor's own words, nothing kept") as step:
        wrong = {name: value[:-1] + ("x" if value[-1] != "x" else "y") for name, value in walk.credentials.items()}
        problem = walk.client.refused("create_connection", 422, {"connector": walk.connector, "credentials": wrong})
        assert problem["code"] == "credentials_refused" and problem["vendor"]["code"] == "401", problem
        step.note(f"{problem['detail']} (the vendor: {problem['vendor']['message']})")
        assert walk.client.ok("list_connections")["data"] == []


def connect(walk: Walk) -> None:
    walk.twin.steer("tags", {"names": [f"Course {n:03}" for n in range(1, TAGS + 1)]})
    with walk.step("connect") as step:
        made = walk.client.ok("create_connection", {"connector": walk.connector, "name": "Main account", "credentials": walk.credentials})
        assert made["state"] == "live" and made["approved_before"] == 0 and made["backfill"] is None, made
        for name, value in walk.credentials.items():
            if walk.known["form"][name]["secret"]:
                assert value not in str(made), "an answer holds a secret"
        walk.known["connection"] = made["id"]
        step.note(f"{made['account']['name']} is {made['state']}; keys end in {made['credentials']}")


def pick(walk: Walk) -> None:
    connection = walk.known["connection"]
    with walk.step("the pickers show every page") as step:
        tags, pages = walk.client.every("list_choices", id=connection, picker="tags")
        assert len(tags) == TAGS and len({tag["id"] for tag in tags}) == TAGS, len(tags)
        fields, _ = walk.client.every("list_choices", id=connection, picker="fields")
        by_name = {choice["name"]: choice["id"] for choice in fields}
        step.note(f"{len(tags)} tags in {pages} pages; fields {', '.join(by_name)}")
    with walk.step("pick: a tag from the list, a new one, and two fields") as step:
        read = walk.client.call("get_connection", id=connection)
        change = {
            "default_tags": [tags[0]["name"], "Partner"],
            "fields": {"referral_link": by_name[REFERRAL_FIELD], "slug": by_name[SLUG_FIELD]},
        }
        version = {"if-match": read.header("etag")}
        picked = walk.client.ok("update_connection", change, id=connection, headers=version)
        assert picked["default_tags"] == change["default_tags"] and picked["fields"] == change["fields"], picked
        stale = walk.client.refused("update_connection", 412, {"name": "Other"}, id=connection, headers=version)
        assert stale["code"] == "precondition_failed", stale
        walk.known["tags"], walk.known["fields"] = change["default_tags"], change["fields"]
        step.note(f"{picked['default_tags']}; a second change on the old version: 412 {stale['code']}")
    with walk.step("a tag that the vendor cannot take is refused at its field") as step:
        problem = walk.client.refused("update_connection", 422, {"default_tags": ["fine", "x" * 400]}, id=connection, despite=True)
        assert problem["field"] == "default_tags.1", problem
        step.note(problem["detail"])


def campaign(walk: Walk) -> None:
    terms = {"model": "hybrid", "amount": "250", "currency": "USD", "continuation_percent": "5"}
    order = {
        "name": "Course launch",
        "slug": "course-launch",
        "description": "Tell your students.",
        "terms_url": "https://academy.example/terms",
        "site_url": "https://academy.example/",
        "cookie_window_days": 60,
        "attribution": "first_touch",
        "commission": terms,
        "extra_tags": ["Course launch affiliate"],
    }
    with walk.step("a campaign, and the same request sent twice") as step:
        twice = {"idempotency-key": "walk-campaign-1"}
        made = walk.client.call("create_campaign", order, headers=twice)
        again = walk.client.call("create_campaign", order, headers=twice)
        assert again.json() == made.json() and again.header("idempotency-replayed") == "true", again.text
        other = walk.client.refused("create_campaign", 422, {**order, "name": "Other"}, headers=twice)
        assert other["code"] == "idempotency_mismatch", other
        campaign = made.json()
        assert campaign["commission"] == terms and not campaign["auto_approve"] and campaign["open"], campaign
        walk.known["campaign"] = campaign
        step.note(f"{campaign['name']}: {campaign['commission_text']}; the second answer was a replay, another body is 422")
    with walk.step("what makes no campaign is said field by field") as step:
        odd = {**order, "slug": "Course-Launch"}
        problem = walk.client.refused("create_campaign", 409, odd)
        assert (problem["code"], problem["field"], problem["existing"]) == ("already_exists", "slug", campaign["id"]), problem
        bad = {**order, "slug": "other", "cookie_window_days": 45, "commission": {"model": "rev_share", "percent": "120"}}
        problem = walk.client.refused("create_campaign", 422, bad)
        assert {e["field"] for e in problem["errors"]} == {"cookie_window_days", "commission.percent"}, problem
        step.note("; ".join(f"{e['field']}: {e['detail']}" for e in problem["errors"]))


CHAPTER = [wrong_keys, keys, form, wrong_credentials, connect, pick, campaign]
