"""Dial for httpcore2: resolve once, drop what the guard denies, connect to a literal address.

SNI, Host header and certificate check stay on the name, since httpcore2 never learns the address: a DNS answer that
changes between check and connect (rebinding) has nothing to change.
"""

from __future__ import annotations

import errno
import math
import os
import resource
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, ip_address
from itertools import chain, zip_longest

import httpcore2
import structlog
import trio

from wagate.http.errors import AddressNotAllowedError, NameNotFoundError
from wagate.http.guard import Address, Guard, Trust
from wagate.http.resolve import Resolver
from wagate.http.stream import Stream
from wagate.http.tcp import TcpStream

log = structlog.get_logger("wagate.http")

OURS = "this address is the gateway's own"
MOST_ADDRESSES = 4
"""Addresses of a name that are tried."""
RESERVE = 64
"""Descriptors that no outgoing connection takes, beside those that the server keeps spare."""
PATIENCE = 2.0
"""Seconds for an address while others are left: a route that swallows packets must not use up the request's time."""


class RefusedError(httpcore2.ConnectError):
    """The guard's no, in httpcore2's tree. The message begins ``Address not allowed: ``."""


class UnknownNameError(httpcore2.ConnectError):
    """A failed look-up, in httpcore2's tree. The message begins ``ENOTFOUND: ``."""


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connections of one level of trust."""

    def __init__(self, guard: Guard, resolver: Resolver, trust: Trust) -> None:
        self._guard = guard
        self._resolver = resolver
        self._trust: Trust = trust

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  (httpcore2's signature)
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> Stream:
        """Connect to an allowed address of ``host``.

        Raises:
            RefusedError: no address is allowed. UnknownNameError: there is none.
            httpcore2.ConnectError: none could be reached; the cause is the last one's OSError.
            httpcore2.ConnectTimeout: ``timeout`` seconds passed.
        """
        with trio.move_on_after(math.inf if timeout is None else timeout):
            addresses, refusals = await self._judge(host, port)
            if not addresses:
                raise RefusedError(self._refused(host, port, refusals))
            return await self._dial(take_turns(addresses)[:MOST_ADDRESSES], port)
        raise httpcore2.ConnectTimeout(f"no connection to port {port} in time")

    async def check(self, host: str, port: int) -> None:
        """Judge a target without connecting; all its addresses must be allowed, for who knows which a proxy takes.

        Raises:
            AddressNotAllowedError: one is denied. NameNotFoundError: there is none.
        """
        try:
            _, refusals = await self._judge(host, port)
        except UnknownNameError as error:
            raise NameNotFoundError(str(error)) from error
        if refusals:
            raise AddressNotAllowedError(self._refused(host, port, refusals))

    async def _judge(self, host: str, port: int) -> tuple[list[Address], list[str]]:
        """The addresses that may be dialled, and why the others may not."""
        try:
            addresses: tuple[Address, ...] = (ip_address(host),)
        except ValueError:
            try:
                addresses = await self._resolver.addresses(host)
            except NameNotFoundError as error:
                raise UnknownNameError(error.reason) from error
        ours = await self._own_addresses(port)
        judged = [
            (address, OURS if address in ours else self._guard.refusal(address, port, self._trust))
            for address in addresses
        ]
        return [address for address, no in judged if no is None], [no for _, no in judged if no is not None]

    def _refused(self, host: str, port: int, refusals: list[str]) -> str:
        """What who wrote the URL is told: not where a name leads, or anybody could ask us for the inside's names."""
        if self._trust == "operator" or _is_address(host):
            return f"Address not allowed: {refusals[0]}"
        log.info("address refused", host=host, port=port, reason=refusals[0])
        return (
            f"Address not allowed: {host} does not resolve to a public address; delivery.allow_networks can exempt one"
        )

    async def _own_addresses(self, port: int) -> tuple[Address, ...]:
        """Those of ``server.public_url``, as far as this port is not for the world there."""
        if self._trust == "operator" or self._guard.public is None:
            return ()
        try:
            found: tuple[Address, ...] = (ip_address(self._guard.public[0]),)
        except ValueError:
            try:
                found = await self._resolver.addresses(self._guard.public[0])
            except NameNotFoundError:
                return ()
        return tuple(address for address in found if self._guard.is_inner(address, port))

    async def _dial(self, addresses: list[Address], port: int) -> Stream:
        failed: OSError | None = None
        for address in addresses:
            patience = math.inf if address is addresses[-1] else PATIENCE
            try:
                with trio.move_on_after(patience):
                    return await self._connect(address, port)
            except OSError as error:
                failed = error
        raise httpcore2.ConnectError(failed) from failed

    async def _connect(self, address: Address, port: int) -> Stream:
        family = socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6
        raw = socket.socket(family, socket.SOCK_STREAM)
        sock = trio.socket.from_stdlib_socket(raw)
        try:
            _leave_reserve(sock.fileno())
            await sock.connect((str(address), port))
            self._refuse_ourselves(_ip(sock.getsockname()), address, port)
        except BaseException:
            sock.close()
            raise
        return Stream(TcpStream(raw, sock), sock)

    def _refuse_ourselves(self, local: Address, peer: Address, port: int) -> None:
        if self._trust == "public" and self._guard.is_ourselves(local, peer, port):
            raise RefusedError(f"Address not allowed: {peer} port {port} is this gateway itself")


def _leave_reserve(descriptor: int) -> None:
    """OSError when this is one of the last descriptors: they are for what comes in.

    The system gives the lowest that is free, so its number says how many are open at least.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and descriptor >= soft - RESERVE:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def take_turns(addresses: list[Address]) -> list[Address]:
    """Alternate the families, the first one's first: when one family leads nowhere, only one try is lost."""
    first = [address for address in addresses if address.version == addresses[0].version]
    other = [address for address in addresses if address.version != addresses[0].version]
    return [address for address in chain.from_iterable(zip_longest(first, other)) if address is not None]


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _ip(name: tuple[str, int] | tuple[str, int, int, int]) -> Address:
    return ip_address(name[0].partition("%")[0])
