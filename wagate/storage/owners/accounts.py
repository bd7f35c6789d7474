"""Accounts, the state of their sessions, and who listens for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import peewee
from msgspec import UNSET, UnsetType
from uuid_utils import uuid7

from wagate.errors import ConflictError, NotFoundError
from wagate.events import SessionStatus
from wagate.storage.database import apart, beat, last_beat
from wagate.storage.fields import clean, time_text
from wagate.storage.models import Account, Client, EventRow
from wagate.storage.owners.revision import bump
from wagate.storage.rows import AccountRow
from wagate.storage.statement import first, rows, run

QR_LIFE = timedelta(seconds=60)
QR_EXPIRED = "QR expired"
IN_USE = "this name is already in use"
_HOLD = """
INSERT INTO holders (account_id, holder, until) VALUES (?, ?, ?)
ON CONFLICT (account_id) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE holders.holder = excluded.holder OR holders.until < ?
"""


class NewAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What an account is made of."""

    name: str
    """Unique over all clients."""
    client_id: int
    provider: str
    phone: str = ""
    settings: str = ""
    """Encrypted by the caller; '' when none."""
    webhook_secret: str = ""
    """Encrypted by the caller; '' when none."""
    metadata: dict[str, Any] = {}
    ignore: dict[str, Any] = {}
    weight: int = 1
    position: int = 0


NO_SESSION: Final[Mapping[str, Any]] = {
    "status": SessionStatus.INITIALIZING,
    "message": "",
    "qr": None,
    "qr_at": None,
    "percent": None,
    "ever_connected": False,
}
"""The session state of an account that another provider reaches from now on: it says nothing of that one."""


class AccountChange(msgspec.Struct, frozen=True, kw_only=True):
    """What to change; UNSET leaves a field as it is."""

    provider: str | UnsetType = UNSET
    phone: str | UnsetType = UNSET
    settings: str | UnsetType = UNSET
    webhook_secret: str | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET
    ignore: dict[str, Any] | UnsetType = UNSET
    weight: int | UnsetType = UNSET
    position: int | UnsetType = UNSET


def create_account(db: peewee.Database, new: NewAccount, *, now: datetime, most: int | None = None) -> AccountRow:
    """Add one.

    Raises:
        ConflictError: the name is taken, or another client's slug or one that begins with it and a hyphen (by whom is
            not said); or the client has ``most`` accounts already.
    """
    _refuse_reserved(db, new)
    if most is not None and Account.select().where(Account.client_id == new.client_id).count(db) >= most:
        raise ConflictError(f"the client has {most} accounts, its limit", field="name")
    try:
        _insert(db, new, source="api", now=now)
    except peewee.IntegrityError as error:
        raise ConflictError(IN_USE, field="name") from error
    account = get_account(db, new.name)
    bump(db, "account", account.id)
    return account


def get_account(db: peewee.Database, name: str, *, client_id: int | None = None) -> AccountRow:
    """One by name; with ``client_id`` only that client's. NotFoundError."""
    query = _select().where(Account.name == name)
    row = first(db, query if client_id is None else query.where(Account.client_id == client_id))
    if row is None:
        raise NotFoundError(f"no account {name[:100]!r}")
    return _row(row)


def list_accounts(
    db: peewee.Database, *, client_id: int | None = None, statuses: Collection[str] | None = None
) -> list[AccountRow]:
    """Accounts with their session state, oldest first; of all clients, or of one; in any status, or some."""
    query = _select().order_by(Account.created_at, Account.id)
    if client_id is not None:
        query = query.where(Account.client_id == client_id)
    if statuses is not None:
        query = query.where(Account.status.in_(sorted(statuses)))
    return [_row(row) for row in query.dicts().execute(db)]


class ChangedMeanwhileError(ConflictError):
    """What a change was made of is no longer stored."""


