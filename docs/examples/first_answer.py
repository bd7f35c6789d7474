"""Raises an alarm when a customer waits too long for the first answer.

[plugins.first_answer]
file = "first_answer.py"
url = "https://chat.example.org/hooks/support"
after = "15m"
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta

import msgspec

from wagate.events import Event
from wagate.hooks import Delivery, Duration, Handler, PluginContext, SecretText, Target, hookimpl
from wagate.http import HttpError

LOOK = 20.0
"""Seconds between two looks."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """``[plugins.first_answer]``."""

    url: SecretText
    """Where ``{"text": …}`` is posted, as Slack, Mattermost and Teams take it: who knows it can post there."""
    after: Duration = Duration(900)


@hookimpl
def settings_type() -> type[msgspec.Struct]:
    return Settings


@hookimpl
def register_handlers(context: PluginContext) -> Iterable[Handler]:
    async def handle(delivery: Delivery) -> None:
        """Note who waits since when; an answer of ours ends it. In order, as everything in one chat."""
        event, key = delivery.event, f"waits:{delivery.event.account}:{delivery.event.chat}"
        if event.kind == "message.any":
            await context.store.delete(key)
        elif await context.store.get(key) is None:
            await context.store.set(key, {"since": event.timestamp.isoformat(), "told": False})

    return [Handler(name=context.name, targets=targets, handle=handle)]


@hookimpl
def register_tasks(context: PluginContext) -> Iterable[Callable[[], Awaitable[None]]]:
    async def watch() -> None:
        while True:
            await alarm(context)
            await context.clock.sleep(LOOK)

    return [watch]


def targets(event: Event) -> list[Target]:
    """Messages of one person, and ours to them."""
    is_dialogue = event.chat.endswith(("@c.us", "@lid", "@user"))
    return [Target(id="watch")] if is_dialogue and event.kind in {"message", "message.any"} else []


async def alarm(context: PluginContext) -> None:
    """Tell once of each chat that waits too long. What could not be told is told at the next look."""
    settings = context.settings
    assert isinstance(settings, Settings)
    latest = context.clock.now() - timedelta(seconds=settings.after)
    for key, waits in (await context.store.items("waits:")).items():
        if waits["told"] or datetime.fromisoformat(waits["since"]) > latest:
            continue
        account, chat = key.removeprefix("waits:").split(":", 1)
        body = {"text": f"{chat} has waited for an answer on {account} since {waits['since']}"}
        try:
            answer = await context.http.request(
                "POST",
                settings.url,
                headers={"Content-Type": "application/json"},
                content=msgspec.json.encode(body),
                trust="operator",
            )
        except HttpError as error:
            context.log.warning("alarm not raised", error=error.reason)
            continue
        if answer.status < 300:
            await context.store.set(key, {**waits, "told": True})
        else:
            context.log.warning("alarm not raised", status=answer.status)
