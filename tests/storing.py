"""A process that stores events in a database and prints each id once its write has returned.

python tests/storing.py URL COUNT CHATS
"""

from __future__ import annotations

import sys
from pathlib import Path

import trio

from tests.rows import intake
from wagate.storage.database import Database, open_database
from wagate.storage.events.intake import store

TASKS = 8


async def storing(database: Database, count: int, chats: int) -> None:
    for number in range(count):
        stored = await database.write_bulk(store, intake(chat=f"{number % chats}@c.us"))
        sys.stdout.write(f"{stored.event_id}\n")
        sys.stdout.flush()


async def main(url: str, count: int, chats: int) -> None:
    async with open_database(url, Path()) as database, trio.open_nursery() as nursery:
        for _ in range(TASKS):
            nursery.start_soon(storing, database, count, chats)


if __name__ == "__main__":
    trio.run(main, sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
