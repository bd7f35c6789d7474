"""A table of all messages that a spreadsheet opens: a CSV file for each month, in the plugin's folder.

[plugins.csv_log]
file = "csv_log.py"
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import trio

from wagate.events import Event
from wagate.hooks import Delivery, Handler, PluginContext, Receipt, Target, hookimpl

HEAD = ["id", "time", "account", "chat", "name", "from us", "type", "text", "file"]
TAIL = 65_536
"""Bytes at the end of a file in which a row is looked for that an earlier try may have written."""


@hookimpl
def register_handlers(context: PluginContext) -> Iterable[Handler]:
    async def handle(delivery: Delivery) -> Receipt:
        event = delivery.event
        path = context.folder() / f"messages-{event.timestamp:%Y-%m}.csv"
        row = row_of(event, context.media.url(event) or "")
        await trio.to_thread.run_sync(append, path, delivery.id, [delivery.id, *row])
        return Receipt(response=path.name)

    # One at a time: rows stand in the order in which they came, and none is torn.
    return [Handler(name=context.name, targets=targets, handle=handle, concurrency=1)]


def targets(event: Event) -> list[Target]:
    """One table, with what others write and what we write."""
    return [Target(id="table")] if event.kind in {"message", "message.any"} else []


def row_of(event: Event, link: str) -> list[str]:
    """The cells. What a customer wrote is text: a spreadsheet must not take ``=…`` for a formula."""
    written = [event.contact_name or "", "yes" if event.from_me else "", event.type, event.content]
    return [event.timestamp.isoformat(), event.account, event.chat, *map(as_text, written), link]


def as_text(cell: str) -> str:
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def append(path: Path, row_id: str, row: list[str]) -> None:
    """Write one row, and the head of a new file; a row that an earlier try wrote is not written again."""
    line = io.StringIO()
    writer = csv.writer(line)
    with path.open("a+b") as file:
        size = file.seek(0, io.SEEK_END)
        if size == 0:
            writer.writerow(HEAD)
        file.seek(max(0, size - TAIL))
        if row_id.encode() in file.read():
            return
        writer.writerow(row)
        file.write(line.getvalue().encode())
