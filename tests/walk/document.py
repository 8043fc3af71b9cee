"""The OpenAPI document: finds operations by their `operationId` and judges values by its schemas. Knows no route of the API.

Schemas are judged by `jsonschema` in the dialect 2020-12. Answers are judged twice: as documented, and with every object that names its
properties closed, so that a field which the document does not name is found too.
"""

import copy
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Optional

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry
from referencing.jsonschema import DRAFT202012

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
AS_WRITTEN, CLOSED = "urn:walk:document", "urn:walk:closed"
# Where a value's schema stands by itself, not as a part of another one that is judged together with it.
OF_NAMED_VALUES, OF_ALL_VALUES = ("properties", "patternProperties"), ("items", "additionalProperties", "contains")


class Broken(AssertionError):
    """The document and the live API disagree, or the document is not one that a generic client can use."""


@dataclass(frozen=True)
class Operation:
    name: str
    method: str
    path: str
    node: Dict[str, Any]
    # JSON pointer of the node.
    at: str
    # Of the path and of the operation, by (place, name).
    parameters: Dict[Any, Dict[str, Any]]


def escaped(part: str) -> str:
    """One part of a JSON pointer in a URI's fragment."""
    plain = part.replace("~", "~0").replace("/", "~1")
    return "".join(c if c.isalnum() or c in "-._~" else "".join(f"%{b:02X}" for b in c.encode()) for c in plain)


class Document:
    """A parsed document."""

    def __init__(self, document: Dict[str, Any]):
        if not str(document.get("openapi", "")).startswith("3.1."):
            raise Broken(f"this client reads OpenAPI 3.1, not {document.get('openapi')!r}")
        self.document = document
        self.operations: Dict[str, Operation] = {}
        for operation in self._operations():
            if operation.name in self.operations:
                raise Broken(f"two operations are called {operation.name}")
            self.operations[operation.name] = operation
        closed = copy.deepcopy(document)
        self._close_all(closed)
        self._registry = Registry().with_resources(
            [(AS_WRITTEN, DRAFT202012.create_resource(document)), (CLOSED, DRAFT202012.create_resource(closed))]
        )

    def _operations(self) -> Iterator[Operation]:
        for path, item in self.document.get("paths", {}).items():
            for method in METHODS:
                node = item.get(method)
                if node is None:
                    continue
                if not node.get("operationId"):
                    raise Broken(f"{method.upper()} {path} has no operationId")
                parameters = {}
                for parameter in item.get("parameters", []) + node.get("parameters", []):
                    parameter = self.resolved(parameter)
                    parameters[(parameter["in"], parameter["name"].lower())] = parameter
                at = f"/paths/{escaped(path)}/{method}"
                yield Operation(node["operationId"], method.upper(), path, node, at, parameters)

    def operation(self, name: str) -> Operation:
        if name not in self.operations:
            raise Broken(f"the document has no operation {name}; it has: {', '.join(sorted(self.operations))}")
        return self.operations[name]

    def resolved(self, node: Any) -> Any:
        """The node itself, or what its `$ref` means."""
        while isinstance(node, dict) and "$ref" in node:
            node = self.at(node["$ref"])
        return node

    def at(self, pointer: str) -> Any:
        node: Any = self.document
        for part in pointer.lstrip("#").split("/")[1:]:
            node = node[part.replace("~1", "/").replace("~0", "~")]
        return node

    def complaint(self, value: Any, schema: Any, closed_at: Optional[str] = None) -> Optional[str]:
        """What is wrong with a value, if anything. `closed_at`: where the schema stands, to look for fields that it does not name."""
        judges = [Draft202012Validator(self._absolute(schema), registry=self._registry)]
        if closed_at is not None:
            judges.append(Draft202012Validator({"$ref": f"{CLOSED}#{closed_at}"}, registry=self._registry))
        for judge in judges:
            worst = best_match(judge.iter_errors(value))
            if worst is not None:
                return f"{worst.json_path}: {worst.message}"
        return None

    def _absolute(self, schema: Any) -> Any:
        """The same schema with references that hold outside of the document."""
        if isinstance(schema, dict):
            return {k: AS_WRITTEN + v if k == "$ref" and str(v).startswith("#") else self._absolute(v) for k, v in schema.items()}
        return [self._absolute(part) for part in schema] if isinstance(schema, list) else schema

    def _close_all(self, closed: Dict[str, Any]) -> None:
        """Closes every schema of a value below the components and the answers."""
        for schema in closed.get("components", {}).get("schemas", {}).values():
            self._close_parts(schema)
        for item in closed.get("paths", {}).values():
            for method in METHODS:
                for response in item.get(method, {}).get("responses", {}).values():
                    for media in response.get("content", {}).values():
                        if "schema" in media:
                            self._close_parts(media["schema"])
                            self._close(media["schema"])
        for response in closed.get("components", {}).get("responses", {}).values():
            for media in response.get("content", {}).values():
                self._close(media["schema"])

    def _close_parts(self, schema: Any) -> None:
        if not isinstance(schema, dict):
            return
        values: List[Any] = [schema[k] for k in OF_ALL_VALUES if isinstance(schema.get(k), dict)]
        for keyword in OF_NAMED_VALUES:
            values.extend(v for v in schema.get(keyword, {}).values() if isinstance(v, dict))
        values.extend(v for v in schema.get("prefixItems", []) if isinstance(v, dict))
        for value in values:
            self._close_parts(value)
            self._close(value)
        for keyword in ("allOf", "anyOf", "oneOf"):
            for part in schema.get(keyword, []):
                self._close_parts(part)

    def _close(self, schema: Dict[str, Any]) -> None:
        if self._names_properties(schema):
            schema.setdefault("unevaluatedProperties", False)

    def _names_properties(self, schema: Any) -> bool:
        schema = self.resolved(schema)
        if not isinstance(schema, dict):
            return False
        parts = [part for keyword in ("allOf", "anyOf", "oneOf") for part in schema.get(keyword, [])]
        return bool(schema.get("properties")) or any(self._names_properties(part) for part in parts)
