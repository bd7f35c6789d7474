"""``/openapi.json`` and ``/docs``: made from the routes, once, when somebody first asks."""

from __future__ import annotations

from functools import cache

import msgspec
import trio
from quart import Quart, Response
from quart.blueprints import Blueprint

from wagate.hooks.routes import endpoint
from wagate.web.documents.openapi import build_openapi, operations_of
from wagate.web.documents.page import docs_page

POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


def documents_routes(api: Quart) -> Blueprint:
    """What the API says about itself; open to all."""
    routes = Blueprint("documents", __name__)

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
        body = await trio.to_thread.run_sync(document)
        return Response(body, headers={"Cache-Control": "no-cache"}, content_type="application/json")

    @routes.get("/docs")
    @endpoint(answers={200: None}, public=True, media_type="text/html")
    async def docs() -> Response:
        """The same document as a page."""
        body = await trio.to_thread.run_sync(page)
        return Response(
            body, headers={"Cache-Control": "no-cache", "Content-Security-Policy": POLICY}, mimetype="text/html"
        )

    return routes
