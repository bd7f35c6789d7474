"""All targets for people: who they are, how they are, what waits for them. And the pause of one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import peewee

from wagate.errors import NotFoundError
from wagate.rules.targets import Standing, TargetState
from wagate.storage.deliveries.targets import COLUMNS, read_state
from wagate.storage.fields import as_time, clean, time_text
from wagate.storage.statement import first_id, placeholders, rows, run, slices

LATELY = timedelta(hours=24)
"""What failed permanently of what came in so lately is counted."""

_ENDPOINTS = "SELECT connector || ':' || id, client_id, name, webhook_url, is_active FROM webhooks"
_NO_ENDPOINT = "NOT EXISTS (SELECT 1 FROM webhooks AS w WHERE w.id = {own} AND w.connector || ':' || w.id = {id})"
STANDING = (
    "CASE WHEN {off} t.status = 'disabled' THEN 'disabled' WHEN t.paused_at IS NOT NULL THEN 'paused' "
    "WHEN t.down_since IS NOT NULL THEN 'down' WHEN t.failing_since IS NOT NULL THEN 'failing' ELSE 'up' END"
)
_STATE = ", ".join(f"t.{name}" for name in ("paused_by", *COLUMNS))
# Who has something waiting is found target by target, by jumps in an index: not by a look at all that waits.
_KNOWN = f"""
WITH RECURSIVE owed (client_id, id) AS (
  SELECT c.id, (
    SELECT MIN(d.target_id) FROM deliveries AS d WHERE d.settled = FALSE AND d.seq > 0 AND d.client_id = c.id
  )
  FROM clients AS c WHERE {{whose_client}}
  UNION ALL
  SELECT o.client_id, (
    SELECT MIN(d.target_id) FROM deliveries AS d
    WHERE d.settled = FALSE AND d.seq > 0 AND d.client_id = o.client_id AND d.target_id > o.id
  ) FROM owed AS o WHERE o.id IS NOT NULL
), known AS (
  SELECT w.connector || ':' || w.id AS id, w.client_id, w.name, w.webhook_url AS url, w.is_active AS active,
    {STANDING.format(off="w.is_active = FALSE OR")} AS standing{{state}}
  FROM webhooks AS w LEFT JOIN targets AS t ON t.id = w.connector || ':' || w.id WHERE {{whose_endpoint}}
  UNION ALL
  SELECT t.id, t.client_id, '', '', TRUE, {STANDING.format(off="")}{{state}}
  FROM targets AS t
  WHERE {{whose_target}} AND {_NO_ENDPOINT.format(own="substr(t.id, length(t.handler) + 2)", id="t.id")}
  UNION ALL
  SELECT o.id, MIN(o.client_id), '', '', TRUE, {STANDING.format(off="")}{{state}}
  FROM owed AS o LEFT JOIN targets AS t ON t.id = o.id
  WHERE o.id IS NOT NULL AND {{unknown}} AND
    {_NO_ENDPOINT.format(own="substr(o.id, {colon} + 1)", id="o.id")}
  GROUP BY o.id, t.status, {_STATE}
)"""  # noqa: S608  (our own words)
STATE = ", ".join(("paused_by", *COLUMNS))
"""What `set_state` takes."""
WAITING = (
    "SELECT target_id, COUNT(*), MIN(created_at) FROM deliveries WHERE settled = FALSE AND seq > 0{which} "
    "GROUP BY target_id"
)
FAILED = (
    "SELECT target_id, COUNT(*) FROM deliveries WHERE status = 'failed' AND status <> 'delivered' AND settled = TRUE "
    "AND id >= ?{which} GROUP BY target_id"
)
_ALL = 2**31
"""Rows: no limit."""


class TargetRow(msgspec.Struct, kw_only=True):
    """One target with its figures."""

    id: str
    """``<handler>:<the handler's own id>``."""
    client_id: int | None = None
    """Whose it is; None: not known, as nothing was ever sent there."""
    name: str = ""
    """Of the endpoint behind it, if there is one."""
    url: str = ""
    """Likewise."""
    active: bool = True
    """False: its endpoint is switched off."""
    state: TargetState = TargetState()
    paused_by: str | None = None
    waiting: int = 0
    """Deliveries that are not settled."""
    oldest_at: datetime | None = None
    """When the oldest of them was stored."""
    failed: int = 0
    """Failed permanently, of what was stored in the last 24 hours."""
    unused: bool = False
    """Only a connector says that there is one, as nothing was ever sent there: nobody can do anything to it yet."""
    done: int = 0
    """Delivered in that time, to the hour; counted where something failed, and only for `Survey.urgent`."""

    @property
    def standing(self) -> Standing:
        """In one word."""
        return self.state.standing if self.active else Standing.DISABLED


