"""The one handler: targets ``in/<inbox>`` take what happens on WhatsApp, ``out/<inbox>`` what agents do.

``typing/<inbox>`` takes what may be lost.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from typing import Final

from wagate.errors import DeliveryError, Postpone, Reject, Retry
from wagate.events import Event, kinds
from wagate.hooks import (
    Delivery,
    DeliveryView,
    Handler,
    PluginContext,
    Receipt,
    RequestView,
    Target,
    TargetName,
)
from wagate_chatwoot import pull, signals
from wagate_chatwoot.agents import answers, status
from wagate_chatwoot.api.errors import (
    AmbiguousError,
    BusyError,
    ChatwootError,
    ChatwootStoppedError,
    RefusedError,
    TooLargeError,
)
from wagate_chatwoot.inboxes import App, Apps
from wagate_chatwoot.to_chatwoot import acks, incoming, notices, results
from wagate_chatwoot.to_whatsapp import outgoing

CONCURRENCY = 32
TIMEOUT = 150.0
"""Seconds for one delivery, the fetching and the upload of a file included."""

Handle = Callable[[App, Delivery], Awaitable[Receipt | None]]

IN: Mapping[str, Handle] = {
    **incoming.HANDLES,
    **dict.fromkeys(results.KINDS, results.handle),
    **dict.fromkeys(status.KINDS, status.handle),
    **dict.fromkeys(pull.KINDS, pull.handle),
    answers.KIND: answers.handle,
    notices.AGAIN: acks.again,
}
"""Kind of event → what writes it in Chatwoot."""
PAUSED = incoming.KINDS | pull.KINDS
"""What waits while an agent lets it wait; answers and alerts do not."""

WAYS: Final = {"out": "From ", signals.TYPING: "Typing in "}
"""First part of a target → how its name begins."""
STOPPED: Final = 60.0
"""Seconds at least until Chatwoot is asked again whether its configuration was mended."""


def make_handler(
    context: PluginContext, apps: Apps, *, done: Callable[[App, Event], None] = lambda _app, _event: None
) -> Handler:
    """Of all inboxes. A target fails, is held and recovers on its own, so each inbox does, in each direction.

    ``done`` is told of each event that was worked on.
    """

    def targets(event: Event) -> Iterator[Target]:
        if event.kind in status.KINDS:
            yield from (Target(id=app.incoming) for app in status.wanted_by(apps.values(), event))
        elif event.kind == kinds.PRESENCE_UPDATE:
            yield from (
                Target(id=f"{signals.TYPING}/{app.name}", max_retries=1)
                for app in apps.showing(event)
                if signals.wants_typing(app, event)
            )
        elif event.kind in IN:
            yield from (Target(id=app.incoming) for app in apps.showing(event) if _wants(app, event))

    async def handle(delivery: Delivery) -> Receipt | None:
        way, _, name = delivery.target.partition("/")
        if way == signals.TYPING:
            if name in apps:
                await signals.show_typing(apps[name], delivery)
            return None
        does = IN.get(delivery.event.kind) if way == "in" else outgoing.handle
        if name not in apps or does is None:
            raise Reject(f"there is no inbox {name!r} in the configuration")
        if delivery.event.client_id != apps[name].client_id:
            raise Reject(f"the inbox {name!r} now belongs to another client")
        if delivery.event.kind in PAUSED and way == "in":
            await apps[name].pause.hold()
        receipt = await _done(apps[name], delivery, does)
        done(apps[name], delivery.event)
        return receipt

    def describe(target: str) -> TargetName:
        way, _, name = target.partition("/")
        return TargetName(
            name=f"{WAYS.get(way, '')}Chatwoot inbox {name}", url=apps[name].inbox.url if name in apps else ""
        )

    return Handler(
        name=context.name,
        targets=targets,
        handle=handle,
        describe=describe,
        request=partial(_show_request, apps),
        concurrency=CONCURRENCY,
        timeout=TIMEOUT,
    )


async def _show_request(apps: Apps, delivery: DeliveryView) -> RequestView | None:
    way, _, name = delivery.target.partition("/")
    ours = way == "in" and name in apps and apps[name].client_id == delivery.event.client_id
    return await incoming.show_request(apps[name], delivery) if ours else None


def _wants(app: App, event: Event) -> bool:
    return event.kind not in results.KINDS or results.concerns(app, event)


async def _done(app: App, delivery: Delivery, does: Handle) -> Receipt | None:
    try:
        return await does(app, delivery)
    except ChatwootError as error:
        if isinstance(error, ChatwootStoppedError):
            # The one line to look for: nothing reaches this inbox until somebody acts.
            app.context.log.warning("chatwoot inbox paused", inbox=app.name, reason=error.reason)
        raise verdict(error) from error


def verdict(error: ChatwootError) -> DeliveryError:
    """The error for the core. Pure.

    A wrong token, a suspended account: the inbox counts as down at once, all that is for it is held in order, and no
    attempt is spent until it is mended. Too fast: wait, at no cost. Refused as it is: never again. All else: again, and
    what Chatwoot may still be doing not before it is over.
    """
    match error:
        case ChatwootStoppedError():
            reason = f"Chatwoot accepts nothing until its settings are fixed: {error.reason}"
            return Retry(reason, after=STOPPED, down=True, http_status=error.http_status, response=error.response)
        case BusyError():
            return Postpone(f"Chatwoot is busy: {error.reason}", after=error.after, slow=error.http_status == 429)
        case RefusedError() | TooLargeError():
            return Reject(error.reason, http_status=error.http_status, response=error.response)
        case AmbiguousError() if error.lingers:
            return Retry(error.reason, after=error.lingers, http_status=error.http_status, response=error.response)
    return Retry(error.reason, http_status=error.http_status, response=error.response)
