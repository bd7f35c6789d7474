"""The ways out: direct or by the proxy, one guard per level of trust, one TLS context for all."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpcore2

from wagate.errors import ConfigError
from wagate.http.backend import GuardedBackend
from wagate.http.direct import Direct
from wagate.http.guard import Guard, Trust
from wagate.http.idle import Connection
from wagate.http.proxy import SocksBackend, credentials, read_proxy, speaks_socks
from wagate.http.resolve import Resolver
from wagate.http.target import Target
from wagate.http.url import ParsedURL

KEEP_ALIVE = 30.0
"""Seconds that a connection waits for its next request."""
WANTS_PASSWORD = 407
"""A proxy's own answer to a request that it did not pass on (RFC 9110, section 15.5.8)."""


class Routes:
    """Makes connections. Nothing is read or opened before it is needed."""

    def __init__(self, guard: Guard, resolver: Resolver, *, proxy: str, proxy_field: str, ca_file: Path | None) -> None:
        """``proxy`` is ``http[s]://[user:password@]host:port``, the same with ``socks5://``, or ''.

        Raises:
            ConfigError: the proxy's URL can't be used; it names ``proxy_field``.
        """
        self._backends: dict[Trust, GuardedBackend] = {
            "public": GuardedBackend(guard, resolver, "public"),
            "operator": GuardedBackend(guard, resolver, "operator"),
        }
        try:
            self._proxy = read_proxy(proxy) if proxy else None
        except ValueError as error:
            raise ConfigError(f"{proxy_field} {error}") from error
        self._socks: SocksBackend | None = None
        if self._proxy is not None and speaks_socks(self._proxy):
            self._socks = SocksBackend(self._proxy, self._backends["operator"])  # its own address: the operator's word
        self._ca_file = ca_file
        self._tls: ssl.SSLContext | None = None
        self._makers: dict[Trust, httpcore2.AsyncConnectionPool] = {}

    @property
    def proxied(self) -> bool:
        """True when all requests go through the proxy."""
        return self._proxy is not None

    def forwarded(self, parsed: ParsedURL) -> bool:
        """Whether a request for it is read, and may be answered, by the proxy itself."""
        return self.proxied and self._socks is None and parsed.scheme == "http"

    async def check(self, parsed: ParsedURL, *, trust: Trust) -> None:
        """Would this target be allowed right now?

        Raises:
            AddressNotAllowedError, NameNotFoundError: it would not.
        """
        await self._backends[trust].check(parsed.host, parsed.port)

    async def open(self, target: Target, trust: Trust) -> Connection:
        """A connection for this target; by an HTTP proxy, it dials with its first request.

        Raises:
            AddressNotAllowedError, NameNotFoundError: only with a proxy, which does its own look-up afterwards.
            httpcore2.NetworkError: as `GuardedBackend.connect_tcp` and `Stream.start_tls` say; not by an HTTP proxy.
            httpcore2.ProxyError: a SOCKS proxy would not.
        """
        if self.proxied:
            await self.check(target.parsed, trust=trust)
        if self._proxy is None or self._socks is not None:
            return await self._dial(target, self._socks or self._backends[trust])
        if trust not in self._makers:
            self._makers[trust] = self.pool(trust)
        # Only its factory is used: the connection belongs to the caller, the pool never sees a request.
        return self._makers[trust].create_connection(target.origin)

    async def _dial(self, target: Target, backend: GuardedBackend | SocksBackend) -> Direct:
        host = target.parsed.host
        stream = await backend.connect_tcp(host, target.parsed.port)
        if target.parsed.scheme == "https":
            stream = await stream.start_tls(self._tls_context(), server_hostname=host)
        return Direct(target.origin, stream)

    def pool(self, trust: Trust) -> httpcore2.AsyncConnectionPool:
        """A new pool of httpcore2 that dials by these rules.

        It keeps no connection: httpcore2 would use one again whatever lies behind its last answer.
        """
        if self._proxy is None or self._socks is not None:
            return httpcore2.AsyncConnectionPool(
                ssl_context=self._tls_context(),
                max_connections=100,
                max_keepalive_connections=0,
                keepalive_expiry=KEEP_ALIVE,
                network_backend=self._socks or self._backends[trust],
            )
        return httpcore2.AsyncHTTPProxy(
            httpcore2.URL(
                scheme=self._proxy.scheme, host=self._proxy.hostname or "", port=self._proxy.port, target="/"
            ),
            proxy_auth=credentials(self._proxy),
            ssl_context=self._tls_context(),
            proxy_ssl_context=self._tls_context() if self._proxy.scheme == "https" else None,
            max_connections=100,
            max_keepalive_connections=0,
            keepalive_expiry=KEEP_ALIVE,
            network_backend=self._backends["operator"],  # as above
        )

    def _tls_context(self) -> ssl.SSLContext:
        """The system's certificates and ``ca_file``, read once (some 20 ms)."""
        if self._tls is None:
            self._tls = httpcore2.default_ssl_context()
            self._tls.set_alpn_protocols(["http/1.1"])
            if self._ca_file is not None:
                self._tls.load_verify_locations(cafile=self._ca_file)
        return self._tls
