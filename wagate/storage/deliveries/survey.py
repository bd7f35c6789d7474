"""All targets at one glance: how many there are and how they are, those that need somebody, and some of the worst.

What is counted and put in order is the database's; of ten thousand targets those alone are read that somebody sees.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import peewee

from wagate.rules.targets import Standing
from wagate.storage.deliveries.target_list import (
    FAILED,
    LATELY,
    STANDING,
    STATE,
    WAITING,
    TargetRow,
    order_of,
    set_state,
    within,
)
from wagate.storage.fields import as_time, time_text
from wagate.storage.owners.revision import revision
from wagate.storage.statement import first_id, placeholders, rows, slices

WORST = (Standing.DOWN, Standing.FAILING, Standing.DISABLED, Standing.PAUSED, Standing.UP)
"""The order of receivers."""
_HOUR = 3600
"""Seconds of the longer buckets of `wagate.storage.minutes`, which imports this module."""
SENDING = "outbound:"
"""How the targets begin that are no receivers: what waits there leaves by our numbers."""

_RANK = "CASE standing {} END".format(" ".join(f"WHEN '{each}' THEN {rank}" for rank, each in enumerate(WORST)))
_URGENT = "standing = 'down' OR failed > 0 OR (waiting > 0 AND (sends OR standing = 'disabled'))"
_SENDS = f"substr({{id}}, 1, {len(SENDING)}) = '{SENDING}'"
_HOOK = "w.connector || ':' || w.id"
_LONE = f"""
SELECT t.id, t.client_id FROM targets AS t WHERE NOT {_SENDS.format(id="t.id")} AND NOT EXISTS (
  SELECT 1 FROM webhooks AS w WHERE w.connector = t.handler AND w.id = substr(t.id, length(t.handler) + 2)
) ORDER BY t.id{{order}}
"""  # noqa: S608  (our own words)
# Busy are those that are not up, that have a figure, and those asked for by name. All others are alike, and come last.
_OWED_BY = (
    "CASE WHEN w.id IS NULL AND t.id IS NULL THEN (SELECT MIN(d.client_id) FROM deliveries AS d "
    "WHERE d.target_id = b.id AND d.settled = FALSE AND d.seq > 0) END"
)
_KNOWN = "w.id IS NOT NULL OR t.id IS NOT NULL OR a.target IS NOT NULL"
_MINE = (
    "w.client_id = (SELECT client FROM me) OR (w.id IS NULL AND (t.client_id = (SELECT client FROM me) "
    "OR (t.client_id IS NULL AND a.target IS NOT NULL)))"
)
_BUSY = f"""
WITH me (client) AS (SELECT CAST(? AS INTEGER)), waits (target, waiting, oldest_at) AS ({WAITING}),
fails (target, failed) AS ({FAILED}), named (id) AS (VALUES {{named}}), busy (id) AS (
  SELECT t.id FROM targets AS t WHERE (t.status = 'disabled' OR t.paused_at IS NOT NULL OR t.down_since IS NOT NULL
    OR t.failing_since IS NOT NULL) AND {{or_nobodys}}
  UNION SELECT {_HOOK} FROM webhooks AS w WHERE w.is_active = FALSE AND {{own}}
  UNION SELECT target FROM waits UNION SELECT target FROM fails UNION SELECT id FROM named
)"""  # noqa: S608  (our own words)
_SURVEY = f"""
{_BUSY}, every AS (
  SELECT b.id, COALESCE(w.client_id, t.client_id, {{whose}}) AS client_id, COALESCE(w.name, '') AS name,
    COALESCE(w.webhook_url, '') AS url, COALESCE(w.is_active, TRUE) AS active,
    {STANDING.format(off="w.is_active = FALSE OR")} AS standing, COALESCE(a.waiting, 0) AS waiting, a.oldest_at,
    COALESCE(f.failed, 0) AS failed, {_SENDS.format(id="b.id")} AS sends,
    CASE WHEN w.id IS NULL AND {{unknown}} THEN 1 ELSE 0 END AS fresh
  FROM busy AS b LEFT JOIN webhooks AS w ON w.id = substr(b.id, {{within}}(b.id, ':') + 1) AND {_HOOK} = b.id
  LEFT JOIN targets AS t ON t.id = b.id LEFT JOIN waits AS a ON a.target = b.id LEFT JOIN fails AS f ON f.target = b.id
  WHERE {{mine}}
), shown AS (
  SELECT id FROM every WHERE NOT sends ORDER BY {_RANK}, failed DESC, waiting DESC, name{{order}}, id{{order}}
  LIMIT ? OFFSET ?
), parts AS (
  SELECT client_id, CASE WHEN sends THEN 0 ELSE fresh END AS targets, CASE WHEN sends THEN 0 ELSE 1 END AS busy,
    CASE WHEN sends OR standing = 'up' THEN 0 ELSE 1 END AS ill, CASE WHEN sends THEN 0 ELSE waiting END AS waits,
    CASE WHEN NOT sends THEN oldest_at END AS oldest, CASE WHEN sends THEN 0 ELSE failed END AS fails,
    CASE WHEN sends THEN waiting ELSE 0 END AS leaving
  FROM every
  UNION ALL
  SELECT w.client_id, COUNT(*), 0, 0, 0, NULL, 0, 0 FROM webhooks AS w WHERE {{own}} GROUP BY w.client_id
)
SELECT id, client_id, name, url, active, waiting, oldest_at, failed, id IN (SELECT id FROM shown),
  NULL, NULL, NULL, NULL
