"""What the types can't say: values that must fit each other or the outside world."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from wagate.config.problems import Key, Problems, near
from wagate.config.tables import Delivery, Server, Tables

_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
SHORTEST_SECRET: Final = 16
"""Characters of every secret that people think of themselves."""
_DATABASES: Final = ("postgresql", "postgres", "sqlite")
_REDISES: Final = ("redis", "rediss", "unix", "redis+sentinel", "redis+cluster", "rediss+cluster")
_PROXIES: Final = ("http", "https", "socks5", "socks5h")


def check(tables: Tables, folder: Path, problems: Problems) -> Tables:
    """The tables with their paths made absolute (from ``folder``) and URLs trimmed; faults go to ``problems``."""
    _check_keys(tables.auth.secret_key, problems)
    _check_secret(tables.auth.admin_token, ("auth", "admin_token"), problems)
    _check_url(tables.database.url, ("database", "url"), _DATABASES, problems)
    _check_url(tables.redis.url, ("redis", "url"), _REDISES, problems)
    _check_delivery(tables.delivery, problems)
    if tables.limits.body_bytes < 2 * tables.server.max_body:
        problems.add(("limits", "body_bytes"), "must be at least twice server.max_body")
    if tables.queue.lease < 1:
        problems.add(("queue", "lease"), f'must be at least "1s", not "{tables.queue.lease}"')
    data = msgspec.structs.replace(tables.data, dir=(folder / tables.data.dir.expanduser()).resolve())
    return msgspec.structs.replace(tables, server=_checked_server(tables.server, folder, problems), data=data)


def _checked_server(server: Server, folder: Path, problems: Problems) -> Server:
    if not (_is_address(server.host) or _HOST.fullmatch(server.host)):
        problems.add(("server", "host"), "must be a host name or an address, without scheme or port")
    _check_networks(server.trusted_proxies, ("server", "trusted_proxies"), problems)
    _check_public_url(server.public_url, problems)
    for origin in server.cors_origins:
        if origin != "*" and not re.fullmatch(r"https?://[^/\s?#@]+", origin):
            problems.add(
                ("server", "cors_origins"), f'"{origin}" is not an origin; write "https://app.example.org", or "*"'
            )
    if bool(server.certfile) != bool(server.keyfile):
        given, missing = ("certfile", "keyfile") if server.certfile else ("keyfile", "certfile")
        problems.add(("server", missing), f"is missing; server.{given} needs it")
    paths: dict[str, str] = {}
    for name in ("certfile", "keyfile"):
        if value := getattr(server, name):
            paths[name] = str(folder / Path(value).expanduser())
            if not Path(paths[name]).is_file():
                problems.add(("server", name), f"there is no file {paths[name]}")
    return msgspec.structs.replace(server, public_url=server.public_url.rstrip("/"), **paths)


def _check_delivery(delivery: Delivery, problems: Problems) -> None:
    _check_networks(delivery.allow_networks, ("delivery", "allow_networks"), problems)
    _check_url(delivery.proxy, ("delivery", "proxy"), _PROXIES, problems)
    if not delivery.timeout:
        problems.add(("delivery", "timeout"), 'must be more than "0s"')
    if delivery.max_delay < 1:
        problems.add(("delivery", "max_delay"), f'must be at least "1s", not "{delivery.max_delay}"')


def _check_public_url(url: str, problems: Problems) -> None:
    if not url:
        return
    try:
        parts = urlsplit(url)
        wrong = parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0
    except ValueError:
        wrong = True
    if wrong or parts.username is not None or parts.path not in {"", "/"} or parts.query or parts.fragment:
        problems.add(("server", "public_url"), 'must be scheme and host alone, as in "https://wa.example.org"')


def _check_url(url: str, key: Key, schemes: tuple[str, ...], problems: Problems) -> None:
    """Names the scheme at most: such a URL may hold a password."""
    if not url:
        return
    scheme = url.partition("://")[0] if "://" in url else ""
    if scheme not in schemes:
        close = near(scheme, schemes) if scheme else None
        hint = f"; did you mean {close}://?" if close else ""
        problems.add(key, f"must begin with {', '.join(f'{known}://' for known in schemes)}{hint}")


def _check_networks(networks: list[str], key: Key, problems: Problems) -> None:
    for place, text in enumerate(networks):
        try:
            ipaddress.ip_network(text)
        except ValueError as error:
            cure = ""
            if "host bits" in str(error):
                cure = f'; did you mean "{ipaddress.ip_network(text, strict=False)}"?'
            problems.add(
                (key[0], f"{key[1]}[{place}]"), f'"{text}" is not an address or network such as "10.0.0.0/8"{cure}'
            )


def _check_keys(secret_key: str | list[str], problems: Problems) -> None:
    for text in [secret_key] if isinstance(secret_key, str) else secret_key:
        _check_secret(text, ("auth", "secret_key"), problems)


def _check_secret(text: str, key: Key, problems: Problems) -> None:
    if text and len(text) < SHORTEST_SECRET:
        problems.add(key, f"is too short; take at least {SHORTEST_SECRET} characters")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
