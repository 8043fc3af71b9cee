"""What the vendor's account holds, seen through the twin's control pages: the merchant looking into their CRM. Nothing here is the host's."""

import json
from typing import Any, Dict, List, Optional
from urllib.parse import quote

from wire import exchange


class Twin:
    def __init__(self, url: str):
        self.url = url

    def look(self, page: str) -> Any:
        answer = exchange("GET", f"{self.url}/_twin/{page}", {})
        assert answer.status == 200, f"twin: {page} answered {answer.status}"
        return answer.json()

    def steer(self, page: str, body: Any = None) -> None:
        data = json.dumps(body).encode()
        answer = exchange("POST", f"{self.url}/_twin/{page}", {"content-type": "application/json"}, data)
        assert answer.status in (200, 204), f"twin: {page} answered {answer.status}: {answer.text}"

    def contacts(self) -> List[Dict[str, Any]]:
        return self.look("contacts")["contacts"]

    def contact(self, email: str) -> Optional[Dict[str, Any]]:
        """The one contact with this address; two are an error."""
        found = [c for c in self.contacts() if c["email"].lower() == email.lower()]
        assert len(found) <= 1, f"the twin has {len(found)} contacts for {email}: {found}"
        return found[0] if found else None

    def tags(self, email: str) -> List[str]:
        contact = self.contact(email)
        return sorted(contact["tags"]) if contact else []

    def opt_out(self, email: str) -> None:
        self.steer(f"opt-out?email={quote(email)}")

    def counters(self) -> Dict[str, Any]:
        return self.look("state")
