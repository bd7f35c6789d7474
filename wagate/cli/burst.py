"""Post many webhooks at a running gateway, each chat's in order, and count the answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
import trio

from wagate.cli.gateway import status_line

if TYPE_CHECKING:
    import httpx2

Webhook = tuple[str, bytes, dict[str, str]]
"""Path, body, and headers beside the token."""
WORKERS = 16


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway said."""

    accepted: int
    """2xx answers."""
    refused: dict[str, int]
    """How often each other answer came: ``503 Service Unavailable``, or an exception's name."""
    seconds: float
    """From the first request to the last answer."""
    slowest_ms: float
    """The longest wait for one answer."""


async def post_all(
    client: httpx2.AsyncClient,
    chats: Sequence[Sequence[Webhook]],
    *,
    rate: float | None,
    tick: Callable[[], object],
) -> Tally:
    """Post the webhooks of each chat one after the other, the chats side by side.

    ``rate`` is webhooks per second over all; None as fast as they are answered. ``tick`` is called after each.
    """
    answers: list[tuple[str, float]] = []
    start = trio.current_time()
    due = _Due(start, rate)
    limiter = trio.CapacityLimiter(WORKERS)
    began = time.perf_counter()

    async def post_chat(webhooks: Sequence[Webhook]) -> None:
        for path, body, headers in webhooks:
            async with limiter:
                await trio.sleep_until(due.next())
                answers.append(await _post(client, path, body, headers))
            tick()

    async with trio.open_nursery() as nursery:
        for webhooks in chats:
            nursery.start_soon(post_chat, webhooks)
    return _tally(answers, time.perf_counter() - began)


class _Due:
    """When the next webhook may go."""

    def __init__(self, start: float, rate: float | None) -> None:
        self._next = start
        self._gap = 1 / rate if rate else 0.0

    def next(self) -> float:
        """The time on trio's clock."""
        now, self._next = self._next, self._next + self._gap
        return now


async def _post(client: httpx2.AsyncClient, path: str, body: bytes, headers: dict[str, str]) -> tuple[str, float]:
    import httpx2

    began = time.perf_counter()
    try:
        answer = await client.post(path, content=body, headers=headers)
    except httpx2.TransportError as error:
        return type(error).__name__, time.perf_counter() - began
    return status_line(answer), time.perf_counter() - began


def _tally(answers: list[tuple[str, float]], seconds: float) -> Tally:
    refused: dict[str, int] = {}
    for status, _ in answers:
        if not status.startswith("2"):
            refused[status] = refused.get(status, 0) + 1
    slowest = max((took for _, took in answers), default=0.0)
    accepted = len(answers) - sum(refused.values())
    return Tally(accepted=accepted, refused=refused, seconds=seconds, slowest_ms=slowest * 1000)