FROM every WHERE id IN (SELECT id FROM shown) OR id IN (SELECT id FROM named) OR {_URGENT}
UNION ALL
SELECT NULL, {{apart}} AS whose, NULL, NULL, NULL, SUM(waits), MIN(oldest), SUM(fails), NULL,
  SUM(targets), SUM(ill), SUM(leaving), SUM(busy)
FROM parts GROUP BY whose
"""  # noqa: S608  (our own words)
_QUIET = f"""
{_BUSY}, hooks AS (
  SELECT {_HOOK} AS id, w.client_id AS client_id, w.name AS name, w.webhook_url AS url FROM webhooks AS w
  WHERE {{own}} AND {_HOOK} NOT IN (SELECT id FROM busy) ORDER BY w.name{{order}}, ({_HOOK}){{order}} LIMIT ?
)
SELECT id, client_id, name, url FROM hooks
UNION ALL
SELECT b.id, NULL, NULL, NULL FROM busy AS b
WHERE NOT EXISTS (SELECT 1 FROM webhooks AS w WHERE w.id = substr(b.id, {{within}}(b.id, ':') + 1) AND {_HOOK} = b.id)
"""  # noqa: S608  (our own words)


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Of all receivers."""

    count: int = 0
    up: int = 0
    waiting: int = 0
    oldest_at: datetime | None = None
    """When the oldest delivery that waits was stored."""
    failed: int = 0
    """For good, in 24 hours."""
    leaving: int = 0
    """Messages that wait to be sent, which are no receiver's."""


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of all targets, and of some."""

    totals: Totals
    shown: Sequence[TargetRow]
    """Receivers, worst first: the part that was asked for."""
    urgent: Sequence[TargetRow]
    """Targets that may need somebody, and numbers from which something waits to leave."""


class Glance(msgspec.Struct, frozen=True, kw_only=True):
    """What all open pages need at one moment."""

    totals: Mapping[int | None, Totals]
    """By client; None: of all."""
    named: Mapping[str, TargetRow]
    """Those that were asked for, by id."""
    urgent: Sequence[TargetRow]
    """As in `Survey`."""


class LoneReceivers:
    """Receivers without an endpoint of their own: read again only when endpoints or the number of targets changed."""

    def __init__(self) -> None:
        self._known: tuple[object, list[tuple[str, int | None]]] = (None, [])

    def read(self, db: peewee.Database) -> Sequence[tuple[str, int | None]]:
        """Ids, in their order, each with the client whose it is."""
        ((targets,),) = rows(db, "SELECT COUNT(*) FROM targets")
        key, (known, found) = (revision(db), targets), self._known
        if known != key:  # Looking each target up among the endpoints takes most of the time of a survey.
            found = [(id_, client) for id_, client in rows(db, _LONE.format(order=order_of(db)))]
            self._known = key, found
        return found


def survey_targets(
    db: peewee.Database,
    now: datetime,
    *,
    client_id: int | None = None,
    begin: int = 0,
    most: int,
    lone: LoneReceivers | None = None,
) -> Survey:
    """Of one client, or of all; of the receivers, worst first, so many from behind the first ``begin``.

    ``lone``: what was found when it was asked before.
    """
    asked = _Asked(db, now, client_id, lone=lone)
    found, sums = asked.look(begin, most)
    busy = sum(each.busy for each in sums.values())
    shown = sorted((row for row, is_shown in found if is_shown), key=worst)
    if len(shown) < most:
        shown += asked.quiet(max(0, begin - busy), most - len(shown))
    return Survey(totals=_added(sums.values()), shown=shown, urgent=[row for row, _ in found if is_urgent(row)])


def glance(
    db: peewee.Database, now: datetime, ids: Iterable[str], clients: Iterable[int], *, lone: LoneReceivers | None = None
) -> Glance:
    """The totals of these clients and of all, these targets, and all that may need somebody."""
    found, sums = _Asked(db, now, None, named=sorted({*ids}), clients=sorted({*clients}), lone=lone).look(0, 0)
    read = [row for row, _ in found]
    totals: dict[int | None, Totals] = {client: _added([each]) for client, each in sums.items()}
    totals[None] = _added(sums.values())
    return Glance(totals=totals, named={row.id: row for row in read}, urgent=[row for row in read if is_urgent(row)])


class _Sums(msgspec.Struct, frozen=True):
    """Of the receivers of one client, or of many, as the database adds them up."""

    waiting: int = 0
    oldest_at: datetime | None = None
    failed: int = 0
    count: int = 0
    ill: int = 0
    """Not up."""
    leaving: int = 0
    busy: int = 0
    """Not up, or with a figure."""


class _Asked:
    """One question, in the database's words."""

    def __init__(
        self,
        db: peewee.Database,
        now: datetime,
        client_id: int | None,
        *,
        named: Sequence[str] = (),
        clients: Sequence[int] = (),
        lone: LoneReceivers | None,
    ) -> None:
        found = (LoneReceivers() if lone is None else lone).read(db)
        self._lone = [(id_, client) for id_, client in found if client_id in {None, client}]
        every = client_id is None
        me = "TRUE" if every else "{} = (SELECT client FROM me)"
        named = named or [""]
        self._db = db
        self._params = [client_id, first_id(now - LATELY), *named]
        self._clients = clients
        self._since = now - LATELY
        self._words = {
            "which": "" if every else " AND client_id = (SELECT client FROM me)",
            "named": ", ".join("(?)" for _ in named),
            "own": me.format("w.client_id"),
            "or_nobodys": "TRUE" if every else f"({me.format('t.client_id')} OR t.client_id IS NULL)",
            "whose": _OWED_BY if every else "(SELECT client FROM me)",
            # Nobody knows of them but by what waits there.
            "unknown": "t.id IS NULL" if every else "t.client_id IS NULL",
            "mine": _KNOWN if every else _MINE,
            "order": order_of(db),
            "within": within(db),
            "apart": f"CASE WHEN client_id IN ({placeholders(len(clients))}) THEN client_id END"
            if clients
            else "CAST(NULL AS INTEGER)",
        }

    def look(self, begin: int, most: int) -> tuple[list[tuple[TargetRow, bool]], dict[int | None, _Sums]]:
        """What is read, each with whether it is of the part that is shown, and the sums by client."""
        found: list[tuple[TargetRow, bool]] = []
        sums: dict[int | None, _Sums] = {}
        params = [*self._params, most, begin, *self._clients]
        for *values, shown, count, ill, leaving, busy in rows(self._db, _SURVEY.format(**self._words), params):
            if values[0] is not None:
                found.append((_row(values), bool(shown)))
                continue
            _, client, _, _, _, waiting, oldest, failed = values
            sums[client] = _Sums(
                int(waiting), as_time(oldest), int(failed), int(count), int(ill), int(leaving), int(busy)
            )
        for client, count in Counter(each if each in self._clients else None for _, each in self._lone).items():
            before = sums.get(client, _Sums())
            sums[client] = msgspec.structs.replace(before, count=before.count + count)
        _states(self._db, {row.id: row for row, _ in found})
        _done(self._db, {row.id: row for row, _ in found if row.failed}, self._since)
        return found, sums

    def quiet(self, begin: int, most: int) -> list[TargetRow]:
        """Receivers that are up, with nothing to say of them, by name."""
        found: list[TargetRow] = []
        busy: set[str] = set()
        for id_, client, name, url in rows(self._db, _QUIET.format(**self._words), [*self._params, begin + most]):
            if name is None:
                busy.add(id_)
            else:
                found.append(TargetRow(id=id_, client_id=client, name=name, url=url))
        found += [TargetRow(id=id_, client_id=client) for id_, client in self._lone if id_ not in busy]
        found = sorted(found, key=lambda row: (row.name, row.id))[begin : begin + most]
        _states(self._db, {row.id: row for row in found})
        return found


