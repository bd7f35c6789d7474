"""What a webhook's fields may hold: each check returns the value as stored, or raises ValueError with the cure.

Secrets rotate: the newest signs from now on, those before it one day more.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from wagate.errors import FieldError, UnprocessableError
from wagate.events import EVENT_KINDS
from wagate.events.kinds import GROUP_PREFIX
from wagate.hooks import Duration, EndpointSecret
from wagate.http.errors import BadSecretError, HttpError
from wagate.http.signing import is_plain, parse_secret
from wagate_webhook.deliver import EVERY
from wagate_webhook.options import CHECKS, Check

MOST_EVENTS = 100
MOST_METADATA = 16 * 1024
EVER = timedelta(days=3650)

_NUMBER = re.compile(r"\+?[\d\s().\-]+", re.ASCII)
_JID = "@c.us"
_GROUP_EVENT = re.compile(r"group\.(\*|[a-z0-9_.]{1,60})")
OVERLAP = timedelta(hours=24)
MOST = 10
"""Secrets that sign at once: each lengthens the header."""


async def checked(
    fields: Mapping[str, Any], checks: Mapping[str, Check], check_url: Callable[[str], Any]
) -> dict[str, Any]:
    """The fields as they are stored. ``check_url`` says whether a request to the URL would be allowed (async).

    Raises:
        UnprocessableError: one entry for every field that is wrong.
    """
    values: dict[str, Any] = {}
    errors = []
    for name, value in fields.items():
        try:
            values[name] = checks[name](value) if name in checks and value is not None else value
        except ValueError as error:
            errors.append(FieldError(field=name, detail=str(error)))
    if "webhook_url" in fields:
        try:
            await check_url(fields["webhook_url"])
        except HttpError as error:
            errors.append(FieldError(field="webhook_url", detail=error.reason))
    if errors:
        raise UnprocessableError("; ".join(f"{each.field}: {each.detail}" for each in errors), errors=tuple(errors))
    return values


def checks_for(is_account: Callable[[str], bool]) -> dict[str, Check]:
    """The checks by field; ``is_account`` says whether the owner has an account of this name."""
    return {
        **CHECKS,
        "phone_number": lambda value: phone_number(value, is_account),
        "name": name,
        "events": events,
        "metadata": metadata,
        "secret": secret,
    }


def phone_number(value: str, is_account: Callable[[str], bool]) -> str:
    """``*``, the name of an account of the owner, or a number: its digits."""
    text = value.strip()
    if text == EVERY or is_account(text):
        return text
    written = text.removesuffix(_JID)
    digits = re.sub(r"\D", "", written)
    if _NUMBER.fullmatch(written) and 5 <= len(digits) <= 15:
        return digits
    raise ValueError('give our number in digits with its country code ("5511888888888"), an account\'s name, or "*"')


def name(value: str) -> str:
    """Tells several webhooks of one number apart."""
    if len(value) > 100 or not value.isprintable():
        raise ValueError("a name has at most 100 printable characters")
    return value


def events(value: Sequence[str]) -> list[str]:
    """Known event names, each once."""
    if not 1 <= len(value) <= MOST_EVENTS:
        raise ValueError(f'name 1 to {MOST_EVENTS} events, like "message"; "*" is all but message.any')
    for each in value:
        if each != "*" and each not in EVENT_KINDS and not _GROUP_EVENT.fullmatch(each):
            raise ValueError(_unknown_event(each))
    return list(dict.fromkeys(value))


def metadata(value: dict[str, Any]) -> dict[str, Any]:
    """Anything of the owner's own, kept with the webhook."""
    if len(msgspec.json.encode(value)) > MOST_METADATA:
        raise ValueError(f"at most {MOST_METADATA // 1024} KiB as JSON")
    return value


def secret(value: str) -> str:
    """A Standard Webhooks secret, or a plain key (`plain_only_for_waha`)."""
    try:
        if not is_plain(value):
            parse_secret(value)
    except BadSecretError as error:
        raise ValueError(str(error)) from error
    return value


def plain_only_for_waha(secrets: Sequence[str], form: str) -> None:
    """WAHA's receivers check with any key, those of Standard Webhooks only with theirs. UnprocessableError."""
    if form != "waha" and any(map(is_plain, secrets)):
        cure = (
            "a secret is whsec_ followed by base64 of 24 to 64 random bytes; only the format waha takes any other key"
        )
        raise UnprocessableError(f"secret: {cure}", errors=(FieldError(field="secret", detail=cure),))


def _unknown_event(given: str) -> str:
    near = difflib.get_close_matches(given, sorted(EVENT_KINDS), n=1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(EVENT_KINDS))}, {GROUP_PREFIX}*, *"
    return f"no event is called {given[:60]!r}; {hint}"


def seconds_back(since: str | None, *, now: datetime) -> float:
    """A time (RFC 3339) or a length of time (``24h``) → seconds before ``now``; None → ten years.

    Raises:
        UnprocessableError: it is neither, or lies in the future.
    """
    if since is None:
        return EVER.total_seconds()
    seconds = _length(since)
    if seconds is None:
        seconds = _ago(since, now)
    if seconds is None or seconds < 0:
        cure = "since is a past time like 2025-09-10T10:30:00Z, or how long ago, like 24h"
        raise UnprocessableError(cure, field="?since")
    return min(seconds, EVER.total_seconds())


def _length(text: str) -> float | None:
    try:
        return float(Duration(text))
    except ValueError:
        return None


def _ago(text: str, now: datetime) -> float | None:
    try:
        # In a query a plus sign means a space.
        moment = datetime.fromisoformat(text.replace(" ", "+") if text.count(":") > 2 else text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (now - aware).total_seconds()


def rotated(secrets: Sequence[EndpointSecret], new: str, *, now: datetime) -> list[EndpointSecret]:
    """The secrets after a rotation: ``new`` first, those still live end in 24 h at the latest, ended ones are gone."""
    end = now + OVERLAP
    before = [
        replace(each, expires_at=min(each.expires_at or end, end))
        for each in secrets
        if (each.expires_at is None or each.expires_at > now) and each.secret != new
    ]
    return [EndpointSecret(secret=new), *before[: MOST - 1]]
