"""How values are written for the scripts and read from their answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from wagate.queue.results import Ack, Delay, Doorbell, Park, Parked, Pumped, Release, Result, Take, Taken

SLICE = 200
"""Keys that one call moves at most, so that no script holds up the server for long."""
TARGETS_REPORTED = 100

T = TypeVar("T")


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut into slices that one call may carry."""
    for start in range(0, len(items), SLICE):
        yield items[start : start + SLICE]


def bells(items: Sequence[Doorbell], *, parked: bool = False) -> Iterator[list[str]]:
    """What ENQUEUE wants after the most ids kept, slice by slice."""
    for batch in batches(items):
        yield [word for item in batch for word in (item.key, item.id, item.target if parked else "")]


def ms(seconds: float) -> int:
    """Whole milliseconds."""
    return round(seconds * 1000)


def seconds(milliseconds: int) -> float | None:
    """Seconds until something is due; None for -1, nothing is."""
    return None if milliseconds < 0 else milliseconds / 1000


def words(result: Result) -> tuple[str | int, ...]:
    """Verb, key, token, argument, whether it was tried."""
    match result:
        case Ack():
            return "ack", result.key, result.token, int(result.more), 1
        case Delay():
            return "delay", result.key, result.token, max(0, ms(result.after)), int(result.tried)
        case Park():
            return "park", result.key, result.token, result.target, int(result.tried)
        case Release():
            return "release", result.key, result.token, "", 0


def pump_arguments(results: Sequence[Result], want: int, takes: Sequence[Take], *, suspects: bool) -> list[str | int]:
    """What PUMP wants after the offset and the worker."""
    arguments: list[str | int] = [want, SLICE, TARGETS_REPORTED, len(takes)]
    for take in takes:
        arguments += (take.target, take.most)
    arguments.append(len(results))
    for result in results:
        arguments += words(result)
    arguments.append(int(suspects))
    return arguments


def read_pumped(answer: Sequence[Any], sent: Sequence[Result], unrung: BaseException | None = None) -> Pumped:
    """PUMP's answer, in the order of pump.lua."""
    fenced, taken, due, depth, overflow, ready, paused, parked = answer
    return Pumped(
        fenced=tuple(sent[index] for index in fenced),
        taken=read_taken(taken),
        next_due=seconds(due),
        depth=depth,
        overflow=bool(overflow),
        ready=ready,
        paused=bool(paused),
        parked=tuple(Parked(target=target, keys=keys) for target, keys in parked),
        unrung=unrung,
    )


def read_taken(rows: Sequence[Any]) -> tuple[Taken, ...]:
    """Keys handed out, in the order of hand_out in layout.lua."""
    return tuple(
        Taken(key=key, id=id_, token=token, crashes=deaths, alone=alone) for key, id_, token, deaths, alone in rows
    )
