"""Why a number can't send or receive, in words, and the settings that mend it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

import msgspec

from wagate.hooks.providers import Provider
from wagate.rules.targets import Standing
from wagate.storage.deliveries.target_list import TargetRow
from wagate.storage.refusals import RefusedRow
from wagate.storage.rows import AccountRow
from wagate.web.api.doctor import DoctorLine
from wagate.web.inbound.refusals import CHALLENGE, SIGNATURE
from wagate.web.ui.account_fields import SettingField, fields_of
from wagate.web.ui.words import sentence

VERIFY: Final = "webhook_verify_token"
"""Among a provider's ``common_keys``: what it shows in its handshake."""
BLOCKED: Final = re.compile(r"\b(?:blocked|locked|banned|restricted|limited because)\b", re.IGNORECASE)
"""In the reason of a provider: WhatsApp or it let the number do nothing."""
UNPAID: Final = re.compile(r"\b(?:payment|prepaid|credits?|balance)\b", re.IGNORECASE)
TOKEN: Final = "token"  # noqa: S105  (what a provider's check calls it)
BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong."""

    mark: tuple[str, str]
    """The mark's kind, and its word."""
    what: str
    reason: str
    """In the provider's words, and what it says to do."""
    since: datetime | None = None
    fields: tuple[SettingField, ...] = ()
    """Those that mend it."""
    secret: bool = False
    """Whether a new webhook secret mends it, rather than a setting."""


def troubles(
    row: AccountRow,
    provider: Provider,
    *,
    sending: TargetRow | None,
    stopped: bool,
    failing: Iterable[DoctorLine],
    refused: Iterable[RefusedRow],
) -> list[Trouble]:
    """All of a number's, but for what the panel to scan from says.

    ``stopped``: its provider lets it send nothing; ``failing``: what the doctor found, of everything.
    """
    found: list[Trouble] = []
    if not provider.listens:  # the phone's connection has a panel of its own
        if sending is not None and sending.standing is Standing.DOWN and sending.state.last_error:
            found.append(_sending(provider, sending, stopped=stopped))
        found += _doctor(row, provider, failing)
    return [*found, *(each for one in refused if one.in_a_row for each in _refused(provider, one))]


def mending(found: Iterable[Trouble]) -> tuple[SettingField, ...]:
    """The settings that mend all of it, each once, in their order."""
    return tuple({field.name: field for each in found for field in each.fields}.values())


def table_of(name: str) -> str:
    """A number's table in config.toml."""
    quoted = name if BARE.fullmatch(name) else msgspec.json.encode(name).decode()
    return f"[accounts.{quoted}]"


def _sending(provider: Provider, row: TargetRow, *, stopped: bool) -> Trouble:
    error = row.state.last_error or ""
    mark, fields = _judged(provider, error, token=stopped)
    what = f"{provider.title} lets it send nothing" if stopped else f"{provider.title} takes no messages"
    return Trouble(mark=mark, what=what, reason=sentence(error), since=row.state.down_since, fields=fields)


def _doctor(row: AccountRow, provider: Provider, failing: Iterable[DoctorLine]) -> Iterator[Trouble]:
    for line in failing:
        if line.part == f"account {row.name}" and line.level == "fail":
            told = f"{line.detail} {line.next_step}"
            mark, fields = _judged(provider, told, token=line.what == TOKEN, named=line.what.replace(" ", "_"))
            reason = " ".join(filter(None, (sentence(line.detail), sentence(line.next_step))))
            yield Trouble(mark=mark, what=f"The check of its {line.what} fails", reason=reason, fields=fields)


def _refused(provider: Provider, row: RefusedRow) -> Iterator[Trouble]:
    named = _named(provider, row.detail)
    if row.reason == CHALLENGE and not named:
        key = provider.common_keys.get(VERIFY, "")
        named = tuple(each for each in fields_of(provider) if each.name == key)
    if row.reason in {SIGNATURE, CHALLENGE}:
        yield Trouble(
            mark=("bad", "Refused"),
            what="Its webhooks are refused",
            reason=sentence(row.detail),
            since=row.first_at,
            fields=named,
            secret=not named and provider.challenge is None,
        )


def _judged(
    provider: Provider, told: str, *, token: bool, named: str = ""
) -> tuple[tuple[str, str], tuple[SettingField, ...]]:
    """The mark, and the settings that are named; if none is, and the token may be it, those it consists of."""
    fields = _named(provider, told, named)
    if not fields and BLOCKED.search(told):
        return ("bad", "Blocked by WhatsApp"), ()
    if not fields and token and not UNPAID.search(told):
        fields = _tokens(provider)
    refused = bool(fields) and all(each.kind == "secret" for each in fields)
    return ("bad", "Token refused" if refused else "Refused" if token else "Not working"), fields


def _named(provider: Provider, told: str, begins: str = "") -> tuple[SettingField, ...]:
    """Settings whose names stand in a text, or begin so. A single word is no name: "session" may mean anything."""
    two = begins if "_" in begins else None
    return tuple(
        each
        for each in fields_of(provider)
        if "_" in each.name
        and (re.search(rf"\b{re.escape(each.name)}\b", told) or (two is not None and each.name.startswith(two)))
    )


def _tokens(provider: Provider) -> tuple[SettingField, ...]:
    """The secrets by which it sends: those that are required, and what others call the API key."""
    key = provider.common_keys.get("api_key")
    return tuple(each for each in fields_of(provider) if each.kind == "secret" and (each.required or each.name == key))
