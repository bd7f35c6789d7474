"""A connector for wagate: tells a team's room when a customer's message holds one of its words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec
from quart import Blueprint

from wagate.errors import ForbiddenError, Reject, Retry
from wagate.events import Event
from wagate.hooks import Delivery, Handler, PluginContext, Receipt, SecretText, Target, endpoint, hookimpl
from wagate.http.errors import HttpError


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """``[plugins.alarm.rooms.<name>]``."""

    url: SecretText
    """Where the alarm is posted: who knows it can post there."""
    words: list[str]
    """One of them in a message raises it."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """``[plugins.alarm]``. An unknown key is refused with the nearest right one."""

    rooms: dict[str, Room]
    """By name."""


class LastAlarm(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of ``GET /plugins/alarm/last/{room}``."""

    room: str
    at: datetime | None
    """None: there was none yet."""


@hookimpl
def settings_type() -> type[Settings]:
    """The type of ``[plugins.alarm]``."""
    return Settings


@hookimpl
def register_handlers(context: PluginContext) -> Iterable[Handler]:
    """One handler; its targets are the rooms."""
    rooms = settings_of(context).rooms

    def targets(event: Event) -> list[Target]:
        return targets_of(event, rooms)

    async def handle(delivery: Delivery) -> Receipt:
        receipt = await post(context, rooms[delivery.target], delivery)
        await context.store.set(f"last:{delivery.target}", context.clock.now().isoformat())
        return receipt

    return [Handler(name=context.name, targets=targets, handle=handle, concurrency=4)]


@hookimpl
def register_routes(context: PluginContext) -> Iterable[Blueprint]:
    """``/plugins/alarm/…``: no prefix of its own, so it gets that of its name."""
    blueprint = Blueprint(context.name, __name__)

    @blueprint.get("/last/<room>")
    @endpoint(answers={200: LastAlarm}, problems=(403,))
    async def last(room: str) -> LastAlarm:
        """When a room was last alarmed."""
        if not context.auth.identity().admin:
            raise ForbiddenError("this needs the admin token")
        at = await context.store.get(f"last:{room}")
        return LastAlarm(room=room, at=datetime.fromisoformat(at) if at else None)

    return [blueprint]


def settings_of(context: PluginContext) -> Settings:
    """The plugin's settings, typed."""
    assert isinstance(context.settings, Settings)
    return context.settings


def targets_of(event: Event, rooms: dict[str, Room]) -> list[Target]:
    """The rooms that want this event: pure and quick, since it runs while the message is taken in."""
    if event.kind != "message":
        return []
    text = event.content.lower()
    return [Target(id=name) for name, room in rooms.items() if any(word.lower() in text for word in room.words)]


async def post(context: PluginContext, room: Room, delivery: Delivery) -> Receipt:
    """Post one alarm. Retry: again later, in order. Reject: never again."""
    event = delivery.event
    alarm = {"id": delivery.id, "text": f"{event.contact_name or 'A customer'} wrote: {event.content}"}
    try:
        answer = await context.http.request(
            "POST",
            room.url,
            headers={"Content-Type": "application/json"},
            content=msgspec.json.encode(alarm),
            timeout=context.timeout,
            trust="operator",  # the URL is from config.toml
        )
    except HttpError as error:
        raise Retry(error.reason) from error
    if 200 <= answer.status < 300:
        return Receipt(http_status=answer.status)
    if answer.status >= 500 or answer.status in {408, 425, 429}:
        raise Retry(f"Server error ({answer.status})", http_status=answer.status)
    raise Reject(f"Client error ({answer.status})", http_status=answer.status)
