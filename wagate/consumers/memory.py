"""What this process just stored, at hand until it is delivered: no second read of what is known already.

The tables stay the truth. What is remembered counts only while nothing else was written that could change it
(`Database.epoch`), for the delivery that follows the last one of its chat that was seen to be done, at a target that
was read as open and has taken all since. In every other case the row is read.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from wagate.rules.states import Status
from wagate.rules.targets import TargetState
from wagate.storage.deliveries.lanes import Head
from wagate.storage.events.intake import Fresh, StoredDelivery, as_stored
from wagate.storage.fields import clean

MOST = 500
"""Deliveries at hand; of those that come beyond, the row is read."""
MOST_LANES = 20_000
"""Chats that are known; then all are forgotten."""


class _Lane(msgspec.Struct):
    """One chat of one target."""

    done: int | None = None
    """Of the deliveries up to this one none is open; None: not known."""
    waiting: deque[Fresh] = msgspec.field(default_factory=deque)
    """In the order of ``seq``."""


class _Target(msgspec.Struct):
    """One target that was read as open."""

    state: TargetState
    lanes: dict[str, _Lane] = msgspec.field(default_factory=dict)


class Memory:
    """For the only process on its queue; made with ``on`` False it remembers nothing."""

    def __init__(self, epoch: Callable[[], int], *, on: bool, now: Callable[[], float] = time.monotonic) -> None:
        self._epoch = epoch
        self._on = on
        self._now = now
        self._known = -1
        self._targets: dict[str, _Target] = {}
        self._troubled: dict[str, float] = {}
        self._count = 0
        self._lanes = 0

    def clear(self) -> None:
        """Forget everything, but not which targets failed: a read may be under way."""
        self._targets.clear()
        self._count = self._lanes = 0

    def _is_true(self) -> bool:
        """Whether what is remembered still holds; if not, it is forgotten."""
        epoch = self._epoch()
        if epoch != self._known:
            self.clear()
            self._troubled.clear()
            self._known = epoch
        return self._on

    def note(self, stored: Sequence[StoredDelivery]) -> None:
        """These were stored just now; requests that share a commit may tell in another order than their rows have."""
        if not self._is_true():
            return
        for each in stored:
            target = self._targets.get(each.target_id)
            if target is None or each.fresh is None or each.fresh.epoch != self._known or each.mode != "push":
                continue
            if self._count < MOST and _put(self._lane(target, clean(each.key)), each.fresh):
                self._count += 1

    def head(self, key: str) -> Head | None:
        """The delivery whose turn it is; None: its row must be read."""
        if not self._is_true() or (target := self._targets.get(key.partition("|")[0])) is None:
            return None
        lane = target.lanes.get(key)
        if lane is None or not lane.waiting or lane.done != lane.waiting[0].seq - 1:
            return None
        return _head(key, lane.waiting[0], target.state, more=len(lane.waiting) > 1)

    def learn(self, heads: Sequence[Head], *, epoch: int, began: float) -> None:
        """Rows that were read; ``epoch`` and ``began`` (of ``now``) from before."""
        if not self._is_true() or epoch != self._known:
            return
        for head in heads:
            if head.target.closed or not head.active or self._troubled.get(head.target_id, -1.0) >= began:
                continue
            if head.target_id not in self._targets:
                self._targets[head.target_id] = _Target(head.target)

    def delivered(self, head: Head) -> None:
        """It was written down as delivered; it was the first of its chat that was open."""
        if not self._is_true() or (target := self._targets.get(head.target_id)) is None:
            return
        if (lane := target.lanes.get(head.key)) is None:
            return
        places = (place for place, each in enumerate(lane.waiting) if each.route.delivery_id == head.id)
        if (place := next(places, None)) is None:
            # Its row was read before we were told of it: that may still come, and must find nothing to follow.
            lane.done = None
            return
        for _ in range(place + 1):
            lane.done = lane.waiting.popleft().seq
            self._count -= 1

    def forget(self, target_id: str) -> None:
        """Something else came of a try: until it is read again, nothing is known of this target."""
        self._is_true()
        self._troubled[target_id] = self._now()
        target = self._targets.pop(target_id, None)
        if target is not None:
            self._count -= sum(len(lane.waiting) for lane in target.lanes.values())
            self._lanes -= len(target.lanes)

    def _lane(self, target: _Target, key: str) -> _Lane:
        lane = target.lanes.get(key)
        if lane is None:
            if self._lanes >= MOST_LANES:
                for each in self._targets.values():
                    each.lanes.clear()
                self._count = self._lanes = 0
            lane = target.lanes[key] = _Lane()
            self._lanes += 1
        return lane


def _put(lane: _Lane, fresh: Fresh) -> bool:
    """Put it in its place; False when it is done already."""
    if lane.done is not None and fresh.seq <= lane.done:
        return False
    place = len(lane.waiting)
    while place and lane.waiting[place - 1].seq > fresh.seq:
        place -= 1
    lane.waiting.insert(place, fresh)
    return True


def _head(key: str, fresh: Fresh, target: TargetState, *, more: bool) -> Head:
    event, route = as_stored(fresh.event), fresh.route
    return Head(
        key=key,
        id=route.delivery_id,
        handler=route.handler,
        target_id=clean(route.target_id),
        client_id=event.client_id,
        mode=route.mode,
        status=Status.PENDING,
        attempt_count=0,
        max_retries=route.max_retries,
        held=False,
        created_at=event.created_at,
        first_attempt_at=None,
        expires_at=route.expires_at,
        more=more,
        active=True,
        target=target,
        event=event,
    )
