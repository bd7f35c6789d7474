"""What a webhook may set for itself. A new option is a field here, and a line wherever it counts.

Stored as one JSON document, of which the core reads nothing: what was set, and the version of its form.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from wagate.errors import StorageError, UnprocessableError
from wagate_webhook.payload import FLAT, FORMATS

Check = Callable[[Any], Any]
"""The value as it is stored. ValueError: what is wrong, with the cure."""
Crypt = Callable[[str], str]

UPGRADES: tuple[Callable[[dict[str, Any]], dict[str, Any]], ...] = ()
"""From each version to the next, where adding a field with a default is not enough."""

LONGEST_TIMEOUT = 60
SLOWEST, FASTEST = 0.01, 1000
MOST_HEADERS = 20
LONGEST_HEADER = 4096

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_OURS = frozenset(
    (
        "host",
        "content-length",
        "content-type",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "user-agent",
    )
)
_OUR_PREFIXES = ("webhook-", "x-webhook-")


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """Options that answers show."""

    format: Annotated[str, Meta(description="Shape of the body.", extra_json_schema={"enum": list(FORMATS)})] = FLAT
    timeout: (
        Annotated[
            float,
            Meta(
                description="Seconds that one attempt may take; null: `delivery.timeout`.",
                extra_json_schema={"minimum": 1, "maximum": LONGEST_TIMEOUT},
            ),
        ]
        | None
    ) = None
    rate: (
        Annotated[
            float,
            Meta(
                description="Requests a second at most; null: no limit. Requests over it wait.",
                extra_json_schema={"minimum": SLOWEST, "maximum": FASTEST},
            ),
        ]
        | None
    ) = None
    burst: (
        Annotated[
            int,
            Meta(
                description="Requests that may be sent at once after a pause, with `rate`; null: 1.",
                extra_json_schema={"minimum": 1, "maximum": FASTEST},
            ),
        ]
        | None
    ) = None
    retry_not_found: (
        Annotated[
            bool, Meta(description="Whether a 404 is treated like a receiver that is down; null: only n8n's 404.")
        ]
        | None
    ) = None


class Options(Shown, frozen=True, kw_only=True):
    """All options."""

    headers: Annotated[dict[str, str], Meta(description="Headers sent with every delivery; never shown again.")] = {}


DEFAULTS = Options()
SEALED = frozenset({"headers"})
"""Those that are stored encrypted."""


def read_shown(stored: Mapping[str, Any]) -> Shown:
    """What is stored, without what is encrypted in it. StorageError: by a newer version."""
    return msgspec.convert(upgraded(stored), Shown)


def read_options(stored: Mapping[str, Any], decrypt: Crypt) -> Options:
    """What is stored. StorageError: by a newer version."""
    plain = upgraded(stored)
    sealed = {name: msgspec.json.decode(decrypt(plain[name])) for name in SEALED if plain.get(name)}
    return msgspec.convert({name: value for name, value in plain.items() if name not in SEALED} | sealed, Options)


def to_store(given: Mapping[str, Any], encrypt: Crypt, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Options as they are laid over those stored ``before``. None takes one away, so that its default counts again."""
    current = upgraded(before or {})
    gone = {name: None for name in before or {} if name not in current}
    return gone | current | {name: _kept(name, value, encrypt) for name, value in given.items()}


def _kept(name: str, value: Any, encrypt: Crypt) -> Any:
    if value == getattr(DEFAULTS, name):
        return None
    return encrypt(msgspec.json.encode(value).decode()) if name in SEALED and value is not None else value


def check_together(given: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """Whether given options make sense beside those stored. UnprocessableError."""
    if given.get("burst") is not None and {**before, **given}.get("rate") is None:
        raise UnprocessableError("burst: works only with a rate; set rate as well", field="burst")


def upgraded(stored: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored, in the newest form. StorageError: a newer version stored it."""
    version = stored.get("version", 1)
    if version > len(UPGRADES) + 1:
        raise StorageError(f"a newer wagate stored the options of this webhook (version {version}): install that one")
    options = dict(stored)
    for upgrade in UPGRADES[version - 1 :]:
        options = upgrade(options)
    return options | {"version": len(UPGRADES) + 1}


def form(value: str) -> str:
    """One of `wagate_webhook.payload.FORMATS`."""
    if value not in FORMATS:
        near = difflib.get_close_matches(value, FORMATS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"the format is one of {', '.join(FORMATS)}{hint}")
    return value


def between(least: float, most: float, cure: str) -> Check:
    """The check of a number; ``cure`` is the rest of the refusal."""

    def check(value: float) -> float:
        if not least <= value <= most:
            raise ValueError(f"give {least} to {most} {cure}")
        return value

    return check


def either(value: bool) -> bool:
    """A yes or a no: its type says it all."""
    return value


def headers(value: Mapping[str, str]) -> dict[str, str]:
    """Headers of the caller's own, that don't touch ours."""
    if len(value) > MOST_HEADERS:
        raise ValueError(f"at most {MOST_HEADERS} headers")
    seen = set()
    for title, text in value.items():
        low = title.lower()
        if not _TOKEN.fullmatch(title):
            raise ValueError(f"{title[:50]!r} is not a header name; use letters, digits and hyphens")
        if low in _OURS or low.startswith(_OUR_PREFIXES):
            raise ValueError(f"{title} is set by the gateway; remove it")
        if low in seen:
            raise ValueError(f"{title} is given twice")
        if len(text) > LONGEST_HEADER or not text.isascii() or not text.isprintable() or text != text.strip():
            # The value may be a credential: it is not repeated.
            raise ValueError(f"the value of {title} must be plain printable ASCII, at most {LONGEST_HEADER} characters")
        seen.add(low)
    return dict(value)


CHECKS: dict[str, Check] = {
    "format": form,
    "timeout": between(1, LONGEST_TIMEOUT, "seconds, or null for delivery.timeout"),
    "rate": between(SLOWEST, FASTEST, "requests a second (0.5 is one every two), or null for no limit"),
    "burst": between(1, FASTEST, "requests that may go at once, or null for 1"),
    "retry_not_found": either,
    "headers": headers,
}
