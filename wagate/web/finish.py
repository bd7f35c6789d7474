"""What a request changes is done to its end, also when its client goes away in the middle of it."""

from __future__ import annotations

import trio
from quart import Request, Response
from quart_trio import QuartTrio
from werkzeug import Response as WerkzeugResponse

from wagate.errors import UnavailableError
from wagate.running import RUNNING
from wagate.web.problems import problem_of


class Finishing(QuartTrio):
    """Quart, whose requests may say with `wagate.hooks.routes.finish` that they are not to be broken off any more.

    Quart breaks a request off when its client has gone. One that had just revoked a token would have done so in the
    database alone, and its act would stand in no audit.
    """

    async def handle_request(self, request: Request) -> Response | WerkzeugResponse:
        """Answer."""
        with trio.CancelScope() as scope:
            before = RUNNING.set(scope)
            try:
                return await super().handle_request(request)
            finally:
                RUNNING.reset(before)
        status, headers, body = problem_of(UnavailableError("the request took too long"), request.path)
        return Response(body, status=status, headers=headers)
