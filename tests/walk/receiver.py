"""The merchant's webhook endpoint: a small HTTP server on loopback. What arrives is judged by the independent library `standardwebhooks`
and by nothing of ours.
"""

import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Dict, List

from standardwebhooks import Webhook, WebhookVerificationError


@dataclass(frozen=True)
class Delivery:
    """One request that arrived."""

    at: float
    path: str
    headers: Dict[str, str]
    body: bytes
    # What it was answered with.
    status: int

    @property
    def id(self) -> str:
        return self.headers.get("webhook-id", "")

    @property
    def signatures(self) -> List[str]:
        return self.headers.get("webhook-signature", "").split()

    def verified(self, secret: str) -> Dict[str, Any]:
        """The event, if the library accepts the signature by this secret."""
        return Webhook(secret).verify(self.body, self.headers)

    def refused(self, secret: str, body: bytes) -> bool:
        """Whether the library turns the same headers down with this body or this secret."""
        try:
            Webhook(secret).verify(body, self.headers)
        except WebhookVerificationError:
            return True
        return False


class Receiver:
    """The server. `answers` are the statuses of the next test events; everything else is answered 204. (What earlier steps set off may
    still arrive and must not use them up.)"""

    def __init__(self) -> None:
        self.deliveries: List[Delivery] = []
        self.answers: List[int] = []
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                with receiver._lock:
                    test = b'"webhook.test"' in body
                    status = receiver.answers.pop(0) if test and receiver.answers else 204
                    receiver.deliveries.append(Delivery(time.monotonic(), self.path, headers, body, status))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Deliveries are kept, not printed."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/webhooks/crm"

    def so_far(self) -> List[Delivery]:
        with self._lock:
            return list(self.deliveries)

    def which(self, fits: Callable[[Delivery], bool]) -> List[Delivery]:
        return [delivery for delivery in self.so_far() if fits(delivery)]

    def stop(self) -> None:
        self._server.shutdown()
