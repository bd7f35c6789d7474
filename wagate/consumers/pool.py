"""Which keys are in hand, how many more may be taken, and for whom. No waiting here, only bookkeeping."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from wagate.clock import Clock
from wagate.consumers.rates import Rates
from wagate.queue.results import Parked, Take, Taken


def bucket_of(name: str) -> str:
    """The part of a key (or of a target's name) under which its keys are parked and counted."""
    return name.partition("|")[0]


@dataclass(slots=True)
class Hand:
    """A key in hand."""

    key: str
    bucket: str
    token: str
    """As handed out last: when the queue judged us dead meanwhile, it hands the key out anew. '': it has not yet."""
    id: str = ""
    """The delivery that was at its head then, as the queue knows."""
    again: bool = False
    """It was handed out anew: the queue forgot what it knew, more may wait than it says."""
    alone: bool = False
    """It is to be tried with nothing else in hand."""
    rung: bool = False
    """Others of its chat were rung for since it was taken: they wait for it."""
    hurried: bool = False
    """Its row was changed by hand since it was loaded: look again instead of waiting."""
    permitted: bool = False
    """Its target is down, and it used the permit up."""


CLIENT, TARGET = 3, 2
"""A client may hold three times what it leaves free; one of its targets twice what is left to the client then."""
KNOWN = 50_000
"""Targets whose client is remembered."""


class Pool:
    """The slots of this process, shared out by client, then by target, so that nobody can take them all."""

    def __init__(self, capacity: int, concurrency: Callable[[str], int], rates: Rates | None = None) -> None:
        """``capacity``: keys in hand at once. ``concurrency``: of a bucket, how many at once. ``rates``: how fast."""
        self.capacity = capacity
        self._concurrency = concurrency
        self._rates = rates or Rates({}, Clock())
        self._hands: dict[str, Hand] = {}
        self._busy: Counter[str] = Counter()
        self._clients: dict[str, int] = {}
        self._busy_clients: Counter[int | str] = Counter()
        self._parked: dict[str, int] = {}
        self._left: set[str] = set()
        self._shut: set[str] = set()
        self._permits: set[str] = set()
        self._probing: Counter[str] = Counter()
        self._opened: dict[str, int] = {}
        self._openings = 0

    def __len__(self) -> int:
        """Keys in hand."""
        return len(self._hands)

    @property
    def free(self) -> int:
        """Keys that may still be taken."""
        return self.capacity - len(self._hands)

    def room(self, bucket: str) -> int:
        """How many more keys of this target may be taken.

        Of 64 slots one slow client gets 48, two 27 each; one slow target 32, two of one client 19 each.
        """
        return self._room(bucket, self.free, self._busy_clients[self._client(bucket)], self._busy[bucket])

    def _room(self, bucket: str, free: int, busy_client: int, busy: int) -> int:
        share = _share(_share(free, busy_client, CLIENT), busy, TARGET)
        room = max(0, min(self._concurrency(bucket) - busy, share))
        allowed = self._rates.room(bucket) if room else None
        return room if allowed is None else min(room, allowed)

    def _client(self, bucket: str) -> int | str:
        """Whose target it is; one that is not known yet stands for itself."""
        return self._clients.get(bucket, bucket)

    def learn(self, bucket: str, client_id: int) -> None:
        """Its row says whose target it is."""
        before = self._client(bucket)
        if before == client_id:
            return
        if len(self._clients) >= KNOWN:
            self._clients = {name: each for name, each in self._clients.items() if name in self._busy}
        self._busy_clients[before] -= self._busy[bucket]
        self._busy_clients[client_id] += self._busy[bucket]
        self._clients[bucket] = client_id

    def over(self, hand: Hand) -> bool:
        """Whether the key was taken before it was known that its client holds too much."""
        client, busy = self._busy_clients[self._client(hand.bucket)] - 1, self._busy[hand.bucket] - 1
        return _share(_share(self.free + 1, client, CLIENT), busy, TARGET) <= 0

    @property
    def next_turn(self) -> float:
        """Seconds until the rate of some target lets a parked key of it be taken; infinite when none waits for that."""
        waits = (self._rates.wait(bucket) for bucket in self._parked if bucket not in self._shut)
        return min((seconds for seconds in waits if seconds > 0), default=math.inf)

    def hurry(self, key: str) -> None:
        """If the key is in hand, what its row said when it was loaded is out of date."""
        if hand := self._hands.get(key):
            hand.hurried = True

    def rung(self, key: str, delivery_id: str) -> None:
        """If the key is in hand, this one waits behind what is; unless it is that itself."""
        if (hand := self._hands.get(key)) and hand.id != delivery_id:
            hand.rung = True

    def missed(self, keys: Iterable[str]) -> None:
        """Those were rung for in vain: a sweep passes over what is in hand, so that they look once more when done."""
        for key in keys:
            if hand := self._hands.get(key):
                hand.again = True

    def holds(self, key: str) -> bool:
        """Whether the key is in hand."""
        return key in self._hands

    def parks(self, bucket: str) -> bool:
        """Whether keys of this target wait for it, or may."""
        return bucket in self._parked or bucket in self._left

    @property
    def waited_for(self) -> bool:
        """Whether keys are parked for want of room, or may be."""
        return bool(self._parked)

    def known(self, taken: Taken) -> bool:
        """Whether the key is in hand already; then only its token is new.

        The queue thought we were dead, or hears of it only now (`Taker.begin`).
        """
        hand = self._hands.get(taken.key)
        if hand is None:
            return False
        hand.again = hand.again or bool(hand.token) or hand.id != taken.id
        hand.token = taken.token
        return True

    def take(self, taken: Taken) -> Hand | None:
        """Take a key in hand; None when its target has no room: park it."""
        bucket = bucket_of(taken.key)
        if self.room(bucket) == 0 and bucket not in self._permits:
            if not self._busy_clients[self._client(bucket)]:
                # Its client holds nothing: it is next, whoever else the queue tells of first.
                self._left.add(bucket)
            return None
        hand = self._hands[taken.key] = Hand(taken.key, bucket, taken.token, taken.id)
        self._busy[bucket] += 1
        self._busy_clients[self._client(bucket)] += 1
        self._rates.begin(bucket)
        return hand

    def give_back(self, hand: Hand) -> None:
        """Out of hand, and nothing was begun."""
        self._rates.begin(hand.bucket, -1)
        self.drop(hand)

    def drop(self, hand: Hand) -> None:
        """It is out of hand: what became of it is on its way to the queue."""
        del self._hands[hand.key]
        self._busy[hand.bucket] -= 1
        client = self._client(hand.bucket)
        self._busy_clients[client] -= 1
        if not self._busy_clients[client]:
            del self._busy_clients[client]
        if not self._busy[hand.bucket]:
            del self._busy[hand.bucket]

    def clear(self) -> None:
        """All is out of hand."""
        self._hands.clear()
        self._busy.clear()
        self._busy_clients.clear()
        self._probing.clear()

    def bucket(self, key: str) -> str:
        """Where a key is parked."""
        return bucket_of(key)

    def see_parked(self, parked: Sequence[Parked]) -> None:
        """What the queue says is parked."""
        self._parked = dict.fromkeys(self._left, 1) | {each.target: each.keys for each in parked}

    def takes(self) -> list[Take]:
        """Parked keys to take now: one to probe a target that is down, as many as there is room for of the others.

        Clients that hold least come first.
        """
        left, held = self.free, Counter(self._busy_clients)
        takes: list[Take] = []
        for bucket in sorted(self._parked, key=lambda bucket: held[self._client(bucket)]):
            client = self._client(bucket)
            if bucket in self._permits:
                most = 1
            elif bucket in self._shut:
                continue
            else:
                most = self._room(bucket, left, held[client], self._busy[bucket])
            most = min(most, self._parked[bucket], left)
            if most > 0:
                takes.append(Take(target=bucket, most=most))
                self._left.discard(bucket)
                left -= most
                held[client] += most
        return takes

    def shut(self, bucket: str) -> None:
        """The target is down, disabled or unknown: leave what is parked."""
        self._shut.add(bucket)
        # A permit of before would take a parked key of a disabled target again and again, as fast as we can.
        self._permits.discard(bucket)

    def open(self, bucket: str) -> None:
        """The target takes deliveries again."""
        self._shut.discard(bucket)
        self._permits.discard(bucket)
        self._openings += 1
        self._opened[bucket] = self._openings

    def found_open(self, bucket: str) -> None:
        """Its row says that it takes deliveries: another process opened it."""
        self._shut.discard(bucket)
        self._permits.discard(bucket)

    @property
    def closed(self) -> frozenset[str]:
        """Targets whose parked keys are left."""
        return frozenset(self._shut)

    @property
    def openings(self) -> int:
        """Counts `open`; for `opened_since`."""
        return self._openings

    def opened_since(self, bucket: str, openings: int) -> bool:
        """Whether a target was opened after ``openings`` was read: what was loaded before may be out of date."""
        return self._opened.get(bucket, 0) > openings

    def permit(self, bucket: str) -> None:
        """One key of this target may be tried although it is down."""
        self._permits.add(bucket)

    def may_probe(self, hand: Hand, *, in_doubt: bool) -> bool:
        """Use the permit up; without one, a target in doubt gets one probe at a time."""
        bucket = hand.bucket
        hand.permitted = bucket in self._permits
        if not hand.permitted and not (in_doubt and bucket not in self._probing):
            return False
        self._permits.discard(bucket)
        self._probing[bucket] += 1
        return True

    def unused(self, hand: Hand) -> None:
        """The target was not asked: if it used a permit up, another one may."""
        if hand.permitted:
            self.permit(hand.bucket)

    def probed(self, bucket: str) -> None:
        """A probe is over."""
        self._probing -= Counter((bucket,))


def _share(free: int, busy: int, times: int) -> int:
    """How many more of ``free`` slots one may take that has ``busy``: so many times what it leaves, one always."""
    if free <= 0:
        return 0
    return max((times * free - busy) // (times + 1), 1 if busy <= 0 else 0)
