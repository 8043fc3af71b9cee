"""The webhook chapters: an endpoint of the merchant's, what arrives there and is verified by the independent library; later retries, rotation,
the test event, resending.
"""

import time
from typing import Any, Dict, List

from receiver import Delivery
from telling import Walk


def shape(value: Any) -> Any:
    """The names in a JSON value, without the values; null may be anything."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return None if value is None or not isinstance(value, list) else [shape(inner) for inner in value[:1]]


def same_shape(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_shape(one[name], other[name]) for name in one)
    # Null stands for a part that is not there.
    return one is None or other is None or isinstance(one, dict) == isinstance(other, dict)


def of_type(walk: Walk, kind: str, about: str = "") -> List[Delivery]:
    """Deliveries of a type of event that mention an id."""
    return walk.receiver.which(lambda d: f'"type":"{kind}"'.encode() in d.body.replace(b" ", b"") and about.encode() in d.body)


def verified(walk: Walk, delivery: Delivery) -> Dict[str, Any]:
    """The event, accepted by the library, and of the shape that the catalogue shows."""
    event = delivery.verified(walk.known["secret"])
    assert delivery.refused(walk.known["secret"], delivery.body + b" "), "a changed body passes"
    example = walk.known["examples"][event["type"]]
    assert same_shape(shape(event), shape(example)), f"{event} is not of the shape of the example {example}"
    return event


def endpoint(walk: Walk) -> None:
    with walk.step("what events there are, each with an example") as step:
        rows, _ = walk.client.every("list_event_types")
        walk.known["examples"] = {row["type"]: row["example"] for row in rows}
        step.note(", ".join(walk.known["examples"]))
    with walk.step("a webhook endpoint; its secret is shown once") as step:
        bad = walk.client.refused("create_webhook_endpoint", 422, {"url": "http://169.254.169.254/latest/meta-data"})
        assert bad["field"] == "url", bad
        made = walk.client.ok("create_webhook_endpoint", {"url": walk.receiver.url, "events": ["*"], "description": "the walk"})
        secret = made["secret"]
        assert secret.startswith("whsec_") and made["enabled"], made
        walk.known["secret"] = walk.known["first_secret"] = secret
        walk.known["endpoint"] = made["id"]
        assert secret not in str(walk.client.ok("get_webhook_endpoint", id=made["id"])), "the secret is shown again"
        step.note(f"{made['id']} hears {made['events']}; an address inside the network: {bad['detail']}")


def tried_again(walk: Walk) -> None:
    with walk.step("an endpoint that answers 503 is tried again, under the same id") as step:
        walk.receiver.answers.append(503)
        sent = walk.client.ok("test_webhook_endpoint", id=walk.known["endpoint"])
        tries = walk.until("webhook answered 503 -> tried again", lambda: both(walk, sent["event"]))
        first, second = tries
        assert (first.status, first.id, first.body) == (503, second.id, second.body), tries
        for delivery in tries:
            assert verified(walk, delivery)["type"] == "webhook.test"
        detail = walk.until("the delivery log shows both", lambda: ended(walk, sent["id"]))
        assert [attempt["status"] for attempt in detail["history"]] == [503, 204], detail
        step.note(f"webhook-id {first.id}, again after {second.at - first.at:.1f} s")


def both(walk: Walk, event: str) -> List[Delivery]:
    found = walk.receiver.which(lambda d: d.id == event)
    return found if len(found) == 2 else []


def ended(walk: Walk, delivery: str) -> Dict[str, Any]:
    detail = walk.client.ok("get_webhook_delivery", id=delivery)
    return detail if detail["state"] == "succeeded" else {}


def rotated(walk: Walk) -> None:
    with walk.step("a new secret: for a day both verify") as step:
        old = walk.known["secret"]
        new = walk.client.ok("rotate_webhook_secret", id=walk.known["endpoint"])
        assert new["secret"] != old and new["previous_secret_until"], new
        sent = walk.client.ok("test_webhook_endpoint", id=walk.known["endpoint"])
        delivery = walk.until("test event -> received", lambda: walk.receiver.which(lambda d: d.id == sent["event"]))[0]
        assert len(delivery.signatures) == 2, delivery.headers
        assert delivery.verified(old) == delivery.verified(new["secret"]), "both secrets verify"
        assert delivery.refused("whsec_" + "A" * 44, delivery.body), "any secret verifies"
        walk.known["secret"] = new["secret"]
        step.note(f"two signatures until {new['previous_secret_until']}")
    with walk.step("the delivery log, and one sent again by hand") as step:
        walk.until("every delivery succeeded", lambda: all_delivered(walk))
        rows, pages = walk.client.every("list_webhook_deliveries", id=walk.known["endpoint"], query={"limit": 20})
        seen = len(walk.receiver.so_far())
        again = walk.client.ok("resend_webhook_delivery", id=rows[-1]["id"])
        assert again["event"] == rows[-1]["event"], (again, rows[-1])
        copy = walk.until("resent -> received", lambda: walk.receiver.so_far()[seen:])[0]
        assert copy.id == rows[-1]["event"] and verified(walk, copy)
        step.note(f"{len(rows)} deliveries in {pages} pages; {copy.id} came a second time")


def all_delivered(walk: Walk) -> bool:
    rows, _ = walk.client.every("list_webhook_deliveries", id=walk.known["endpoint"], query={"limit": 100})
    return all(row["state"] == "succeeded" for row in rows)


def disabled(walk: Walk) -> None:
    with walk.step("410 disables the endpoint; it is enabled again by hand") as step:
        walk.receiver.answers.append(410)
        walk.client.ok("test_webhook_endpoint", id=walk.known["endpoint"])
        found = walk.until("410 -> endpoint disabled", lambda: off(walk))
        assert found["disabled_reason"] == "gone", found
        on = walk.client.ok("update_webhook_endpoint", {"enabled": True}, id=walk.known["endpoint"])
        assert on["enabled"] and on["disabled_reason"] is None, on
        step.note(f"disabled at {found['disabled_at']}")


def off(walk: Walk) -> Dict[str, Any]:
    found = walk.client.ok("get_webhook_endpoint", id=walk.known["endpoint"])
    return {} if found["enabled"] else found


def nothing_lost(walk: Walk) -> None:
    with walk.step("every webhook of the whole story verifies, and is of its type's shape") as step:
        # Older ones were signed by the secret before, which signs no longer than a day; both are known here.
        kinds: Dict[str, int] = {}
        started = time.monotonic()
        for delivery in walk.receiver.so_far():
            event = delivery.verified(walk.known["first_secret"])
            example = walk.known["examples"][event["type"]]
            assert same_shape(shape(event), shape(example)), f"{event} is not of the shape of the example {example}"
            kinds[event["type"]] = kinds.get(event["type"], 0) + 1
        step.note(f"{sum(kinds.values())} in {time.monotonic() - started:.2f} s: {kinds}")


BEFORE = [endpoint]
CHAPTER = [tried_again, rotated, disabled, nothing_lost]
