"""``/openapi.json`` and ``/docs``: made from the routes, once, when somebody first asks; read without scripts, too.

Examples are made from the schemas: what a person changes a word in, and sends.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import msgspec
import trio
from jinja2 import Environment
from quart import Quart, Response
from quart.blueprints import Blueprint

from wagate.hooks.routes import endpoint
from wagate.web.documents.openapi import build_openapi, operations_of
from wagate.web.ui.render import asset

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)

_TEMPLATE = Path(__file__).with_name("page.html")
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


def documents_routes(api: Quart) -> Blueprint:
    """What the API says about itself; open to all."""
    routes = Blueprint("documents", __name__)
    building = trio.Lock()  # who comes meanwhile waits, and builds nothing again

    @cache
    def document() -> bytes:
        return msgspec.json.encode(build_openapi(operations_of(api)))

    @cache
    def page() -> str:
        return docs_page(msgspec.json.decode(document()))

    @routes.get("/openapi.json")
    @endpoint(answers={200: None}, public=True, media_type="application/json")
    async def openapi() -> Response:
        """The OpenAPI document of all routes."""
        async with building:
            body = await trio.to_thread.run_sync(document)
        return Response(body, headers={"Cache-Control": "no-cache"}, content_type="application/json")

    @routes.get("/docs")
    @endpoint(answers={200: None}, public=True, media_type="text/html")
    async def docs() -> Response:
        """The same document as a page."""
        async with building:
            body = await trio.to_thread.run_sync(page)
        return Response(
            body, headers={"Cache-Control": "no-cache", "Content-Security-Policy": POLICY}, mimetype="text/html"
        )

    return routes


def docs_page(document: dict[str, Any]) -> str:
    """HTML of an OpenAPI document: operations by tag, with parameters, bodies and answers; then all types."""
    schemas = document["components"]["schemas"]
    operations: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            one = {"method": method.upper(), "path": path, **operation}
            shown = {**one, "example": body_example(one, schemas), "curl": curl(one, schemas)}
            operations[operation["tags"][0]].append(shown)
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"shape": shape, "pretty": _pretty}
    template = environment.from_string(_TEMPLATE.read_text("utf-8"))
    return template.render(
        info=document["info"],
        groups=sorted(operations.items()),
        schemas=schemas,
        css=asset("docs.css"),
        js=asset("docs.js"),
        icon=asset("icon.svg"),
    )


def shape(schema: dict[str, Any]) -> str:
    """A schema in a few words: ``integer (1…200)``, ``array of DeliveryAnswer``, ``string or null``."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(shape(option) for option in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    kind = schema.get("type", "any")
    if kind == "array":
        return f"array of {shape(schema.get('items', {}))}"
    bounds = [str(schema[key]) for key in ("minimum", "maximum") if key in schema]
    words = [str(schema.get("format") or kind), f"({'…'.join(bounds)})" if bounds else ""]
    return " ".join(word for word in words if word)


def _pretty(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False)


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
