"""Group commit: what is waiting runs in one transaction and is committed once. Several pieces have a savepoint each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import outcome
import peewee

from wagate.errors import StorageError
from wagate.storage.backend.dialect import Engine, disconnect, translated

TRIES = 4
"""How often a batch is run that meets another process's transaction or a lost connection."""

Outcome = outcome.Outcome[Any]


@dataclass(frozen=True, slots=True)
class Work:
    """One waiting call."""

    fn: Callable[..., Any]
    """Called with the database and ``args``."""
    args: tuple[Any, ...]
    """The arguments; of a bulk function: its one item."""
    apart: bool = False
    """Whether ``fn`` changes nothing that is told of deliveries that are there already (see `Writer.epoch`)."""
    bulk: bool = False
    """Whether ``fn`` takes a list of items and returns a list of results."""


@dataclass(slots=True)
class Counts:
    """What the writer has done since the start."""

    batches: int = 0
    """Transactions begun."""
    commits: int = 0
    """Transactions committed."""
    calls: int = 0
    """Waiting calls answered."""


def grouped(works: Sequence[Work]) -> list[list[int]]:
    """Positions of calls that run together: all of one bulk function in one group, in place of its first."""
    groups: list[list[int]] = []
    bulks: dict[Callable[..., Any], list[int]] = {}
    for position, work in enumerate(works):
        if work.bulk and work.fn in bulks:
            bulks[work.fn].append(position)
            continue
        groups.append([position])
        if work.bulk:
            bulks[work.fn] = groups[-1]
    return groups


class Writer:
    """The writing side of a database, for one thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.db: peewee.Database = engine.open(writer=True)
        self.counts = Counts()
        self.epoch = 0
        """Moves before and after every transaction with a call that is not ``apart``: what somebody remembers of
        rows is true as long as it has not moved since before they were written or read."""

    def run(self, works: Sequence[Work]) -> list[Outcome]:
        """Run a batch; one outcome for each. Never raises: the thread must outlive every error."""
        self.counts.calls += len(works)
        if all(work.apart for work in works):
            return self._run(works)
        self.epoch += 1
        try:
            return self._run(works)
        finally:
            self.epoch += 1

    def _run(self, works: Sequence[Work]) -> list[Outcome]:
        failure: Exception = RuntimeError("never run")
        for _ in range(TRIES):
            try:
                return self._transaction(works)
            except Exception as error:  # noqa: BLE001  (the edge of the writer thread)
                failure = error
                self._abandon(error)
                if not (self._engine.conflict(error) or self._engine.lost(error)):
                    break
        return [outcome.Error(self._own(failure)) for _ in works]

    def close(self) -> None:
        """Close the connection."""
        disconnect(self.db)

    def _transaction(self, works: Sequence[Work]) -> list[Outcome]:
        self.counts.batches += 1
        self.db.execute_sql(self._engine.begin)
        results: dict[int, Outcome] = {}
        groups = grouped(works)
        for positions in groups:
            group = [works[position] for position in positions]
            results.update(zip(positions, self._group(group, only=len(groups) == 1), strict=True))
        self._commit()
        return [results[position] for position in range(len(works))]

    def _commit(self) -> None:
        try:
            ended = self.db.execute_sql("COMMIT")
        except Exception as error:
            if self._engine.conflict(error):
                raise
            # Whether a commit that broke off counts is not known, so it must not be run again here. The caller may:
            # what it repeats is recognised as a duplicate.
            ours = translated(self._engine, error)
            if ours is error:  # an error raised from itself is an endless chain
                raise
            raise ours from error
        if getattr(ended, "statusmessage", "") == "ROLLBACK":  # PostgreSQL's answer when a call hid an error
            raise StorageError(f"{self._engine.where}: an error was passed over, so nothing was written")
        self.counts.commits += 1

    def _group(self, works: list[Work], *, only: bool) -> list[Outcome]:
        fn = works[0].fn
        guarded = self._guarded if not only else self._by_itself
        if not works[0].bulk:
            return [guarded(fn, works[0].args)]
        together = guarded(_whole, (fn, [work.args[0] for work in works]))
        if isinstance(together, outcome.Value):
            return [outcome.Value(result) for result in together.value]
        if len(works) == 1:
            return [together]
        return [self._guarded(_alone, (fn, work.args[0])) for work in works]

    def _guarded(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> Outcome:
        """Call in a savepoint; an error undoes only this call, unless the transaction is beyond help."""
        self.db.execute_sql("SAVEPOINT call")
        result = self._called(fn, args, undo=("ROLLBACK TO SAVEPOINT call", "RELEASE SAVEPOINT call"))
        if isinstance(result, outcome.Value):
            self.db.execute_sql("RELEASE SAVEPOINT call")
        return result

    def _by_itself(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> Outcome:
        """Call what has the transaction to itself: an error undoes that, and another one begins."""
        return self._called(fn, args, undo=("ROLLBACK", self._engine.begin))

    def _called(self, fn: Callable[..., Any], args: tuple[Any, ...], *, undo: tuple[str, str]) -> Outcome:
        try:
            return outcome.Value(fn(self.db, *args))
        except Exception as error:
            if self._engine.conflict(error) or self._engine.lost(error):
                raise
            if not self._undone(undo):
                raise
            return outcome.Error(translated(self._engine, error))

    def _undone(self, undo: tuple[str, str]) -> bool:
        """Go back to before the call; False when SQLite gave up the whole transaction by itself (disk full)."""
        try:
            for statement in undo:
                self.db.execute_sql(statement)
        except peewee.PeeweeException:
            return False
        return True

    def _own(self, failure: Exception) -> Exception:
        """An error for one caller: a shared one would collect the tracebacks of all."""
        if not isinstance(failure, StorageError):
            return translated(self._engine, failure)
        own = StorageError(*failure.args)
        own.__cause__ = failure.__cause__
        return own

    def _abandon(self, error: Exception) -> None:
        if not self._engine.lost(error):
            try:
                self.db.execute_sql("ROLLBACK")
            except Exception:  # noqa: BLE001  (no transaction, or no connection: begin anew either way)
                disconnect(self.db)
            return
        disconnect(self.db)


def _whole(db: peewee.Database, fn: Callable[..., Any], items: list[Any]) -> list[Any]:
    results: list[Any] = fn(db, items)
    if len(results) != len(items):
        raise RuntimeError(f"{fn.__name__} returned {len(results)} results for {len(items)} items")
    return results


def _alone(db: peewee.Database, fn: Callable[..., Any], item: Any) -> Any:
    return _whole(db, fn, [item])[0]
