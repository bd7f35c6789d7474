"""Which addresses may be dialled: the guard against requests to the inside (SSRF). Pure; fails closed.

The lists are our own, because ``ipaddress.is_global`` calls multicast, NAT64, 6to4 and others public, differently in
each Python version. Sources: RFC 6890 and the IANA special-purpose registries; the cloud vendors' metadata pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal

import msgspec

from wagate.errors import ConfigError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Trust = Literal["public", "operator"]
"""Who wrote the URL: anyone by API (the whole guard), or the operator in the config file (metadata only)."""

_DENIED_V4 = {
    IPv4Network("0.0.0.0/8"): "this host",
    IPv4Network("10.0.0.0/8"): "private",
    IPv4Network("100.64.0.0/10"): "shared address space",
    IPv4Network("127.0.0.0/8"): "loopback",
    IPv4Network("169.254.0.0/16"): "link-local",
    IPv4Network("172.16.0.0/12"): "private",
    IPv4Network("192.0.0.0/24"): "reserved",
    IPv4Network("192.0.2.0/24"): "documentation",
    IPv4Network("192.88.99.0/24"): "6to4 relay",
    IPv4Network("192.168.0.0/16"): "private",
    IPv4Network("198.18.0.0/15"): "benchmarking",
    IPv4Network("198.51.100.0/24"): "documentation",
    IPv4Network("203.0.113.0/24"): "documentation",
    IPv4Network("224.0.0.0/4"): "multicast",
    IPv4Network("240.0.0.0/4"): "reserved",
}
_GLOBAL_V6 = IPv6Network("2000::/3")
_DENIED_V6 = {
    IPv6Network("2001::/32"): "Teredo",
    IPv6Network("2001:2::/48"): "benchmarking",
    IPv6Network("2001:10::/28"): "ORCHID",
    IPv6Network("2001:20::/28"): "ORCHIDv2",
    IPv6Network("2001:db8::/32"): "documentation",
    IPv6Network("2002::/16"): "6to4",
    IPv6Network("3fff::/20"): "documentation",
}
_WEB = frozenset({80, 443})
"""Ports at which a machine serves everybody, other sites beside us, too."""
_METADATA = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Azure, Google, DigitalOcean, Hetzner and most others
        "169.254.170.2",  # AWS ECS credentials
        "169.254.170.23",  # AWS EKS credentials
        "fd00:ec2::254",
        "fd00:ec2::23",
        "168.63.129.16",  # Azure WireServer
        "100.100.100.200",  # Alibaba
        "192.0.0.192",  # Oracle
        "169.254.0.23",  # Tencent
        "169.254.42.42",  # Scaleway
        "fd20:ce::254",  # Google over IPv6
    )
)
# Where an IPv6 address carries an IPv4 one: (network, bits to its right).
_EMBEDDED = (
    (IPv6Network("::/96"), 0),
    (IPv6Network("::ffff:0:0:0/96"), 0),
    (IPv6Network("64:ff9b::/96"), 0),
    (IPv6Network("2002::/16"), 80),
)


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    """The judgement on one address and port."""

    allow_networks: tuple[Network, ...] = ()
    """Exempt from the public guard (``delivery.allow_networks``). Metadata and our own listener are never exempt."""
    listening: tuple[tuple[str, int], ...] = ()
    """(host, port) pairs on which this process itself listens, so that no webhook can call back into it."""
    public: tuple[str, int] | None = None
    """(host, port) of ``server.public_url``: the same, by the name that the world knows."""

    def refusal(self, address: Address, port: int, trust: Trust) -> str | None:
        """Why this address may not be dialled, in words for the operator; None when it may."""
        address, inner = unmap(address), embedded(address)
        if address in _METADATA or inner in _METADATA:
            return f"{address} is a cloud metadata address"
        if trust == "operator":
            return None
        if self._is_listener(address, port):
            return f"{address} port {port} is this gateway itself"
        if inner is not None and not self._is_public(inner):
            return f"{address} carries {inner} ({_kind(inner)})"
        if not self._is_public(address):
            return f"{address} is not public ({_kind(address)}); delivery.allow_networks can exempt its network"
        return None

    def is_ourselves(self, local: Address, peer: Address, port: int) -> bool:
        """Judge a connection that stands: it leads from one address to the same one, at a port of ours or an inner one.

        This finds our own listener, and what else this machine keeps for itself, under any address of the machine
        without a list of them.
        """
        peer = unmap(peer)
        if unmap(local) != peer:
            return False
        return any(port == own for _, own in self.listening) or self.is_inner(peer, port)

    def is_inner(self, own: Address, port: int) -> bool:
        """Whether a port of an address of our own is nobody else's business: all but the web's are."""
        return port not in _WEB and not any(own in network for network in self.allow_networks)

    def is_public_door(self, host: str, port: int) -> bool:
        """Whether this is where the world reaches this gateway."""
        return (host, port) == self.public

    def _is_public(self, address: Address) -> bool:
        return _kind(address) is None or any(address in network for network in self.allow_networks)

    def _is_listener(self, address: Address, port: int) -> bool:
        here = address.is_loopback or address.is_unspecified
        return any(port == own and (here or str(address) == host) for host, own in self.listening)


def parse_networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Read ``delivery.allow_networks``.

    Raises:
        ConfigError: one is no CIDR network.
    """
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError as error:
        raise ConfigError(f"delivery.allow_networks: {error}; write networks like 10.0.0.0/8 or fd00::/8") from error


def unmap(address: Address) -> Address:
    """``::ffff:1.2.3.4`` is 1.2.3.4; a zone id is dropped."""
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address))


def embedded(address: Address) -> IPv4Address | None:
    """The IPv4 address inside a translated (NAT64, SIIT), compatible or 6to4 IPv6 address."""
    if isinstance(address, IPv6Address):
        for network, shift in _EMBEDDED:
            if address in network and int(address) > 1:
                return IPv4Address((int(address) >> shift) & 0xFFFFFFFF)
    return None


def _kind(address: Address) -> str | None:
    """Why an address is not public; None when it is."""
    denied: dict[IPv4Network, str] | dict[IPv6Network, str] = _DENIED_V4
    if isinstance(address, IPv6Address):
        if address not in _GLOBAL_V6:
            return "loopback" if address.is_loopback else "outside of 2000::/3"
        denied = _DENIED_V6
    return next((kind for network, kind in denied.items() if address in network), None)
