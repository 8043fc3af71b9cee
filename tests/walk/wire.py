"""Plain HTTP over the standard library: one request, one answer, no redirects, every status an answer. Knows nothing of the API."""

import http.client
import json
from dataclasses import dataclass
from typing import Any, Mapping, Optional
from urllib.parse import urlsplit

# Seconds. Nothing on loopback needs this long: it turns a hang into a failure.
PATIENCE = 60


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: "http.client.HTTPMessage"
    body: bytes

    def header(self, name: str) -> str:
        """One header, empty when absent."""
        return self.headers.get(name) or ""

    @property
    def kind(self) -> str:
        """The content type without its parameters."""
        return self.header("content-type").split(";")[0].strip().lower()

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")

    def json(self) -> Any:
        return json.loads(self.body)


def exchange(method: str, url: str, headers: Mapping[str, str], body: Optional[bytes] = None) -> Answer:
    """Sends one request and reads the whole answer."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body, dict(headers))
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()
