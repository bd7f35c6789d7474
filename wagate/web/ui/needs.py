"""What needs attention: sentences, worst first, each with the button that helps. A pure function of what is known."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import IntEnum
from itertools import groupby

import msgspec

from wagate.events import SESSION_STATES, SessionGroup
from wagate.hooks.watch import Need as NeedView
from wagate.outbound.context import OUTBOUND
from wagate.rules.targets import Standing
from wagate.storage.deliveries.target_list import TargetRow
from wagate.storage.refusals import RefusedRow
from wagate.storage.rows import AccountRow
from wagate.web.api.doctor import DoctorLine
from wagate.web.health import LEAST_FREE, Check, Level
from wagate.web.inbound.refusals import BODY, CHALLENGE, SIGNATURE
from wagate.web.ui import words
from wagate.web.ui.leaves import number_mark
from wagate.web.ui.outside import path

MOST = 8
"""Items on the page; then how many more there are."""
MANY_FAILED = 20
"""Failed for good in a day: more are worth a look, however much was delivered."""
MUCH = 0.01
"""Of what a receiver got in a day: if more of it failed for good, few are worth a look, too."""
NEW = timedelta(days=1)
"""A number that was never linked is about to be for so long; after that nobody wants it."""
IN_A_ROW = 3
"""Refused webhooks since the last accepted one: so many are no accident."""
CURES = {
    SIGNATURE: "Compare the secret here with the provider's.",
    CHALLENGE: "Compare the verify token here with the provider's.",
    BODY: "Is it the number's provider that posts them?",
}
"""Why webhooks are refused → what to look at."""
LITTLE_FREE = 1024**3
"""Bytes."""
OLD = timedelta(days=7)
"""A backup that is older needs somebody. Who never made one has other ways, as far as it is known here."""
DOCTOR = "/ui/doctor"
SEEN_BETTER = {"database", "redis", "disk", "sending", "receivers", "webhooks"}
"""Parts of the doctor's that another rule knows of, as they are now."""


class Weight(IntEnum):
    """The order of the items."""

    GATEWAY = 0
    DOWN = 1
    NUMBER = 2
    REFUSED = 3
    FAILED = 4
    DISABLED = 5
    DISK = 6
    BACKUP = 7
    DOCTOR = 8


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """One thing."""

    weight: Weight
    mark: tuple[str, str]
    """The mark's kind, and its word."""
    who: str
    link: str
    """The page about it."""
    state_link: str = ""
    """Likewise, for who sees no deliveries; '': the same."""
    what: str
    """After ``who``: "does not answer"."""
    detail: str
    """What waits, since when, what happens by itself, when something would be lost."""
    act: str = ""
    """The button's word; '' when there is only the page to go to."""
    post: str = ""
    """Where the button posts to."""
    mend: str = ""
    """Where the button leads, for who may act."""
    since: datetime | None = None


def needs(
    targets: Iterable[TargetRow],
    numbers: Iterable[AccountRow],
    checks: Iterable[tuple[str, Check]],
    *,
    free: int,
    recover: float,
    now: datetime,
    refused: Iterable[RefusedRow] = (),
    backup: datetime | None = None,
    failing: Iterable[DoctorLine] = (),
    stopped: Collection[str] = (),
    listening: Collection[str] = (),
) -> list[Need]:
    """All of them.

    ``free``: bytes on the disk; ``recover``: `delivery.recover` in seconds; ``backup``: the newest; ``failing``: what
    the doctor found; ``stopped``: ids of numbers whose provider lets them send nothing; ``listening``: providers by
    which phones are linked.
    """
    every = list(numbers)
    unlinked = [each for row in every for each in _number(row, now)]
    known = {each.who for each in unlinked}
    linked = {row.name for row in every if row.provider in listening}
    turned_away = {f"{OUTBOUND}:{row.id}": row.name for row in every if row.id in stopped and row.name not in known}
    found = [
        *_parts(checks),
        *(each for row in targets for each in _target(row, recover, now, turned_away, linked)),
        *unlinked,
        *_refused(refused),
        *_disk(free),
        *_backup(backup, now),
        *_doctor(failing, linked),
    ]
    return sorted(found, key=lambda each: (each.weight, each.who))