def patch_account(
    db: peewee.Database,
    name: str,
    change: AccountChange,
    *,
    now: datetime,
    client_id: int | None = None,
    before: str | None = None,
) -> AccountRow:
    """Change what is set. NotFoundError; ConflictError when config.toml owns it.

    ``before``: the stored settings that those of ``change`` are made of. ChangedMeanwhileError: they are others by now.
    """
    # First of all the row's lock: what is compared below must be what other processes have written by now.
    Account.update(updated_at=now).where(Account.name == name).execute(db)
    account = writable_account(db, name, client_id=client_id)
    if before is not None and change.settings is not UNSET and account.settings != before:
        raise ChangedMeanwhileError("somebody changed the settings at the same moment; look at them and send it again")
    values = {field: value for field, value in msgspec.structs.asdict(change).items() if value is not UNSET}
    if values.get("provider", account.provider) != account.provider:
        values |= NO_SESSION
    Account.update(**values, updated_at=now).where(Account.id == account.id).execute(db)
    bump(db, "account", account.id)
    return get_account(db, name)


def delete_account(db: peewee.Database, name: str, *, client_id: int | None = None) -> None:
    """Delete one; its events and deliveries stay. NotFoundError; ConflictError when config.toml owns it."""
    account = writable_account(db, name, client_id=client_id)
    Account.delete().where(Account.id == account.id).execute(db)
    bump(db, "account", account.id)


def put_config_accounts(db: peewee.Database, accounts: Sequence[NewAccount], *, now: datetime) -> None:
    """Make the accounts of config.toml what it says, and drop those that it no longer names.

    A name that an API account of the same client has goes to the config; its session state stays. One of another
    client is a new account: nothing that was stored of the old one is the new owner's. A number that the provider told
    stays where the config tells none.
    """
    told = {each.phone for each in accounts}
    for new in accounts:
        Account.delete().where(Account.name == new.name, Account.client_id != new.client_id).execute(db)
        before = first(db, Account.select(Account.provider, Account.phone).where(Account.name == new.name))
        if before is None:
            _insert(db, new, source="config", now=now)
            continue
        values = _values(new)
        if before["provider"] != new.provider:
            values |= NO_SESSION
        elif not new.phone and before["phone"] not in told:  # a number that moved to another table is that one's
            values["phone"] = before["phone"]
        Account.update(**values, source="config").where(Account.name == new.name).execute(db)
    gone = (Account.source == "config") & Account.name.not_in([new.name for new in accounts])
    Account.delete().where(gone).execute(db)
    bump(db)


def note_phone(db: peewee.Database, account_id: str, phone: str, *, now: datetime) -> bool:
    """Note our number, as its provider says, for an account without one or with another; whether it changed."""
    own = (Account.id == account_id) & (Account.phone != phone)
    changed = Account.update(phone=phone, updated_at=now).where(own).execute(db)
    if changed:
        bump(db, "account", account_id)
    return bool(changed)


@apart
def lapse_qrs(db: peewee.Database, *, now: datetime) -> list[str]:
    """Sessions whose QR is older than 60 s become session_not_connected, "QR expired"; their names."""
    lapsed = (Account.status == SessionStatus.QR_GENERATED) & (Account.qr_at < now - QR_LIFE)
    names = [row[0] for row in Account.select(Account.name).where(lapsed).tuples().execute(db)]
    if names:
        nothing = {"qr": None, "qr_at": None, "percent": None}
        change = {"status": SessionStatus.SESSION_NOT_CONNECTED, "message": QR_EXPIRED} | nothing
        Account.update(**change, updated_at=now).where(lapsed, Account.name.in_(names)).execute(db)
    return names


def drop_idle_sessions(db: peewee.Database, before: datetime) -> list[str]:
    """Delete sessions made by API that never connected and were last touched before a time; their names."""
    # Only these come into being by a mere webhook; other providers' accounts never say "connected".
    events = EventRow.select(EventRow.id).where(EventRow.account_id == Account.id, EventRow.created_at >= before)
    idle = (
        (Account.provider == "session")
        & (Account.source == "api")
        & (Account.ever_connected == False)  # noqa: E712  (an SQL expression)
        & (Account.updated_at < before)
        & ~peewee.fn.EXISTS(events)
    )
    found = dict(Account.select(Account.id, Account.name).where(idle).tuples().execute(db))
    if found:
        Account.delete().where(Account.id.in_(sorted(found))).execute(db)
        bump(db, "account", *found)
    return list(found.values())


def writable_account(db: peewee.Database, name: str, *, client_id: int | None = None) -> AccountRow:
    """One that the API may change. NotFoundError; ConflictError when config.toml owns it."""
    account = get_account(db, name, client_id=client_id)
    if account.source == "config":
        raise ConflictError(f"the account {name!r} is set in config.toml; change it there")
    return account