def list_targets(
    db: peewee.Database,
    now: datetime,
    *,
    client_id: int | None = None,
    handler: str | None = None,
    standing: Standing | None = None,
    after: str | None = None,
    limit: int | None = None,
) -> list[TargetRow]:
    """Those that were ever tried, have something waiting, or are registered, by id, with their figures.

    ``client_id`` None: of all; ``after``: with greater ids alone; ``limit`` None: without one.
    """
    asked = [("standing = ?", standing), (f"id{order_of(db)} > ?", after)]
    if handler is not None:  # what begins with it and a colon; ";" is the next character
        asked += [(f"id{order_of(db)} >= ?", f"{handler}:"), (f"id{order_of(db)} < ?", f"{handler};")]
    text, params = _listing(db, client_id, [(text, clean(str(value))) for text, value in asked if value is not None])
    found: dict[str, TargetRow] = {}
    for id_, client, name, url, active, *state in rows(db, text, [*params, limit or _ALL]):
        found[id_] = TargetRow(id=id_, client_id=client, name=name, url=url, active=bool(active))
        set_state(found[id_], state)
    everything = client_id is None and limit is None and not params
    for part in [None] if everything else slices([*found]):
        add_figures(db, found, part, now)
    return [*found.values()]


def set_state(row: TargetRow, values: Sequence[Any]) -> None:
    """How it is, of `STATE`; all are NULL when it was never tried."""
    row.paused_by, *state = values
    if state[0] is not None:
        row.state = read_state(state)


def get_target(db: peewee.Database, target_id: str, now: datetime, *, client_id: int | None = None) -> TargetRow:
    """One target. NotFoundError: there is none of this client."""
    target_id = clean(target_id)
    row = TargetRow(id=target_id)
    endpoint = f"{_ENDPOINTS} WHERE id = ? AND connector || ':' || id = ?"
    own = rows(db, endpoint, [target_id.partition(":")[2], target_id])
    for _, row.client_id, row.name, row.url, active in own:
        row.active = bool(active)
    tried = rows(db, f"SELECT client_id, paused_by, {', '.join(COLUMNS)} FROM targets WHERE id = ?", [target_id])  # noqa: S608
    for client, row.paused_by, *values in tried:
        row.state, row.client_id = read_state(values), client if row.client_id is None else row.client_id
    add_figures(db, {target_id: row}, [target_id], now)
    if row.client_id is None and row.waiting:
        text = (
            "SELECT client_id FROM deliveries WHERE target_id = ? AND settled = FALSE AND seq > 0 ORDER BY id LIMIT 1"
        )
        ((row.client_id,),) = rows(db, text, [target_id])
    known = own or tried or row.waiting or row.failed
    if not known or client_id not in {None, row.client_id}:
        raise NotFoundError("no such target")
    return row


def some_targets(
    db: peewee.Database, *, client_id: int | None, most: int, find: str = "", urls: bool = True
) -> list[TargetRow]:
    """Registered endpoints and targets that were tried, up to so many, by id: names alone, no figures.

    ``find``: those alone with this in their name, URL or id; ``urls`` False: in their name or id.
    """
    own, mine = ("TRUE", []) if client_id is None else ("client_id = ?", [client_id])
    has, params = f"{own} AND {within(db)}(lower({{}}), lower(?)) > 0", [*mine, clean(find), most]
    named = has.format("id || ' ' || name" + (" || ' ' || webhook_url" if urls else ""))
    text = f"{_ENDPOINTS} WHERE {named} LIMIT ?"
    found = {
        id_: TargetRow(id=id_, client_id=client, name=name, url=url)
        for id_, client, name, url, _ in rows(db, text, params)
    }
    tried = f"SELECT id, client_id FROM targets WHERE {has.format('id')} ORDER BY id LIMIT ?"  # noqa: S608  (our own words)
    for id_, client in rows(db, tried, params):
        found.setdefault(id_, TargetRow(id=id_, client_id=client))
    return sorted(found.values(), key=lambda each: each.id)[:most]