def heading(found: Sequence[Need]) -> str:
    """That four things need you, or that all is well."""
    if not found:
        return "All is well"
    count = words.number(len(found)).capitalize()
    return f"{count} thing{'s need' if len(found) > 1 else ' needs'} you"


def tab(found: Sequence[Need]) -> str:
    """The browser's tab: how many things, first, so that a narrow tab shows it."""
    return f"({len(found)}) Overview" if found else "Overview"


def key(found: Sequence[Need]) -> str:
    """The same as long as the same things need attention."""
    told = "\n".join(view(each).key for each in found)
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def view(need: Need) -> NeedView:
    """The same for plugins."""
    return NeedView(
        kind=need.weight.name.lower(),
        key=f"{need.weight.name.lower()} {need.who if need.link == DOCTOR else need.link}",
        who=need.who,
        what=need.what,
        detail=need.detail,
        page=need.link,
        since=need.since,
    )


def _parts(checks: Iterable[tuple[str, Check]]) -> Iterator[Need]:
    for name, check in checks:
        if check.status is not Level.HEALTHY and name not in {"providers", "receivers", "disk"}:
            yield Need(
                weight=Weight.GATEWAY,
                mark=("bad", "Broken") if check.status is Level.UNHEALTHY else ("wait", "Impaired"),
                who="A plugin" if name == "plugins" else f"wagate's {name}",
                link=DOCTOR,
                what="is not working properly" if name == "plugins" else "is unhealthy",
                detail=f"{check.detail[:1].upper()}{check.detail[1:]}.",
            )


def _target(
    row: TargetRow, recover: float, now: datetime, turned_away: Mapping[str, str], linked: Collection[str]
) -> Iterator[Need]:
    """``turned_away``: the names of numbers whose provider refuses them, by their target."""
    url, waits = f"/ui/receivers/{path(row.id)}", words.plural(row.waiting, "message")
    if row.standing is Standing.DOWN and row.state.down_since is not None:
        detail = f"{_sentence(row.state.last_error)} {waits} {'waits' if row.waiting == 1 else 'wait'}, in order."
        if recover and row.oldest_at is not None:
            lost = max(row.oldest_at, row.state.resumed_at or row.oldest_at) + timedelta(seconds=recover)
            left = (lost - now).total_seconds()
            detail += f" Nothing is lost for another {words.duration(left)}." if left > 0 else ""
        if row.id in turned_away:
            name = turned_away[row.id]
            yield _turned_away(name, _mends(name, linked), detail, row.state.down_since)
        else:
            yield Need(
                weight=Weight.DOWN,
                mark=words.TARGETS[Standing.DOWN],
                who=row.name,
                link=url,
                what="does not answer",
                detail=detail,
                act="Try now",
                post=f"{url}/probe",
                since=row.state.down_since,
            )
    elif row.standing is Standing.DISABLED and row.waiting:
        yield Need(
            weight=Weight.DISABLED,
            mark=words.TARGETS[Standing.DISABLED],
            who=row.name,
            link=url,
            what="is switched off, and messages wait for it",
            detail=f"{waits} {'waits' if row.waiting == 1 else 'wait'}. {_sentence(row.state.last_error)}",
        )
    if row.failed > MANY_FAILED or row.failed > MUCH * (row.failed + row.done):
        yield Need(
            weight=Weight.FAILED,
            mark=("wait", "Failing"),
            who=row.name,
            link=f"/ui/deliveries?state=lost&since=24h&target={path(row.id)}",
            state_link=url,
            what="did not accept some messages",
            detail=f"{words.plural(row.failed, 'message')} failed permanently in 24 hours. "
            f"{_sentence(row.state.last_error)}",
        )


def _mends(name: str, linked: Collection[str]) -> str:
    """Where a number is mended: a linked phone has no settings that do it, but a panel at the top of its page."""
    return f"/ui/numbers/{name}" if name in linked else f"/ui/numbers/{name}#trouble"


