"""``/openapi.json`` and ``/docs``: made from the routes, once, when somebody first asks; read without scripts, too."""

from __future__ import annotations

import json
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import trio
from jinja2 import Environment
from quart import Quart, Response
from quart.blueprints import Blueprint

from wagate.hooks.routes import endpoint
from wagate.web.documents.examples import body_example, curl
from wagate.web.documents.openapi import build_openapi, operations_of
from wagate.web.ui.render import asset

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)

_TEMPLATE = Path(__file__).with_name("page.html")


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
