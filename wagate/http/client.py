"""The outgoing HTTP client: every request that the gateway makes goes through it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Hashable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import httpcore2
import httpx2
import trio

from wagate import __version__
from wagate.http.answer import Answer, Response
from wagate.http.download import MOST_REDIRECTS, Downloaded, Sink, download
from wagate.http.errors import AddressNotAllowedError, NameNotFoundError, TimedOutError
from wagate.http.guard import Guard, Trust
from wagate.http.handover import HANDOVER, watch_handover
from wagate.http.idle import Connection, IdleConnections, close, is_reusable, stream_of
from wagate.http.owner import OWNER
from wagate.http.resolve import Resolver
from wagate.http.route import KEEP_ALIVE, WANTS_PASSWORD, Routes
from wagate.http.stream import NotSentError
from wagate.http.target import Target, read_target
from wagate.http.translate import FAILURES, translate
from wagate.http.transport import GuardedTransport
from wagate.http.url import ParsedURL, check_url

MOST_IDLE = 100
"""Connections that wait for their next request, over all targets."""
MOST_CONNECTIONS = 512
"""Requests at once; more wait for a place, on their own time."""


class HttpClient:
    """Guarded requests over kept connections. Redirects are not followed, the environment's proxies not used.

    ``trust`` says who wrote the URL: ``public`` (anyone, by API) passes the whole guard, ``operator`` (the config file)
    is refused metadata addresses only and may use plain http. The two never share a connection, nor do two clients of
    the gateway (`wagate.http.owner`).
    With a proxy, the target's addresses are looked up and judged here first, all of them must be allowed, and then the
    proxy gets the name: what it makes of the name is the proxy's.
    """

    def __init__(
        self,
        *,
        guard: Guard | None = None,
        resolver: Resolver | None = None,
        allow_http: bool = False,
        proxy: str = "",
        proxy_field: str = "delivery.proxy",
        ca_file: Path | None = None,
    ) -> None:
        """``ca_file`` is trusted beside the system's certificates; verification can't be switched off.

        ``proxy_field`` is where the operator wrote ``proxy``, for the error.

        Raises:
            ConfigError: ``proxy`` is not ``http[s]://[user:password@]host:port``, nor the same with ``socks5://``.
        """
        self._guard = guard or Guard()
        self._resolver = resolver or Resolver()
        self._ca_file = ca_file
        self._routes = Routes(self._guard, self._resolver, proxy=proxy, proxy_field=proxy_field, ca_file=ca_file)
        self._allow_http = allow_http
        self._idle = IdleConnections(MOST_IDLE, seconds=KEEP_ALIVE)
        self._places = trio.CapacityLimiter(MOST_CONNECTIONS)
        self._user_agent = f"wagate/{__version__}"
        self._others: dict[str, HttpClient] = {}

    def through(self, proxy: str, *, field: str = "proxy") -> HttpClient:
        """The same client, but by this proxy; '' is the client itself. It is closed with this one.

        For a proxy that the operator set for one account, in ``field``. ConfigError: it can't be used.
        """
        if not proxy:
            return self
        if proxy not in self._others:
            self._others[proxy] = HttpClient(
                guard=self._guard,
                resolver=self._resolver,
                allow_http=self._allow_http,
                proxy=proxy,
                proxy_field=field,
                ca_file=self._ca_file,
            )
        return self._others[proxy]

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        timeout: float = 10.0,  # noqa: ASYNC109  (it ends this request, not the caller)
        body_limit: int = 20_000,
        trust: Trust = "public",
    ) -> Response:
        """Make one request; ``timeout`` seconds of wall time hold for all of it, look-up and body included.

        The status line decides: what becomes of the body afterwards shows only in ``truncated``. A request goes out
        once; it is sent again only when a kept connection broke before the request was wholly handed to the system.
        Host, Content-Length and the headers of the connection are made here; a caller's own are ignored.

        Raises:
            HttpError: no status line came; ``reason`` says why in the words of the API (`wagate.http.errors`), ``sent``
                whether the request may have reached the other side.
        """
        started = time.perf_counter()
        target = self._target(url, trust)
        request = target.request(method, headers or {}, content, self._user_agent)
        answer = Answer()
        handover = watch_handover()
        try:
            with trio.move_on_after(timeout):
                await self._exchange(target, request, trust, answer, body_limit)
        except FAILURES as error:
            raise translate(error, left=handover.left) from error
        response = answer.response((time.perf_counter() - started) * 1000)
        if response is None:
            raise TimedOutError(sent=handover.left)
        return response

    async def download(
        self,
        url: str,
        sink: Sink,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        limit: int,
        timeout: float = 600.0,  # noqa: ASYNC109  (it ends this download, not the caller)
        idle: float = 30.0,
        trust: Trust = "public",
    ) -> Downloaded:
        """GET a file of up to ``limit`` bytes into ``sink``, never holding more than a chunk of it.

        With ``content`` it is POSTed for, and no redirect is followed.

        ``timeout`` seconds hold for all of it, ``idle`` for the answer to begin and between two chunks. Up to 5
        redirects are followed, each one looked at by the guard; another host gets no ``headers`` but User-Agent and
        Accept, and is trusted as ``public`` whatever ``trust`` was. From https none leads to http. Any other status
        than 200 is reported, with nothing sunk.

        Raises:
            HttpError: it did not come, or not whole; what the sink got till then is worth nothing. TooLongError: it is
            over the limit. What the sink raises passes.
        """
        return await download(
            partial(self._opened, content),
            url,
            sink,
            headers=headers or {},
            limit=limit,
            timeout=timeout,
            idle=idle,
            trust=trust,
            redirects=0 if content else MOST_REDIRECTS,
        )

    @asynccontextmanager
    async def _opened(
        self, content: bytes, url: str, headers: Mapping[str, str], trust: Trust
    ) -> AsyncIterator[httpcore2.Response]:
        """The answer to a GET, or a POST; its connection is kept when the body was read to its end."""
        target = self._target(url, trust)
        request = target.request("POST" if content else "GET", headers, content, self._user_agent)
        await self._take_place()
        try:
            connection, head = await self._send(target, request, trust)
            try:
                yield head
            finally:
                await self._put_back(target, trust, connection, request, head)
        finally:
            self._places.release()

    async def check(self, url: str, *, trust: Trust = "public") -> None:
        """Would a request to this URL be allowed right now? For the moment when a target is registered.

        Raises:
            BadUrlError, AddressNotAllowedError, NameNotFoundError: it would not.
        """
        await self._routes.check(self._target(url, trust).parsed, trust=trust)

    async def check_link(self, url: str) -> None:
        """May others be told to fetch this? The guard judges the address; the name may be one that only they know.

        Plain http is theirs to judge. Raises BadUrlError, AddressNotAllowedError.
        """
        with suppress(NameNotFoundError):
            parsed = check_url(url, allow_http=True)
            self._refuse_door(parsed, "public")
            await self._routes.check(parsed, trust="public")

    def guarded_httpx(self, *, trust: Trust = "public", timeout: float = 10.0) -> httpx2.AsyncClient:
        """An httpx client behind the same guard, for libraries that want one. The caller closes it.

        What the guard refuses is an ``httpx2.ConnectError`` that begins ``Address not allowed``; a URL that can't be
        used at all is an ``httpx2.UnsupportedProtocol``. Who must know whether a request that failed had left asks
        `watch_handover`.
        """

        async def check(parsed: ParsedURL) -> None:
            self._refuse_door(parsed, trust)
            if self._routes.proxied:  # else the pool's own backend does
                await self._routes.check(parsed, trust=trust)

        transport = GuardedTransport(
            self._routes.pool(trust),
            allow_http=self._http_allowed(trust),
            check=check,
            forwarded=self._routes.forwarded,
        )
        headers = {"User-Agent": self._user_agent}
        return httpx2.AsyncClient(transport=transport, trust_env=False, timeout=timeout, headers=headers)

    async def aclose(self) -> None:
        """Close what is idle. Running requests finish on their own."""
        await self._idle.clear()
        for each in self._others.values():
            await each.aclose()

    def _target(self, url: str, trust: Trust) -> Target:
        target = read_target(url, allow_http=self._http_allowed(trust), proxied=self._routes.proxied)
        self._refuse_door(target.parsed, trust)
        return target

    def _refuse_door(self, parsed: ParsedURL, trust: Trust) -> None:
        """AddressNotAllowedError: this is where the world reaches us, by name."""
        if trust == "public" and self._guard.is_public_door(parsed.host, parsed.port):
            raise AddressNotAllowedError(f"Address not allowed: {parsed.host} is this gateway itself")

    def _http_allowed(self, trust: Trust) -> bool:
        return self._allow_http or trust == "operator"

    async def _exchange(
        self, target: Target, request: httpcore2.Request, trust: Trust, answer: Answer, limit: int
    ) -> None:
        await self._take_place()
        try:
            connection, head = await self._send(target, request, trust)
            try:
                await answer.read_body(head, limit)
            finally:
                await self._put_back(target, trust, connection, request, head)
        finally:
            self._places.release()

    async def _take_place(self) -> None:
        """Without a turn of the loop while there are places."""
        try:
            self._places.acquire_nowait()
        except trio.WouldBlock:
            await self._places.acquire()

    async def _put_back(
        self,
        target: Target,
        trust: Trust,
        connection: Connection,
        request: httpcore2.Request,
        head: httpcore2.Response,
    ) -> None:
        if is_reusable(connection, request, head):
            await self._idle.put(_key(target, trust), connection)
        else:
            await close(connection)

    async def _send(
        self, target: Target, request: httpcore2.Request, trust: Trust
    ) -> tuple[Connection, httpcore2.Response]:
        key = _key(target, trust)
        while (kept := await self._idle.take(key)) is not None:
            try:
                return kept, await self._ask(kept, target, request)
            except NotSentError:
                # The server closed it, or sent what nobody had asked for: once more, on another one.
                await close(kept)
                if (handover := HANDOVER.get()) is not None:
                    handover.left = False
        fresh = await self._routes.open(target, trust)
        return fresh, await self._ask(fresh, target, request)

    async def _ask(self, connection: Connection, target: Target, request: httpcore2.Request) -> httpcore2.Response:
        """The answer's head.

        Raises:
            NotSentError: it came while the request still waits here: it is not ours.
            httpcore2.ProxyError: it is the proxy's own, which wants a password.
        """
        head = await connection.handle_async_request(request)
        if stream_of(head).unsent:
            await close(connection)
            raise NotSentError("an answer came before the request")
        if head.status == WANTS_PASSWORD and self._routes.forwarded(target.parsed):
            await close(connection)
            raise httpcore2.ProxyError(str(WANTS_PASSWORD))
        return head


def _key(target: Target, trust: Trust) -> Hashable:
    """Who may use a kept connection: for the same client, with the same trust, to the same place."""
    return (OWNER.get(), trust, target.key)
