"""A generic client: everything it knows of the API it has read in the OpenAPI document. Calls are made by `operationId`; every request and
every answer is held against the document, and a disagreement is an error here, whoever is in the wrong.
"""

import json
import uuid
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union
from urllib.parse import quote, urlencode, urljoin

from document import Broken, Document, Operation, escaped
from wire import Answer, exchange

# Calls that repeat safely are given a key of their own where the document offers this header.
IDEMPOTENCY = ("header", "idempotency-key")


class Refused(AssertionError):
    """A documented answer, but not the one that was expected."""

    def __init__(self, operation: str, answer: Answer, wanted: Sequence[int]):
        said = answer.body[:2000].decode("utf-8", "replace")
        super().__init__(f"{operation} answered {answer.status}, not {' or '.join(map(str, wanted)) or '2xx'}: {said}")
        self.answer = answer


class Client:
    """One API key's view of the API."""

    def __init__(self, document_url: str, key: Optional[str]):
        self.base, self.key = document_url, key
        self.document = Document(exchange("GET", document_url, {"accept": "application/json"}).json())
        # Operations that were called, with the statuses they answered.
        self.seen: Dict[str, Dict[int, int]] = {}

    def without_key(self) -> "Client":
        return self.as_key(None)

    def as_key(self, key: Optional[str]) -> "Client":
        """The same document, another key."""
        other = Client.__new__(Client)
        other.base, other.key, other.document, other.seen = self.base, key, self.document, self.seen
        return other

    def has(self, name: str) -> bool:
        return name in self.document.operations

    def ok(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Calls and answers the JSON of a good answer."""
        answer = self.call(name, *args, **kwargs)
        return answer.json() if answer.body else None

    def refused(self, name: str, status: int, *args: Any, **kwargs: Any) -> Dict[str, Any]:
        """Calls, wants this error, and answers its problem."""
        return self.call(name, *args, expect=[status], **kwargs).json()

    def every(self, name: str, query: Optional[Mapping[str, Any]] = None, **path: Any) -> Tuple[List[Any], int]:
        """All rows of a list and how many pages they took, going on by `next_cursor`."""
        rows, pages, cursor = [], 0, {}
        while True:
            page = self.ok(name, query={**(query or {}), **cursor}, **path)
            rows.extend(page["data"])
            pages += 1
            if page["has_more"] != (page["next_cursor"] is not None):
                raise Broken(f"{name}: has_more and next_cursor say different things")
            if page["next_cursor"] is None:
                return rows, pages
            cursor = {"cursor": page["next_cursor"]}

    def call(
        self,
        name: str,
        body: Any = None,
        *,
        query: Optional[Mapping[str, Any]] = None,
        headers: Optional[Mapping[str, str]] = None,
        content_type: Optional[str] = None,
        expect: Sequence[int] = (),
        despite: bool = False,
        **path: Any,
    ) -> Answer:
        """One call. `path` holds the values of the path's parameters by name; bytes as `body` go as they are, all else as JSON.
        `despite`: send a body that the document forbids, as a program does that never read it."""
        operation = self.document.operation(name)
        sent = {k.lower(): v for k, v in (headers or {}).items()}
        if operation.method == "POST" and IDEMPOTENCY in operation.parameters:
            sent.setdefault("idempotency-key", str(uuid.uuid4()))
        # An absent value is an absent parameter.
        query = {k: v for k, v in (query or {}).items() if v is not None}
        self._check_parameters(operation, {"path": path, "query": query, "header": sent})
        sent.update(self._credentials(operation))
        data = self._data(operation, body, content_type, sent, despite)
        sent.setdefault("accept", "*/*")
        filled = operation.path
        for parameter, value in path.items():
            filled = filled.replace("{" + parameter + "}", quote(str(value), safe=""))
        url = urljoin(self.base, filled)
        if query:
            url += "?" + urlencode({k: spelled(v) for k, v in query.items()})
        answer = exchange(operation.method, url, sent, data)
        self._check_answer(operation, answer)
        counted = self.seen.setdefault(name, {})
        counted[answer.status] = counted.get(answer.status, 0) + 1
        if answer.status not in expect if expect else not 200 <= answer.status < 300:
            raise Refused(name, answer, expect)
        return answer

    def _credentials(self, operation: Operation) -> Dict[str, str]:
        document = self.document.document
        wanted = operation.node.get("security", document.get("security", []))
        if self.key is None or {} in wanted:
            return {}
        for scheme in (document["components"]["securitySchemes"][name] for one in wanted for name in one):
            if scheme["type"] == "http" and scheme["scheme"].lower() == "bearer":
                return {"authorization": f"Bearer {self.key}"}
        raise Broken(f"{operation.name} is secured in a way that this client does not know: {wanted}")

    def _check_parameters(self, operation: Operation, given: Mapping[str, Mapping[str, Any]]) -> None:
        for place, values in given.items():
            for name, value in values.items():
                parameter = operation.parameters.get((place, name.lower()))
                if parameter is None:
                    raise Broken(f"{operation.name} has no {place} parameter {name}")
                wrong = self.document.complaint(value, parameter.get("schema", {}))
                if wrong:
                    raise Broken(f"{operation.name}: {place} parameter {name}: {wrong}")
        for (place, name), parameter in operation.parameters.items():
            if parameter.get("required") and name not in {n.lower() for n in given.get(place, {})}:
                raise Broken(f"{operation.name} needs the {place} parameter {name}")

    def _data(self, operation: Operation, body: Any, kind: Optional[str], sent: Dict[str, str], despite: bool) -> Optional[bytes]:
        described = self.document.resolved(operation.node.get("requestBody"))
        if body is None:
            if described and described.get("required"):
                raise Broken(f"{operation.name} needs a body")
            return None
        if not described:
            raise Broken(f"{operation.name} takes no body")
        kind = kind or "application/json"
        if kind not in described["content"]:
            raise Broken(f"{operation.name} takes {', '.join(described['content'])}, not {kind}")
        sent["content-type"] = kind
        if isinstance(body, bytes):
            return body
        wrong = self.document.complaint(body, described["content"][kind].get("schema", {}))
        if despite and not wrong:
            raise Broken(f"{operation.name}: the document allows this body, which the story calls a wrong one: {body}")
        if wrong and not despite:
            raise Broken(f"{operation.name}: this body does not fit its schema: {wrong}")
        return json.dumps(body, ensure_ascii=False).encode()

    def _check_answer(self, operation: Operation, answer: Answer) -> None:
        def broken(words: str) -> Broken:
            said = answer.body[:2000].decode("utf-8", "replace")
            return Broken(f"{operation.name} ({operation.method} {operation.path}) answered {answer.status}, {words}\n{said}")

        at = f"{operation.at}/responses/{answer.status}"
        node = operation.node["responses"].get(str(answer.status))
        if node is None:
            raise broken(f"which is not documented; there are {', '.join(operation.node['responses'])}")
        if "$ref" in node:
            at, node = node["$ref"].lstrip("#"), self.document.resolved(node)
        for name, header in node.get("headers", {}).items():
            self._check_header(name, self.document.resolved(header), answer, broken)
        content = node.get("content")
        if not content:
            if answer.body:
                raise broken("with a body that is not documented")
            return
        if answer.kind not in content:
            raise broken(f"as {answer.kind!r}; documented is {', '.join(content)}")
        if answer.kind.endswith("json") and "schema" in content[answer.kind]:
            schema_at = f"{at}/content/{escaped(answer.kind)}/schema"
            wrong = self.document.complaint(answer.json(), content[answer.kind]["schema"], schema_at)
            if wrong:
                raise broken(f"and its body does not fit the schema: {wrong}")

    def _check_header(self, name: str, header: Mapping[str, Any], answer: Answer, broken: Any) -> None:
        value: Union[str, int, None] = answer.headers.get(name)
        if value is None:
            if header.get("required"):
                raise broken(f"without the header {name}")
            return
        schema = self.document.resolved(header.get("schema", {}))
        if schema.get("type") == "integer" and str(value).isdigit():
            value = int(value)
        wrong = self.document.complaint(value, schema)
        if wrong:
            raise broken(f"and its header {name} is wrong: {wrong}")


def spelled(value: Any) -> str:
    """A query value as text."""
    return str(value).lower() if isinstance(value, bool) else str(value)
