"""Outcomes that the database did not take before a stop: kept in a file, written down at the next start."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import structlog

from wagate.rules.settle import settle
from wagate.rules.states import DeliveryState, Policy, Try
from wagate.storage.deliveries.outcomes import Outcome
from wagate.storage.deliveries.targets import Owner

log = structlog.get_logger("wagate.consumers")

NAME = "outcomes.jsonl"
"""In the data folder; there only between such a stop and the next start."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One try that is over, as a line of the file."""

    delivery_id: str
    target_id: str
    owner: Owner
    tried_before: bool
    duration_ms: int
    tried: Try


class Spool:
    """One process's file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def keep(self, outcome: Outcome, tried: Try) -> None:
        """Append one, with fsync. OSError: it could not be."""
        fields = DeliveryState.__struct_fields__
        state = DeliveryState(**{name: getattr(tried.delivery, name) for name in fields})
        kept = Kept(
            delivery_id=outcome.delivery_id,
            target_id=outcome.target_id,
            owner=outcome.owner,
            tried_before=outcome.tried_before,
            duration_ms=outcome.duration_ms,
            tried=msgspec.structs.replace(tried, delivery=state),
        )
        with os.fdopen(os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as file:
            file.write(msgspec.json.encode(kept) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def read(self, policy: Policy) -> Iterator[Outcome]:
        """What was kept, in its order; lines that can't be read are left out."""
        lines = self._file.read_bytes().splitlines() if self._file.exists() else []
        for line in lines:
            try:
                yield _outcome(msgspec.json.decode(line, type=Kept), policy)
            except msgspec.DecodeError as error:
                # Half a line: its delivery is tried again.
                log.warning("kept outcome can't be read", reason=str(error))

    def clear(self) -> None:
        """All of it is written down."""
        self._file.unlink(missing_ok=True)


def outcome_of(
    tried: Try, policy: Policy, *, delivery_id: str, target_id: str, owner: Owner, tried_before: bool, duration_ms: int
) -> Outcome:
    """What to write down of one try; it is settled when it is written, from what is known of its target then."""
    happened = tried.happened
    return Outcome(
        delivery_id=delivery_id,
        attempt_count=tried.delivery.attempt_count,
        tried_before=tried_before,
        target_id=target_id,
        owner=owner,
        started_at=tried.started,
        duration_ms=duration_ms,
        now=tried.now,
        http_status=happened.http_status,
        response=happened.response,
        error=getattr(happened, "error", None),
        settle=lambda target: settle(tried, target, policy),
    )


def _outcome(kept: Kept, policy: Policy) -> Outcome:
    return outcome_of(
        kept.tried,
        policy,
        delivery_id=kept.delivery_id,
        target_id=kept.target_id,
        owner=kept.owner,
        tried_before=kept.tried_before,
        duration_ms=kept.duration_ms,
    )