def named_targets(db: peewee.Database, ids: Sequence[str]) -> dict[str, TargetRow]:
    """These targets with the names of their endpoints, no figures."""
    found = {each: TargetRow(id=each) for each in ids}
    own = sorted({clean(each.partition(":")[2]) for each in ids})
    for part in slices(own):
        text = f"{_ENDPOINTS} WHERE id IN ({placeholders(len(part))})"
        for id_, client, name, url, active in rows(db, text, part):
            if id_ in found:
                found[id_] = TargetRow(id=id_, client_id=client, name=name, url=url, active=bool(active))
    return found


def pause_target(db: peewee.Database, row: TargetRow, by: str, now: datetime) -> None:
    """Let a target wait, from now on."""
    moment = time_text(now)
    run(
        db,
        "INSERT INTO targets (id, handler, client_id, status, failure_count, streak, probes, alerted, updated_at, "
        "paused_at, paused_by) VALUES (?, ?, ?, 'active', 0, 0, 0, 0, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
        "paused_at = COALESCE(targets.paused_at, excluded.paused_at), "
        "paused_by = CASE WHEN targets.paused_at IS NULL THEN excluded.paused_by ELSE targets.paused_by END, "
        "client_id = COALESCE(excluded.client_id, targets.client_id), updated_at = excluded.updated_at",
        (row.id, row.id.partition(":")[0], row.client_id, moment, moment, by),
    )


def resume_target(db: peewee.Database, target_id: str, now: datetime) -> None:
    """End its pause; one that is down is probed at once."""
    run(
        db,
        "UPDATE targets SET paused_at = NULL, paused_by = NULL, resumed_at = ?, updated_at = ?, "
        "next_probe_at = CASE WHEN down_since IS NULL THEN next_probe_at ELSE ? END "
        "WHERE id = ? AND paused_at IS NOT NULL",
        (time_text(now), time_text(now), time_text(now), target_id),
    )


def order_of(db: peewee.Database) -> str:
    """Ids are in the order of their characters, as SQLite's are, whatever PostgreSQL's language."""
    return "" if db.param == "?" else ' COLLATE "C"'


def within(db: peewee.Database) -> str:
    """The function that says where a text is in another."""
    return "instr" if db.param == "?" else "strpos"


def _known_targets(db: peewee.Database, client_id: int | None, state: str = "") -> tuple[str, list[Any]]:
    """What a query begins with that reads ``known``: every target of a client, or of all; and what it takes.

    ``state``: more of their columns.
    """
    own = "TRUE" if client_id is None else "{} = ?"
    text = _KNOWN.format(
        state=state,
        whose_client=own.format("c.id"),
        whose_endpoint=own.format("w.client_id"),
        whose_target=own.format("t.client_id"),
        unknown="t.id IS NULL" if client_id is None else "t.client_id IS NULL",
        colon=f"{within(db)}(o.id, ':')",
    )
    return text, [] if client_id is None else [client_id] * 3


def _listing(db: peewee.Database, client: int | None, asked: Sequence[tuple[str, str]]) -> tuple[str, list[Any]]:
    """The query, but for its limit, and what it takes."""
    known, params = _known_targets(db, client, f", {_STATE}")
    which = " AND ".join(["TRUE", *(text for text, _ in asked)])
    columns, order = f"id, client_id, name, url, active, {STATE}", order_of(db)
    text = f"{known} SELECT {columns} FROM known WHERE {which} ORDER BY id{order} LIMIT ?"  # noqa: S608  (our own words)
    return text, [*params, *(value for _, value in asked)]


def add_figures(db: peewee.Database, found: dict[str, TargetRow], ids: Sequence[str] | None, now: datetime) -> None:
    """What waits and what failed for these targets; None: for all."""
    which = "" if ids is None else f" AND target_id IN ({placeholders(len(ids))})"
    for id_, count, oldest in rows(db, WAITING.format(which=which), ids or ()):
        if id_ in found:
            found[id_].waiting, found[id_].oldest_at = int(count), as_time(oldest)
    for id_, count in rows(db, FAILED.format(which=which), [first_id(now - LATELY), *(ids or ())]):
        if id_ in found:
            found[id_].failed = int(count)