def _refuse_reserved(db: peewee.Database, new: NewAccount) -> None:
    """``<slug>`` and ``<slug>-…`` are for the client of that slug: its accounts are called so by themselves."""
    parts = new.name.split("-")
    slugs = ["-".join(parts[:count]) for count in range(1, len(parts) + 1)]
    found = Client.select(Client.id).where(Client.slug.in_(slugs)).order_by(peewee.fn.LENGTH(Client.slug).desc())
    owner = first(db, found)
    if owner is not None and owner["id"] != new.client_id:
        raise ConflictError(IN_USE, field="name")


def _select() -> Any:
    return Account.select(Account, Client.slug.alias("tenant")).join(Client, on=(Client.id == Account.client_id))


def _row(row: dict[str, Any]) -> AccountRow:
    return AccountRow(**row | {"status": SessionStatus(row["status"])})


def _values(new: NewAccount) -> dict[str, Any]:
    return msgspec.structs.asdict(new)


def _insert(db: peewee.Database, new: NewAccount, *, source: str, now: datetime) -> None:
    values = {"id": str(uuid7()), "source": source, "created_at": now, "updated_at": now}
    Account.insert(**_values(new), **values).execute(db)


def last_seen(db: peewee.Database, ids: Sequence[str], *, since: datetime, before: datetime) -> dict[str, datetime]:
    """By account's id: when its last event was stored, looked for from ``since`` to ``before``; else when it was made.

    Never earlier than ``since``.
    """
    made = Account.select(Account.id, Account.created_at).where(Account.id.in_(ids)).tuples().execute(db)
    known = {id_: max(since, created_at) for id_, created_at in made}
    latest = (
        EventRow.select(EventRow.account_id, peewee.fn.MAX(EventRow.created_at).alias("latest"))
        .where(EventRow.account_id.in_(ids), EventRow.created_at >= since, EventRow.created_at < before)
        .group_by(EventRow.account_id)
    )
    return known | {row.account_id: row.latest for row in latest.execute(db) if row.account_id in known}


def missed_since(db: peewee.Database, seen: Mapping[str, datetime], *, since: datetime) -> dict[str, datetime]:
    """As `last_seen`, or from where an earlier start asked and did not come to its end. Written down until `caught_up`.

    What comes in meanwhile is newer than what is missed, and would hide it from the next start.
    """
    found: dict[str, datetime] = {}
    for id_, at in seen.items():
        pending = last_beat(db, _missed(id_))
        found[id_] = at if pending is None else max(since, min(at, pending))
        beat(db, _missed(id_), found[id_])
    return found


def caught_up(db: peewee.Database, account_id: str) -> None:
    """All that was missed is here."""
    run(db, "DELETE FROM heartbeats WHERE name = ?", (_missed(account_id),))


def _missed(account_id: str) -> str:
    return f"missed {account_id}"


def claim_session(db: peewee.Database, account_id: str, session: str, *, own: bool) -> str:
    """The account's session at its engine; ``session`` if none is known yet, or if it is its ``own`` by its name.

    Of several requests at once the first one counts.
    """
    named = clean(session)
    change = "DO UPDATE SET session = excluded.session" if own else "DO NOTHING"
    run(
        db,
        f"INSERT INTO engine_sessions (account_id, session) VALUES (?, ?) ON CONFLICT (account_id) {change}",  # noqa: S608
        (account_id, named),
    )
    [(found,)] = rows(db, "SELECT session FROM engine_sessions WHERE account_id = ?", (account_id,))
    return str(found)


def hold(
    db: peewee.Database, account_ids: Sequence[str], holder: str, *, now: datetime, until: datetime
) -> frozenset[str]:
    """Take or renew the leases that nobody else holds now, so that one of several processes listens for an account.

    Which of these accounts ``holder`` has.
    """
    for account_id in sorted(account_ids):
        run(db, _HOLD, (account_id, holder, time_text(until), time_text(now)))
    mine = {row[0] for row in rows(db, "SELECT account_id FROM holders WHERE holder = ?", (holder,))}
    return frozenset(mine & set(account_ids))


def holder_of(db: peewee.Database, account_id: str, *, now: datetime) -> str:
    """The process that listens for an account now; '' when none does."""
    found = rows(db, "SELECT holder FROM holders WHERE account_id = ? AND until >= ?", (account_id, time_text(now)))
    return str(found[0][0]) if found else ""
