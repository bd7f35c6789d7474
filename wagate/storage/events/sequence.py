"""The order of a chat at a target: each delivery gets the next ``seq`` of its key, inside the commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count

import peewee

from wagate.storage.statement import marks, rows, slices


def take_seqs(db: peewee.Database, keys: Sequence[str]) -> list[int]:
    """The next ``seq`` for each entry of ``keys`` (with repeats), rising per key in the order given.

    The lane's row stays locked until the commit, so ``seq`` order is commit order. Keys are taken sorted: two
    processes never wait for each other crosswise.
    """
    wanted = sorted(Counter(keys).items())
    next_seq: dict[str, Iterator[int]] = {}
    for part in slices(wanted):
        text = (
            f"INSERT INTO lanes (key, seq) VALUES {marks(2, len(part))} "  # noqa: S608  (placeholders only)
            "ON CONFLICT (key) DO UPDATE SET seq = lanes.seq + excluded.seq RETURNING key, seq"
        )
        amounts = dict(part)
        for key, last in rows(db, text, [value for pair in part for value in pair]):
            next_seq[key] = count(last - amounts[key] + 1)
    return [next(next_seq[key]) for key in keys]
