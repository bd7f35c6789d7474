"""Files go by their age, but not while something waits with them; on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.rows import NOW, event, route
from wagate.events import Event, Media
from wagate.events.kinds import MEDIA_ARRIVED, MESSAGE_SEND
from wagate.storage.database import Database
from wagate.storage.events.intake import Intake, store
from wagate.storage.media import Kept, insert_outbound
from wagate.storage.outbox.messages import Submission, submit
from wagate.storage.owners.clients import ensure_default_client
from wagate.storage.statement import rows, run
from wagate.storage.upkeep.retention import Ages, Files, forget_media, sweep

PICTURE = Media(mimetype="image/jpeg", filename="a.jpg", provider_id="77")
LATER = NOW + timedelta(days=31)


def with_file(**fields: Any) -> Event:
    return event(type="image", media=PICTURE, created_at=NOW, **fields)


async def there(database: Database) -> set[str]:
    return {id_ for (id_,) in await database.read(rows, "SELECT id FROM media WHERE status <> 'gone'")}


async def test_a_file_stays_as_long_as_something_waits_with_it(database: Database) -> None:
    waits, done, late = (with_file(message_id=name) for name in ("waits", "done", "late"))
    arrived = event(kind=MEDIA_ARRIVED, created_at=NOW, extra={"media_id": late.id})
    kept = Kept(sha256="0" * 64, mimetype="image/jpeg", filename="a.jpg", size=1)
    sends = Intake(event=event(kind=MESSAGE_SEND, created_at=NOW), routes=(route("outbound:main"),))

    def fill(db: Any) -> None:
        ensure_default_client(db, now=NOW)
        for name in ("queued", "unused"):
            insert_outbound(db, name, 1, kept, now=NOW)
        store(db, [Intake(event=each, routes=(route(),)) for each in (waits, done)])
        store(db, [Intake(event=late), Intake(event=arrived, routes=(route(),))])
        message = {"chat": "1@c.us", "type": "image", "media": {"media_id": "queued"}}
        submit(db, [Submission(id="m1", intake=sends, message=message, source="api")])
        run(db, "UPDATE deliveries SET settled = ? WHERE event_id = ?", (True, done.id))

    await database.write(fill)
    assert (await sweep(database, Ages(), now=LATER))["media"] == 2
    assert await there(database) == {waits.id, late.id, "queued"}
    await database.write(run, "UPDATE deliveries SET settled = ?", (True,))
    assert (await sweep(database, Ages(), now=LATER))["media"] == 3


async def test_files_that_stay_are_looked_at_once_in_a_sweep(database: Database) -> None:
    async def fill() -> None:
        await database.write(ensure_default_client, now=NOW)
        for number in range(7):
            item = Intake(event=with_file(message_id=str(number)), routes=(route(),) if number < 3 else ())
            await database.write_bulk(store, item)

    await fill()
    part, gone = Files(), []
    while part.last is not None:
        part = await database.write(forget_media, LATER, part, 2)
        gone.append(part.gone)
    assert gone == [0, 1, 2, 1]