def _turned_away(name: str, mend: str, detail: str, since: datetime) -> Need:
    return Need(
        weight=Weight.NUMBER,
        mark=("bad", "Refused"),
        who=name,
        link=f"/ui/numbers/{name}",
        what="is refused by its provider",
        detail=detail,
        act="Mend it",
        mend=mend,
        since=since,
    )


def _number(row: AccountRow, now: datetime) -> Iterator[Need]:
    """One that was linked, or is new: who is never linked later is nobody's trouble."""
    facts = SESSION_STATES[row.status]
    wanted = row.ever_connected or now - row.created_at < NEW
    if not wanted or facts.group in {SessionGroup.CONNECTED, SessionGroup.LOADING}:
        return
    url = f"/ui/numbers/{row.name}"
    yield Need(
        weight=Weight.NUMBER,
        mark=number_mark(row),
        who=row.name,
        link=url,
        what="is not linked to its phone" if facts.group is not SessionGroup.ERROR else "was refused",
        detail=f"{_sentence(row.message)} It receives and sends nothing.".lstrip(),
        act="" if row.ever_connected else "Link it",
        mend="" if row.ever_connected else f"{url}/first",
        since=row.updated_at,
    )


def _refused(refused: Iterable[RefusedRow]) -> Iterator[Need]:
    """One for each number, whatever the reasons: none was accepted meanwhile."""
    for name, rows in groupby(sorted(refused, key=lambda row: row.account), key=lambda row: row.account):
        every = [row for row in rows if row.in_a_row]
        count = sum(row.in_a_row for row in every)
        if count >= IN_A_ROW:
            last = max(every, key=lambda row: row.last_at)
            mends = any(row.reason != BODY for row in every)
            yield Need(
                weight=Weight.REFUSED,
                mark=("bad", "Refused"),
                who=name,
                link=f"/ui/numbers/{name}",
                what="gets webhooks that are refused",
                detail=" ".join(filter(None, (f"{count:,} in a row.", _sentence(last.detail), CURES[last.reason]))),
                act="Mend it" if mends else "",
                mend=_mends(name, ()) if mends else "",
                since=min(row.first_at for row in every),
            )


def _disk(free: int) -> Iterator[Need]:
    if free < LITTLE_FREE:
        yield Need(
            weight=Weight.DISK if free >= LEAST_FREE else Weight.GATEWAY,
            mark=("wait", "Little room") if free >= LEAST_FREE else ("bad", "Disk full"),
            who="This machine's disk",
            link="/ui/system",
            what="is nearly full",
            detail=f"{free // 1024**2} MiB are free. Without room, webhooks are answered 503, "
            "so their senders keep them.",
        )


def _backup(made: datetime | None, now: datetime) -> Iterator[Need]:
    if made is not None and now - made > OLD:
        yield Need(
            weight=Weight.BACKUP,
            mark=("wait", "Old"),
            who="The newest backup",
            link="/ui/system",
            what=f"is {words.duration((now - made).total_seconds())} old",
            detail="What came in since is in no backup. Check why wagate backup does not run.",
            since=made,
        )


def _doctor(failing: Iterable[DoctorLine], linked: Collection[str]) -> Iterator[Need]:
    """One for each part: the first line says enough to go and look."""
    for part, lines in groupby(failing, key=lambda each: each.part):
        first, *more = lines
        if part not in SEEN_BETTER:
            number = part.removeprefix("account ") if part.startswith("account ") else ""
            others = f" And {words.plural(len(more), 'thing')} more." if more else ""
            yield Need(
                weight=Weight.DOCTOR,
                mark=("bad", "FAIL"),
                who=f"{part[:1].upper()}{part[1:]}",
                link=DOCTOR,
                act="Mend it" if number else "",
                mend=_mends(number, linked) if number else "",
                what="does not work, according to the doctor",
                detail=f"{_sentence(f'{first.what}: {first.detail}')} {_sentence(first.next_step)}".rstrip() + others,
            )


def _sentence(text: str | None) -> str:
    if not text:
        return ""
    text = text[:1].upper() + text[1:200].rstrip(".")
    return text if text.endswith(("?", "!")) else f"{text}."