def is_urgent(row: TargetRow) -> bool:
    """Whether it may need somebody, or something waits there to leave."""
    return (
        row.standing is Standing.DOWN
        or row.failed > 0
        or (row.waiting > 0 and (_sends(row) or row.standing is Standing.DISABLED))
    )


def _row(values: Sequence[Any]) -> TargetRow:
    id_, client, name, url, active, waiting, oldest, failed = values
    row = TargetRow(id=id_, client_id=client, name=name, url=url, active=bool(active), waiting=int(waiting))
    row.oldest_at, row.failed = as_time(oldest), int(failed)
    return row


def _states(db: peewee.Database, found: Mapping[str, TargetRow]) -> None:
    for part in slices([*found]):
        text = f"SELECT id, {STATE} FROM targets WHERE id IN ({placeholders(len(part))})"  # noqa: S608  (ours)
        for id_, *state in rows(db, text, part):
            set_state(found[id_], state)


def _done(db: peewee.Database, found: Mapping[str, TargetRow], since: datetime) -> None:
    """How much was delivered there: what failed is much or little beside it."""
    for part in slices([*found]):
        text = (
            f"SELECT subject, SUM(done) FROM minutes WHERE subject IN ({placeholders(len(part))}) "  # noqa: S608  (ours)
            "AND step = ? AND at >= ? GROUP BY subject"
        )
        for id_, done in rows(db, text, [*part, _HOUR, time_text(since)]):
            found[id_].done = int(done)


def _added(sums: Iterable[_Sums]) -> Totals:
    every = list(sums)
    count = sum(each.count for each in every)
    return Totals(
        count=count,
        up=count - sum(each.ill for each in every),
        waiting=sum(each.waiting for each in every),
        oldest_at=min((each.oldest_at for each in every if each.oldest_at is not None), default=None),
        failed=sum(each.failed for each in every),
        leaving=sum(each.leaving for each in every),
    )


def _sends(row: TargetRow) -> bool:
    return row.id.startswith(SENDING)


def worst(row: TargetRow) -> tuple[object, ...]:
    """Sorts receivers: the worst first."""
    return WORST.index(row.standing), -row.failed, -row.waiting, row.name, row.id
