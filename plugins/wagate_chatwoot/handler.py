"""The one handler: targets ``in/<inbox>`` take what happens on WhatsApp, ``out/<inbox>`` what agents do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping

from wagate.errors import Reject
from wagate.events import Event
from wagate.hooks import Delivery, Handler, PluginContext, Receipt, Target
from wagate_chatwoot import incoming
from wagate_chatwoot.apps import App, Apps

CONCURRENCY = 32
TIMEOUT = 150.0
"""Seconds for one delivery, the fetching and the upload of a file included."""

Handle = Callable[[App, Delivery], Awaitable[Receipt | None]]

WAYS: Mapping[str, Handle] = {"in": incoming.handle}
"""What a target's first part leads to. ``out`` (outgoing.handle) and message.failed (results.handle) belong here."""


def make_handler(context: PluginContext, apps: Apps) -> Handler:
    """Of all inboxes. A target fails, is held and recovers on its own, so each inbox does, in each direction."""

    def targets(event: Event) -> Iterator[Target]:
        if event.kind in incoming.KINDS:
            yield from (Target(id=app.incoming) for app in apps.showing(event))

    async def handle(delivery: Delivery) -> Receipt | None:
        way, _, name = delivery.target.partition("/")
        if name not in apps or way not in WAYS:
            raise Reject(f"there is no inbox {name!r} in the configuration any more")
        return await WAYS[way](apps[name], delivery)

    return Handler(name=context.name, targets=targets, handle=handle, concurrency=CONCURRENCY, timeout=TIMEOUT)
