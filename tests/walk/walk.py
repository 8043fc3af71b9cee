"""Walks the whole story of a merchant through the live API, with nothing in hand but a host's address, an API key, and the vendor's twin.

    CRM_WALK_HOST=... CRM_WALK_KEY=... CRM_WALK_STRANGER=... CRM_WALK_TWIN=... CRM_WALK_CREDENTIALS='{...}' python walk.py

Every address but `/openapi.json` is read: in the document, or in an answer. Prints a line for each step and a summary as one line of JSON;
ends with 1 at the first thing that is not as it should be. Exactly the packages of `requirements.txt` must be installed.
"""

import json
import os
import sys
import time
import traceback

import story_account
import story_hooks
import story_many
import story_pages
import story_people
import story_rights
from client import Client
from receiver import Receiver
from telling import Walk
from twin import Twin

SCENES = [
    *story_account.CHAPTER,
    *story_hooks.BEFORE,
    *story_pages.APPLYING,
    *story_people.CHAPTER,
    *story_pages.CHAPTER,
    *story_many.CHAPTER,
    *story_hooks.CHAPTER,
    *story_rights.CHAPTER,
]


def main() -> int:
    given = {name: os.environ[f"CRM_WALK_{name}"] for name in ("HOST", "KEY", "STRANGER", "TWIN", "CREDENTIALS")}
    started = time.monotonic()
    client = Client(given["HOST"] + "/openapi.json", given["KEY"])
    walk = Walk(
        client=client,
        stranger=client.as_key(given["STRANGER"]),
        twin=Twin(given["TWIN"]),
        receiver=Receiver(),
        credentials=json.loads(given["CREDENTIALS"]),
        connector="ontraport",
    )
    try:
        for scene in SCENES:
            scene(walk)
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        return 1
    called, all_of_them = set(client.seen), set(client.document.operations)
    statuses = sorted({status for seen in client.seen.values() for status in seen})
    summary = {
        "steps": len(walk.told),
        "seconds": round(time.monotonic() - started, 1),
        "waits": walk.waits,
        "operations_called": len(called),
        "operations_not_called": sorted(all_of_them - called),
        "statuses": statuses,
    }
    print(json.dumps(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main())
