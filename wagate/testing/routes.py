"""A plugin's routes without a server."""

from __future__ import annotations

from quart import Blueprint, Response, request
from quart.typing import TestClientProtocol
from quart_trio import QuartTrio

from wagate.errors import WagateError
from wagate.web.problems import problem_of


def routes_client(*blueprints: Blueprint) -> TestClientProtocol:
    """A client of an app with these routes; errors come as problem documents, as they do from the gateway."""
    app = QuartTrio("wagate.testing")
    for each in blueprints:
        app.register_blueprint(each)

    @app.errorhandler(WagateError)
    async def problem(error: WagateError) -> Response:
        status, headers, body = problem_of(error, request.path)
        return Response(body, status=status, headers=headers)

    return app.test_client()
