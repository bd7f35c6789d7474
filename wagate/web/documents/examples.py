"""Examples for the API's page, made from the schemas: what a person changes a word in, and sends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

DEEPEST: Final = 6
"""Schemas within schemas; a type that holds itself ends there."""
TEXTS: Final = {
    "date-time": "2026-01-31T09:30:00Z",
    "uri": "https://example.com/hook",
    "uuid": "0190a0c2-7b6e-7000-8000-000000000000",
}
"""By a schema's ``format``."""
NAMES: Final = {
    "to": "+12025550142",
    "chat_id": "12025550142@c.us",
    "chatId": "12025550142@c.us",
    "phone": "+12025550142",
    "phone_number": "+12025550142",
    "url": "https://example.com/photo.jpg",
    "webhook_url": "https://example.com/hook",
    "tenant_id": "default",
    "client": "default",
    "slug": "bakery",
    "name": "shop",
    "text": "Hello",
    "message": "Hello",
}
"""By a field's name, where the schema says nothing else."""
Schemas = Mapping[str, Any]


def example(schema: Mapping[str, Any], schemas: Schemas, *, name: str = "", depth: int = 0) -> Any:
    """A value of this schema: what it says itself as an example or default, else the least that is needed."""
    if "$ref" in schema:
        schema = schemas.get(str(schema["$ref"]).rpartition("/")[2], {})
    if (said := _said(schema)) is not None:
        return said
    if options := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        best = next((each for each in options if each.get("type") != "null"), options[0])
        return example(best, schemas, name=name, depth=depth)
    match schema.get("type"):
        case "object":
            return _object(schema, schemas, depth)
        case "array":
            items = schema.get("items") or {}
            return [example(items, schemas, name=name, depth=depth + 1)] if depth < DEEPEST else []
    return _plain(schema, name)


def _said(schema: Mapping[str, Any]) -> Any:
    """What the schema itself gives; None: nothing."""
    given = next((schema[key] for key in ("examples", "enum") if schema.get(key)), None)
    if given:
        return given[0]
    return schema.get("default") or None


def _plain(schema: Mapping[str, Any], name: str) -> Any:
    match schema.get("type"):
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return False
        case "null":
            return None
    return TEXTS.get(schema.get("format", "")) or NAMES.get(name, "text")


def body_example(operation: Mapping[str, Any], schemas: Schemas) -> str:
    """The JSON body of an operation; '' when it takes none."""
    content = (operation.get("requestBody") or {}).get("content", {}).get("application/json")
    if not content or "schema" not in content:
        return ""
    return json.dumps(example(content["schema"], schemas), indent=2, ensure_ascii=False)


def curl(operation: Mapping[str, Any], schemas: Schemas) -> str:
    """The request as a command; ``$URL`` is where wagate is."""
    path = str(operation["path"])
    for each in operation.get("parameters") or []:
        if each["in"] == "path":
            value = example(each.get("schema") or {}, schemas, name=each["name"])
            path = path.replace(f"{{{each['name']}}}", quote(str(value), safe=""))
    lines = [f'curl -X {operation["method"]} "$URL{path}"']
    if {} not in operation.get("security", []):
        lines.append('-H "Authorization: Bearer $TOKEN"')
    if body := body_example(operation, schemas):
        lines += ['-H "Content-Type: application/json"', "-d '" + body.replace("'", "'\\''") + "'"]
    return " \\\n  ".join(lines)


def _object(schema: Mapping[str, Any], schemas: Schemas, depth: int) -> dict[str, Any]:
    fields: Mapping[str, Any] = schema.get("properties") or {}
    if depth >= DEEPEST:
        return {}
    wanted = schema.get("required") or list(fields)[:4]
    return {each: example(fields[each], schemas, name=each, depth=depth + 1) for each in wanted if each in fields}
