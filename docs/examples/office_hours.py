"""Answers outside office hours: once a day for each chat, in words of yours.

[plugins.office_hours]
file = "office_hours.py"
zone = "Europe/Berlin"
text = "Thank you! We are back at nine on weekdays."
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import time
from zoneinfo import ZoneInfo

import msgspec

from wagate.errors import NotFoundError, Reject, Retry, SendError, UnprocessableError
from wagate.events import Event
from wagate.hooks import Delivery, Handler, OutMessage, PluginContext, Receipt, Target, hookimpl


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """``[plugins.office_hours]``."""

    text: str
    """The answer."""
    zone: str = "UTC"
    """Where the office is."""
    opens: time = time(9)
    closes: time = time(18)
    days: tuple[int, ...] = (1, 2, 3, 4, 5)
    """1 is Monday."""

    def __post_init__(self) -> None:
        """Refuse what can't be: the message names the key."""
        if not self.opens < self.closes:
            raise ValueError("opens must be before closes")
        try:
            ZoneInfo(self.zone)
        except (KeyError, OSError, ValueError) as error:
            raise ValueError(f"zone: there is no time zone {self.zone!r}; write it like Europe/Berlin") from error


@hookimpl
def settings_type() -> type[msgspec.Struct]:
    return Settings


@hookimpl
def register_handlers(context: PluginContext) -> Iterable[Handler]:
    settings = context.settings
    assert isinstance(settings, Settings)

    def targets(event: Event) -> list[Target]:
        return [Target(id="answer")] if wants_answer(event) and is_closed(event, settings) else []

    async def handle(delivery: Delivery) -> Receipt:
        event = delivery.event
        day = str(event.timestamp.astimezone(ZoneInfo(settings.zone)).date())
        answered = f"answered:{event.account_id or event.account}:{event.chat}"
        if await context.store.get(answered) == day:
            return Receipt(response="answered today")
        message = OutMessage(chat=event.chat, type="text", text=settings.text)
        try:
            # The key makes a second try of this delivery the same message.
            await context.messages.send(message, client_id=event.client_id, account=event.account, key=delivery.id)
        except (NotFoundError, UnprocessableError) as error:
            raise Reject(str(error)) from error
        except SendError as error:
            raise Retry(error.reason) from error
        await context.store.set(answered, day)
        return Receipt(response="answered")

    return [Handler(name=context.name, targets=targets, handle=handle)]


def wants_answer(event: Event) -> bool:
    """A message of one person; groups, channels and our own are left alone, and so is a machine's echo."""
    return event.kind == "message" and not event.from_me and event.chat.endswith(("@c.us", "@lid", "@user"))


def is_closed(event: Event, settings: Settings) -> bool:
    """By the time of the message, so that a retry decides as the first try did."""
    local = event.timestamp.astimezone(ZoneInfo(settings.zone))
    return local.isoweekday() not in settings.days or not settings.opens <= local.time() < settings.closes
