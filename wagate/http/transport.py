"""httpx behind the guard: the one place that knows httpx2's private pool."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable

import httpcore2
import httpx2

from wagate.http.errors import BadUrlError, HttpError, ProtocolError
from wagate.http.route import WANTS_PASSWORD
from wagate.http.target import check_header
from wagate.http.translate import FAILURES, refused_by_proxy, translate
from wagate.http.url import ParsedURL, check_url


class GuardedTransport(httpx2.AsyncHTTPTransport):
    """httpx2's transport over a pool that dials by our rules; each hop of a followed redirect is checked anew."""

    def __init__(
        self,
        pool: httpcore2.AsyncConnectionPool,
        *,
        allow_http: bool,
        check: Callable[[ParsedURL], Awaitable[None]],
        forwarded: Callable[[ParsedURL], bool],
    ) -> None:
        """``check`` judges a target before its request is made; ``forwarded``: a proxy reads the request."""
        super().__init__(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trust_env=False)  # for the pool that goes
        # AsyncHTTPTransport has no parameter for a network backend, and this attribute is all that it uses.
        self._pool = pool
        self._allow_http = allow_http
        self._check = check
        self._forwarded = forwarded

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Check the URL, then send.

        Raises:
            httpx2.UnsupportedProtocol: the URL can't be used. httpx2.ConnectError: the guard refused.
            httpx2.TransportError: any other failure; its message is ours, as `wagate.http.translate` words it.
        """
        try:
            parsed = check_url(str(request.url), allow_http=self._allow_http)
            for name, value in request.headers.items():
                check_header(name, value)
            await self._check(parsed)
        except BadUrlError as error:
            raise httpx2.UnsupportedProtocol(error.reason, request=request) from error
        except ProtocolError as error:
            raise httpx2.LocalProtocolError(error.reason, request=request) from error
        except HttpError as error:
            raise httpx2.ConnectError(error.reason, request=request) from error
        try:
            answer = await super().handle_async_request(request)
        except httpx2.TransportError as error:
            if not isinstance(error.__cause__, FAILURES):
                raise
            raise type(error)(translate(error.__cause__).reason, request=request) from error
        if answer.status_code == WANTS_PASSWORD and self._forwarded(parsed):
            await answer.aclose()
            raise httpx2.ProxyError(refused_by_proxy(WANTS_PASSWORD), request=request)
        return answer
