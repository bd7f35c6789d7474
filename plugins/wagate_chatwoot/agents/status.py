"""How the numbers behind an inbox are, told in the conversation of the integration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import sha256
from typing import Final

from wagate.errors import NotFoundError, Postpone, RequestError, SendError
from wagate.events import SESSION_STATES, Event, SessionStatus, kinds
from wagate.hooks import Delivery, Receipt, SessionView
from wagate.parsing.fields import first_text, instant, mapping
from wagate_chatwoot.agents.answers import qr_file, write_to_agents
from wagate_chatwoot.agents.texts import Texts
from wagate_chatwoot.inboxes import App

ALERTS: Final = frozenset({kinds.WEBHOOK_FAILING, kinds.WEBHOOK_DISABLED})
"""About targets of the same client, this inbox among them (then it is told in the others)."""
KINDS: Final = frozenset({kinds.SESSION_STATUS}) | ALERTS
SETTLED: Final = 10.0
"""Seconds that a state must last to be told: what comes and goes within is nobody's concern."""
LOOK: Final = 2.0
"""Seconds between two looks meanwhile: a QR code that came after waits no longer than that."""
OUTBOUND: Final = "outbound"
"""The core's connector to WhatsApp: its targets are accounts."""
MOST_REASON: Final = 300
"""Characters of somebody else's words."""


def wanted_by(apps: Iterable[App], event: Event) -> Iterator[App]:
    """Inboxes that tell of an event. Pure: for `Handler.targets`."""
    wants = _concerns if event.kind in ALERTS else _shows
    yield from (app for app in apps if app.inbox.status_conversation and wants(app, event))


async def handle(app: App, delivery: Delivery) -> Receipt | None:
    """Tell of one event, if it still is so."""
    if delivery.event.kind in ALERTS:
        await write_to_agents(app, alert_text(app.texts, delivery.event), delivery=delivery)
    else:
        await _session(app, delivery)
    return None


async def _session(app: App, delivery: Delivery) -> None:
    event = delivery.event
    status = event.extra.get("status")
    if status not in SESSION_STATES:
        return
    try:
        view = await app.context.sessions.view(event.account, client_id=event.client_id)
    except NotFoundError:
        return
    if view.status != status:
        return  # what it became since tells itself
    if status == SessionStatus.QR_GENERATED:
        await _qr(app, delivery, view)
        return
    shown = await app.context.store.get(_key(app, event.account))
    if shown == status:
        return
    scanned = status == SessionStatus.SESSION_CONNECTED and str(shown).startswith(SessionStatus.QR_GENERATED)
    _wait(app, event, soon=scanned)
    await write_to_agents(app, session_text(app.texts, view), delivery=delivery)
    await app.context.store.set(_key(app, event.account), status)


def _wait(app: App, event: Event, *, soon: bool) -> None:
    """Postpone until the state has lasted; ``soon``: somebody who just scanned the code looks at it."""
    age = app.context.clock.time() - event.created_at.timestamp()
    if not soon and 0 <= age < SETTLED:
        raise Postpone("the state may be temporary", after=min(LOOK, SETTLED - age), own=True)


async def _qr(app: App, delivery: Delivery, view: SessionView) -> None:
    """Each new code, at once."""
    event = delivery.event
    if view.qr and first_text(event.extra, "qr") not in {"", view.qr}:
        return
    try:
        qr = await app.context.sessions.qr(event.account, client_id=event.client_id)
        picture = await app.context.sessions.qr_png(event.account, client_id=event.client_id) if qr else None
    except (SendError, RequestError) as error:
        # It is the provider that fails, not Chatwoot: the inbox must not count as down for it.
        text = app.texts("status.qr_missing", account=view.account, reason=reason_of(error))
        await write_to_agents(app, text, delivery=delivery)
        return
    mark = f"{SessionStatus.QR_GENERATED}:{sha256(qr.encode()).hexdigest()[:16]}"
    if picture is None or await app.context.store.get(_key(app, event.account)) == mark:
        return
    text = app.texts("status.qr_generated", account=view.account)
    await write_to_agents(app, text, delivery=delivery, files=[qr_file(picture)])
    await app.context.store.set(_key(app, event.account), mark)


def reason_of(error: SendError | RequestError) -> str:
    """Why, in the words of who failed."""
    return (error.reason if isinstance(error, SendError) else error.detail)[:MOST_REASON]


def session_text(texts: Texts, view: SessionView) -> str:
    """A state with what to do about it."""
    values = {
        "account": view.account,
        "phone": f"+{view.phone}" if view.phone else "",
        "percent": view.percent or 0,
        "message": view.message[:MOST_REASON],
    }
    return texts(f"status.{view.status}", **values)


def alert_text(texts: Texts, event: Event) -> str:
    """What fails, and for how long."""
    about = mapping(event.extra.get("webhook"))
    connector, target = first_text(about, "connector"), first_text(about, "target")
    reason = first_text(about, "last_error")[:MOST_REASON]
    if connector == OUTBOUND:
        return texts("status.stopped", account=event.account or target, reason=reason)
    key = "status.disabled" if event.kind == kinds.WEBHOOK_DISABLED else "status.failing"
    since = instant(about.get("failing_since"))
    return texts(key, target=f"{connector} {target}", duration=duration(since, event.created_at), reason=reason)


def duration(since: datetime | None, until: datetime) -> str:
    """``3 h``; whole hours up to two days, then whole days."""
    hours = 0 if since is None else round((until - since).total_seconds() / 3600)
    return f"{hours} h" if hours <= 48 else f"{hours // 24} d"


def _shows(app: App, event: Event) -> bool:
    return app.shows(event.tenant, event.account)


def _concerns(app: App, event: Event) -> bool:
    """Whether an alert is about the client of the inbox; about a number, whether the inbox shows it."""
    about = mapping(event.extra.get("webhook"))
    if first_text(about, "connector") == OUTBOUND:
        return app.shows(event.tenant, event.account or first_text(about, "target"))
    return event.tenant == app.inbox.client


def _key(app: App, account: str) -> str:
    return f"{app.name}/told/{account}"
