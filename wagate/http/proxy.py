"""Proxies: which URLs of one can be used, and the way through one that speaks SOCKS 5.

httpcore2 has one that takes each answer of a proxy for whole, however much of it came.
Source: RFC 1928 and RFC 1929. The name goes to the proxy, which looks it up.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

import httpcore2
import trio

from wagate.http.backend import GuardedBackend
from wagate.http.handover import HANDOVER
from wagate.http.stream import Stream

SCHEMES: Final = ("http", "https", "socks5", "socks5h")
LONGEST: Final = 255
"""Bytes of a name, a user or a password."""
_OPEN, _BY_PASSWORD = 0, 2
_SIZES: Final = {1: 4, 3: 0, 4: 16}
"""Kind of an address → its bytes; 0: a name, whose length comes first."""


def read_proxy(url: str) -> SplitResult:
    """A proxy's URL. ValueError: it can't be used; the text says what it must be."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("must be http://host:port, https://host:port or socks5://host:port")
    if speaks_socks(parts) and max(map(len, credentials(parts) or (b"",))) > LONGEST:
        raise ValueError(f"user and password have at most {LONGEST} bytes each with socks5://")
    return parts


def speaks_socks(proxy: SplitResult) -> bool:
    """Rather than HTTP."""
    return proxy.scheme.startswith("socks5")


def credentials(proxy: SplitResult) -> tuple[bytes, bytes] | None:
    """User and password, if there are any."""
    if proxy.username is None:
        return None
    return unquote(proxy.username).encode(), unquote(proxy.password or "").encode()


class SocksBackend(httpcore2.AsyncNetworkBackend):
    """Connections through a SOCKS 5 proxy; whoever asks has judged the target."""

    def __init__(self, proxy: SplitResult, inner: GuardedBackend) -> None:
        """``inner`` reaches the proxy itself."""
        self._proxy = proxy
        self._inner = inner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  (httpcore2's signature)
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> Stream:
        """Connect to ``host``; ``timeout`` seconds hold for what the proxy is asked, too.

        Raises:
            httpcore2.ProxyError: the proxy would not, or does not speak SOCKS 5. Else as `GuardedBackend.connect_tcp`.
        """
        with trio.move_on_after(math.inf if timeout is None else timeout):
            return await self._connect(host, port)
        raise httpcore2.ConnectTimeout("no connection through the proxy in time")

    async def _connect(self, host: str, port: int) -> Stream:
        stream = await self._inner.connect_tcp(self._proxy.hostname or "", self._proxy.port or 1080)
        try:
            await self._ask(stream, host.strip("[]"), port)
        except BaseException:
            await stream.aclose()
            raise
        finally:
            if (handover := HANDOVER.get()) is not None:
                handover.left = False  # it was not the request
        return stream

    async def _ask(self, stream: Stream, host: str, port: int) -> None:
        user = credentials(self._proxy)
        way = _OPEN if user is None else _BY_PASSWORD
        if await _exchange(stream, bytes((5, 1, way)), 2) != bytes((5, way)):
            raise httpcore2.ProxyError("no: another way to sign in, or none")
        if user is not None:
            named = b"".join(bytes((len(each),)) + each for each in user)
            if (await _exchange(stream, b"\1" + named, 2))[1]:
                raise httpcore2.ProxyError("no: wrong user or password")
        version, code, _, kind = await _exchange(stream, b"\5\1\0" + _address(host) + struct.pack(">H", port), 4)
        if version != 5 or code:
            raise httpcore2.ProxyError(f"no: {code}")
        if kind not in _SIZES:
            raise httpcore2.ProxyError("no: an address of an unknown kind")
        size = _SIZES[kind] or (await _exchange(stream, b"", 1))[0]
        await _exchange(stream, b"", size + 2)


def _address(host: str) -> bytes:
    try:
        found = ip_address(host)
    except ValueError:
        name = host.encode("ascii")
        if len(name) > LONGEST:
            raise httpcore2.ProxyError(f"no: a name of more than {LONGEST} bytes") from None
        return bytes((3, len(name))) + name
    return bytes((1 if found.version == 4 else 4,)) + found.packed


async def _exchange(stream: Stream, say: bytes, size: int) -> bytes:
    """Say something, and take exactly so many bytes."""
    await stream.write(say)
    got = b""
    while len(got) < size:
        try:
            more = await stream.read(size - len(got))
        except httpcore2.NetworkError as error:
            raise httpcore2.ProxyError("no: it broke off") from error
        if not more:
            raise httpcore2.ProxyError("no: it hung up")
        got += more
    return got
