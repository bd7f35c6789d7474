"""What differs between the databases: how to open one, how to begin, and what its errors mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, Protocol

import peewee

from wagate.errors import StorageError, TooSlowError, WagateError

TOO_SLOW: Final = "it took too long"
"""The reason of a read that was broken off."""


class Engine(Protocol):
    """One kind of database, at one place."""

    dialect: Literal["sqlite", "postgres"]
    where: str
    """For people: the file, or host and database; never a password."""
    begin: str
    """Begins a transaction that writes."""
    snapshot: str
    """Begins a transaction that reads one state."""

    def open(self, *, writer: bool) -> peewee.Database:
        """A connection of its own, used by one thread at a time, not yet connected."""

    def limit(self, db: peewee.Database, seconds: float | None) -> None:
        """In a transaction that reads: what takes longer from now on fails. None, before its end: no more."""

    def reason(self, error: BaseException) -> str | None:
        """Why it failed, in plain words; None when this is no error of the driver."""

    def conflict(self, error: BaseException) -> bool:
        """Whether the transaction only met another one, and would do if run again whole."""

    def lost(self, error: BaseException) -> bool:
        """Whether the connection is gone, and a new one may help."""


def translated(engine: Engine, error: Exception) -> Exception:
    """A driver's error → StorageError with a plain reason; any other error stays what it is."""
    if isinstance(error, WagateError):
        return error
    reason = engine.reason(error)
    if reason is None:
        return error
    kind = TooSlowError if reason.startswith(TOO_SLOW) else StorageError
    failure = kind(f"{engine.where}: {reason}")
    failure.__cause__ = error
    return failure


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what it came from: peewee raises its own over the driver's."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def disconnect(db: peewee.Database) -> None:
    """Close a connection whatever state it is in."""
    try:
        if not db.is_closed():
            db.connection().close()
    except Exception:  # noqa: BLE001, S110  (a broken connection may fail to close; it is dropped all the same)
        pass
    finally:
        db.dispose()
