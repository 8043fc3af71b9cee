"""The generic client against a small server of its own that lies: whatever the live API does that its document does not say must be found.
Run by `tests/walk.rs`; prints nothing when all is well but unittest's own lines.
"""

import copy
import json
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Dict, Tuple

from browser import Browser
from client import Client, Refused
from document import Broken, Document

PERSON = {"type": "object", "required": ["id", "names"], "properties": {"id": {"type": "string"}, "names": {"$ref": "#/components/schemas/Names"}}}
DOCUMENT: Dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Small", "version": "1"},
    "security": [{"key": []}],
    "paths": {
        "/people/{id}": {
            "get": {
                "operationId": "person",
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^p[0-9]$"}},
                    {"name": "loud", "in": "query", "schema": {"type": "boolean"}},
                ],
                "responses": {
                    "200": {
                        "description": "One",
                        "headers": {"etag": {"required": True, "schema": {"type": "string", "pattern": '^"[0-9]+"$'}}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Detail"}}},
                    },
                    "404": {"$ref": "#/components/responses/Nothing"},
                },
            },
            "put": {
                "operationId": "rename",
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
                "requestBody": {"required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Names"}}}},
                "responses": {"204": {"description": "Done"}},
            },
        }
    },
    "components": {
        "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        "responses": {"Nothing": {"description": "No", "content": {"application/problem+json": {"schema": {"type": "object"}}}}},
        "schemas": {
            "Names": {"type": "object", "required": ["first"], "properties": {"first": {"type": "string"}, "last": {"type": ["string", "null"]}}},
            "Person": PERSON,
            # As two types become one in an answer.
            "Detail": {"allOf": [{"$ref": "#/components/schemas/Person"}, {"type": "object", "properties": {"free": {}}}]},
        },
    },
}
GOOD = {"id": "p1", "names": {"first": "Ann", "last": None}, "free": {"what": "ever"}}


class Small(BaseHTTPRequestHandler):
    """Answers what the test has put there."""

    reply: Tuple[int, Dict[str, str], bytes] = (200, {}, b"")
    asked: Dict[str, Any] = {}

    def answer(self) -> None:
        Small.asked = {"path": self.path, "headers": dict(self.headers), "body": self.rfile.read(int(self.headers.get("content-length") or 0))}
        body = json.dumps(DOCUMENT).encode()
        status, headers, body = (200, {"content-type": "application/json"}, body) if self.path == "/openapi.json" else Small.reply
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = answer

    def log_message(self, *_: Any) -> None:
        """Quiet."""


class TheClient(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.server = ThreadingHTTPServer(("127.0.0.1", 0), Small)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.base = f"http://127.0.0.1:{cls.server.server_address[1]}"
        cls.client = Client(f"{cls.base}/openapi.json", "k")

    @classmethod
    def tearDownClass(cls) -> None:
        cls.server.shutdown()
        cls.server.server_close()

    def person(self, body: Any = None, status: int = 200, kind: str = "application/json", etag: str = '"1"') -> Any:
        headers = {"content-type": kind, **({"etag": etag} if etag else {})}
        Small.reply = (status, headers, json.dumps(GOOD if body is None else body).encode())
        return self.client.ok("person", id="p1")

    def test_what_is_documented_passes(self) -> None:
        self.assertEqual(self.person(), GOOD)
        self.assertEqual((Small.asked["path"], Small.asked["headers"]["authorization"]), ("/people/p1", "Bearer k"))

    def test_what_is_not_documented_is_found(self) -> None:
        for what, kwargs in {
            "a status": {"status": 206},
            "a content type": {"kind": "text/html"},
            "a missing header": {"etag": ""},
            "a wrong header": {"etag": "soft"},
            "a missing field": {"body": {"id": "p1"}},
            "a wrong type": {"body": {**GOOD, "id": 7}},
            "a field that is not named": {"body": {**GOOD, "odd": 1}},
            "a field that is not named, deeper": {"body": {**GOOD, "names": {"first": "Ann", "odd": 1}}},
        }.items():
            with self.subTest(what), self.assertRaises(Broken):
                self.person(**kwargs)

    def test_a_documented_error_is_told_apart(self) -> None:
        with self.assertRaises(Refused) as caught:
            self.person({"code": "none"}, status=404, kind="application/problem+json")
        self.assertEqual(caught.exception.answer.status, 404)

    def test_a_wrong_request_is_not_sent(self) -> None:
        Small.asked = {}
        for wrong in (
            lambda: self.client.ok("nobody"),
            lambda: self.client.ok("person", id="x"),
            lambda: self.client.ok("person"),
            lambda: self.client.ok("person", id="p1", query={"loud": "very"}),
            lambda: self.client.ok("person", id="p1", query={"odd": 1}),
            lambda: self.client.ok("rename", id="p1"),
            lambda: self.client.ok("rename", {"last": "Lee"}, id="p1"),
            lambda: self.client.ok("rename", b"first", id="p1", content_type="text/csv"),
        ):
            self.assertRaises(Broken, wrong)
        self.assertEqual(Small.asked, {})

    def test_a_document_without_names_is_refused(self) -> None:
        for spoil in ({"openapi": "3.0.3"}, {"paths": {"/x": {"get": {"responses": {}}}}}):
            with self.assertRaises(Broken):
                Document({**copy.deepcopy(DOCUMENT), **spoil})

    def test_the_browser_sends_what_a_person_sees(self) -> None:
        html = """<form method=post action=/join><input type=hidden name=t value=1><label for=e>E-mail</label><input id=e name=email type=email
            required><div hidden><label>Leave empty <input name=trap></label></div><label><input type=checkbox name=yes required>I agree</label>
            <textarea name=note></textarea><button>Go</button></form>"""
        Small.reply = (200, {"content-type": "text/html; charset=utf-8", "set-cookie": "s=1; Path=/"}, html.encode())
        browser = Browser()
        page = browser.open(f"{self.base}/form")
        self.assertEqual([f.name for f in page.form.seen()], ["email", "yes", "note"])
        self.assertEqual(set(page.form.complaints()), {"email", "yes"})
        with self.assertRaises(AssertionError):
            browser.submit(page, page.form)
        browser.submit(page, page.form.fill({"E-mail": "a@b.co", "agree": True}))
        self.assertEqual((Small.asked["path"], Small.asked["body"]), ("/join", b"t=1&email=a%40b.co&trap=&yes=on&note="))
        self.assertEqual(Small.asked["headers"]["cookie"], "s=1")


if __name__ == "__main__":
    unittest.main()
