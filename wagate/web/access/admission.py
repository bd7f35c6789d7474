"""In front of the API: a body comes in only where its sender may post one, whole, in time, and counted."""

from __future__ import annotations

from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException

from wagate.config.tables import Config
from wagate.errors import WagateError
from wagate.hooks.routes import CONTRACT, Contract
from wagate.web.access.auth import Authenticator, token_of
from wagate.web.access.cors import Cors
from wagate.web.http.asgi import App, ClientGoneError, Receive, Request, Scope, Send
from wagate.web.http.bodies import Bodies, NoBody, WholeBody, read_body
from wagate.web.http.exchange import Exchange

BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})
SMALL = "limits.body"
LARGE = "server.max_body"


class Admission:
    """Hands the API whole bodies. One that nobody may post (no such path or method, no token) is never gathered."""

    def __init__(self, api: QuartTrio, auth: Authenticator, bodies: Bodies, config: Config) -> None:
        self._api = api
        self._urls = api.url_map.bind("")
        self._auth = auth
        self._bodies = bodies
        self._most = {SMALL: int(config.limits.body), LARGE: int(config.server.max_body)}
        self._cors = Cors(config.server.cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        app: App = self._api  # type: ignore[assignment]  # hypercorn's types for the same thing.
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        request = Request(scope, ())
        limit = self._limit(request)
        if limit is None:
            await app(scope, NoBody(receive), send)
            return
        with self._bodies.hold() as held:
            try:
                most = min(self._most[limit], self._most[LARGE])
                body = await read_body(scope, receive, most, held, limit=limit)
            except ClientGoneError:
                return
            except WagateError as error:
                await Exchange(request, receive, send, self._cors).refuse(error)
                return
            await app(scope, WholeBody(body, receive), send)

    def _limit(self, request: Request) -> str | None:
        """The key that limits the body; None when there should be none."""
        if request.method in BODILESS:
            return None
        try:
            rule, _ = self._urls.match(request.path, method=request.method, return_rule=True)
        except HTTPException:
            return None
        contract: Contract | None = getattr(self._api.view_functions[rule.endpoint], CONTRACT, None)
        if contract is None or not contract.public:
            token = token_of(request.headers.get("authorization"), request.headers.get("x-api-key"))
            if token is None or self._auth.find(token) is None:
                return None
        return LARGE if contract is not None and contract.large else SMALL
