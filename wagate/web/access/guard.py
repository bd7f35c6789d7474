"""What every request of the API passes first: a token, rate limits, and paths that make sense."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from quart import Request, Response, Websocket, current_app, g, has_request_context, request, websocket

from wagate.clock import Clock
from wagate.config.tables import Limits
from wagate.config.units import Rate
from wagate.errors import NotFoundError, TooManyRequestsError, UnauthorizedError
from wagate.hooks.contracts import Identity
from wagate.hooks.routes import CONTRACT, Contract
from wagate.http.owner import OWNER, REGISTERING
from wagate.storage.owners.directory import Directory
from wagate.web.access.auth import Authenticator, token_hash, token_of
from wagate.web.access.cors import Cors
from wagate.web.access.identity import WITHIN, Within
from wagate.web.access.rate_limit import RateLimit
from wagate.web.http.asgi import Networks, client_address
from wagate.web.problems import problem_of

VIEWED = "/api/whatsapp/session/"
"""Below it, a view token may GET."""
LISTENING = "/ws"
"""WAHA's WebSocket: browsers can give it no header, so the token may be in ``?x-api-key=``, which no log shows."""
QUEUE = re.compile(r"/queue/.*")
SENDING = re.compile(
    r"/messages(/.*)?|/api/(send[A-Z]\w*|send/.+|startTyping|stopTyping|reaction|reply|forwardMessage"
    r"|[^/]+/(chats|groups|status|events)/.+)"
)
_ODD = re.compile("[\x00-\x1f\x7f\ufffd\ud800-\udfff]")
"""In no name of ours: control characters, and what is left of bytes that are no UTF-8."""

log = structlog.get_logger("wagate.api")


class Guard:
    """Writes ``g.identity``, ``g.viewed`` (the only account that a view token shows), ``g.allowed`` (is it still?)."""

    def __init__(
        self,
        auth: Authenticator,
        directory: Callable[[], Directory],
        *,
        limits: Limits,
        clock: Clock,
        trusted_proxies: Networks,
        cors: Cors,
    ) -> None:
        self._auth = auth
        self._directory = directory
        self._trusted_proxies = trusted_proxies
        self._cors = cors
        self._limits = {QUEUE: _limit(limits.queue, clock), SENDING: _limit(limits.messages, clock)}
        self._other = _limit(limits.api, clock)

    async def before_request(self) -> Response | None:
        """Let the request through, answer it (a preflight), or raise what is wrong with it."""
        preflight = self._cors.preflight()
        if preflight is not None:
            return preflight
        self._admit(request)
        return None

    async def before_websocket(self) -> None:
        """The same for a WebSocket, before it is accepted."""
        self._admit(websocket)

    async def after_request(self, response: Response) -> Response:
        """Headers that every answer has. Who is refused by a route that takes secrets of its own counts, too."""
        if response.status_code == HTTPStatus.UNAUTHORIZED and self._takes_secrets():
            response = self._counted(response)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        self._cors.mark(response)
        return response

    def _takes_secrets(self) -> bool:
        """Whether the route is open to who brings a secret that only the route knows, such as a signature."""
        return request.url_rule is not None and request.method == "POST" and _contract(request).public

    def _counted(self, response: Response) -> Response:
        try:
            self._auth.failed(self._address(request))
        except TooManyRequestsError as error:
            status, headers, body = problem_of(error, request.path)
            return Response(body, status=status, headers=headers)
        return response

    def _address(self, asked: Request | Websocket) -> str:
        return client_address(asked.scope, asked.headers.get("X-Forwarded-For"), self._trusted_proxies)

    def _admit(self, asked: Request | Websocket) -> None:
        g.identity = g.viewed = None
        if asked.url_rule is None:
            return  # No such path or method: the dispatch says so.
        _check_spelling(str(asked.scope["path"]), asked.url_rule.rule)  # Quart's own path has lost its first slashes.
        token = token_of(asked.headers.get("Authorization"), asked.headers.get("X-Api-Key"))
        if token is None and asked.path == LISTENING:
            token = token_of(None, asked.args.get("x-api-key"))
        address = self._address(asked)
        within = asked.scope.get(WITHIN)
        if isinstance(within, Within):
            g.identity, g.token, g.allowed = within.identity, within.token, lambda: True
        elif token is not None or not _contract(asked).public:
            self._identify(asked, token, address)
        if g.identity is not None:
            limit = next((limit for path, limit in self._limits.items() if path.fullmatch(asked.path)), self._other)
            limit.spend(g.token)
            # Of this request's own task.
            OWNER.set(g.identity.client_id)
            REGISTERING.set(True)
        _check_names(asked.view_args or {})

    def _identify(self, asked: Request | Websocket, token: str | None, address: str) -> None:
        given = asked.args.get("token") if asked.path.startswith(VIEWED) and _only_looks() else None
        if token is None and given:
            g.viewed = self._auth.view(given, address=address)
            account = self._directory().accounts[g.viewed]
            g.identity = Identity(admin=False, client_id=account.client_id, tenant=account.tenant, read_only=True)
            g.allowed = lambda: self._auth.find_viewer(given) is not None
        else:
            try:
                g.identity = self._auth.identify(token, address=address)
            except UnauthorizedError:
                if token is not None:
                    log.warning("sign-in failed", address=address, path=asked.path)
                raise
            g.allowed = lambda: self._auth.find(token or "") is not None
        # Memory and logs never hold the token itself.
        g.token = token_hash(token or given or "")


def _contract(asked: Request | Websocket) -> Contract:
    """The route's contract; a route that has none is not public."""
    assert asked.url_rule is not None
    view = current_app.view_functions.get(asked.url_rule.endpoint)
    contract: Contract = getattr(view, CONTRACT, None) or Contract(answers={}, problems=frozenset())
    return contract


def _only_looks() -> bool:
    return not has_request_context() or request.method in {"GET", "HEAD"}


def _check_spelling(path: str, rule: str) -> None:
    """One path, one spelling: ``/metrics/`` or ``//metrics`` would pass a proxy that keeps ``/metrics`` to itself."""
    if path.startswith("//") or (path.endswith("/") and not rule.endswith("/")):
        raise NotFoundError("no route has this path; GET /docs lists all paths")


def _check_names(names: Mapping[str, Any]) -> None:
    if any(isinstance(value, str) and _ODD.search(value) for value in names.values()):
        raise NotFoundError("no route has this path")


def _limit(rate: Rate, clock: Clock) -> RateLimit:
    return RateLimit(clock, count=rate.count, period=rate.seconds)
