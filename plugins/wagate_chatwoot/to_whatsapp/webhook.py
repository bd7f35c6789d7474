"""``POST /webhooks/chatwoot/<account>/<app_id>``: verify, decode, store, answer. Nothing is sent from here.

A webhook is Chatwoot's if its signature says so, or a token in the URL for servers that don't sign.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from quart import Blueprint, request

from wagate.errors import UnauthorizedError, UnavailableError
from wagate.events import NewEvent
from wagate.hooks import PluginContext, Target, endpoint
from wagate.parsing.fields import whole
from wagate_chatwoot.inboxes import App, Apps
from wagate_chatwoot.settings import Inbox
from wagate_chatwoot.signals import Signals
from wagate_chatwoot.to_chatwoot.conversations import ended
from wagate_chatwoot.to_whatsapp.actions import (
    Action,
    Assigned,
    Command,
    Delete,
    Ignore,
    Lasting,
    Moved,
    Resend,
    Send,
    Typing,
)
from wagate_chatwoot.to_whatsapp.chat_of import chat_named
from wagate_chatwoot.to_whatsapp.decode import decode

PREFIX = "/webhooks/chatwoot"
KIND = "chatwoot.message"
"""Of the events that agents' doings are."""
ACTION = "chatwoot"
"""In their ``extra``: what was done."""
SITE = "site"
"""Beside it, `App.site`: where."""
TOLERANCE = 300.0
"""Seconds that a signature's time may be away from ours, either way."""
SIGNATURE_PREFIX = "sha256="


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """It is stored, or there was nothing to do."""

    success: Literal[True] = True


TICKED = frozenset({"delivered", "read"})
"""Statuses of an entry that *Retry* can't follow: Chatwoot offers it for what failed."""
REFUSED = "no inbox accepts this webhook: its path, secret or signature is wrong"
"""Said of an inbox that there is none of, too: nobody finds out names here. The log says more."""


def make_routes(context: PluginContext, apps: Apps, signals: Signals) -> Blueprint:
    """The one route."""
    blueprint = Blueprint(f"{context.name}_webhook", __name__, url_prefix=PREFIX)

    @blueprint.post("/<account>/<app_id>")
    @endpoint(answers={200: Taken}, problems=(400, 401, 413, 429, 503), public=True, large=True)
    async def take(account: str, app_id: str) -> Any:
        """Chatwoot's webhook of an API inbox; ``account`` is one that the inbox shows, or its client's slug."""
        app = _app(apps, account, app_id)
        body = await request.get_data(cache=True, as_text=False, parse_form_data=False)
        headers = {name.lower(): value for name, value in request.headers.items()}
        token = request.args.get("token", "")
        try:
            verify(app.inbox, headers, token, body, now=context.clock.time())
        except UnauthorizedError as error:
            context.log.warning("chatwoot webhook refused", inbox=app.name, reason=error.detail)
            raise UnauthorizedError(REFUSED) from error
        app.memory.heard = context.clock.time()
        action = decode(body, app.inbox)
        delivery = headers.get("x-chatwoot-delivery", "")[:100]
        done = await accept(app, signals, action, delivery=delivery)
        context.log.info("chatwoot webhook", inbox=app.name, action=type(action).__name__, outcome=done)
        return Taken()

    return blueprint


def _app(apps: Apps, account: str, name: str) -> App:
    app = apps.get(name)
    if app is None or not (account == app.inbox.client or app.shows(app.inbox.client, account)):
        raise UnauthorizedError(REFUSED)
    return app


async def accept(app: App, signals: Signals, action: Action, *, delivery: str) -> str:
    """Make sure that an action will be done; in a word, what became of it. What lasts is committed on return.

    ``delivery`` is Chatwoot's id of this webhook. StorageError: nothing was stored, and Chatwoot shows it as failed.
    """
    match action:
        case Ignore():
            return action.reason
        case Send():
            if await app.ledger.handed(action.message) is not None:
                return "known"
            await app.ledger.wait(action.where.conversation, action.message, msgspec.to_builtins(action))
            await _emit(app, action, provider_id=f"{app.name}/{action.message}")
        case Delete():
            # What waits is not sent from now on, however long its delivery takes.
            await app.ledger.done(action.where.conversation, action.message)
            await _emit(app, action, provider_id=f"{app.name}/{action.message}", variant="deleted")
        case Resend():
            # Two presses of Retry look the same: the ledger tells them apart when it is their turn.
            known = await app.ledger.handed(action.send.message) is not None
            if not known and not action.bare:
                return "an update of an unknown message"
            entry = await app.ledger.by_message(action.send.message)
            if known and entry is not None and entry.status in TICKED:
                return "an update of a message that was sent"  # our own ticks come back so, one by one
            await _emit(app, action, provider_id=f"{app.name}/{delivery}" if delivery else "", variant="update")
        case Command():
            await _emit(app, action, provider_id=f"{app.name}/{action.message}", variant="command")
        case Moved():
            await ended(app, action.where.conversation, action.status)
        case Typing() | Assigned():
            return "offered" if signals.offer(app, action) else "dropped"
    return "stored"


async def _emit(app: App, action: Lasting, *, provider_id: str, variant: str = "") -> None:
    client_id = app.client_id
    if client_id is None:
        raise UnavailableError(f"there is no client {app.inbox.client!r} yet", retry_after=60)
    send = action.send if isinstance(action, Resend) else action
    chat = chat_named(app, send.where)
    event = NewEvent(
        kind=KIND,
        provider_id=provider_id,
        variant=variant,
        # The order is the conversation's: its deliveries run one after the other.
        chat=chat.key if chat is not None else f"conversation/{send.where.conversation}",
        type=type(action).__name__.lower(),
        content=send.content if isinstance(send, Send) else "",
        from_me=True,
        extra={ACTION: msgspec.to_builtins(action), SITE: app.site},
    )
    account = chat.account if chat is not None and chat.account is not None else ""
    await app.context.emit(event, client_id=client_id, account=account, only=[Target(id=app.outgoing)])


def verify(inbox: Inbox, headers: Mapping[str, str], token: str, body: bytes, *, now: float) -> None:
    """``X-Chatwoot-Signature`` is ``sha256=`` and the hex HMAC-SHA256 of ``<timestamp>.<raw body>`` under the secret.

    Header names in lower case; ``token`` is the URL's ``?token=``, ``now`` in Unix seconds. Without a ``secret`` the
    inbox' ``webhook_token`` must be the token. Source: github.com/chatwoot/chatwoot, lib/webhooks/trigger.rb.

    Raises:
        UnauthorizedError: it is not Chatwoot's, or too old, or the inbox has neither secret nor token.
    """
    if inbox.secret:
        _verify_signature(inbox.secret, headers, body, now)
    elif not inbox.webhook_token:
        raise UnauthorizedError(
            "this inbox has neither secret nor webhook_token, so its webhooks are refused; set one of them"
        )
    elif not hmac.compare_digest(token.encode("utf-8", "replace"), inbox.webhook_token.encode()):
        raise UnauthorizedError("?token= is not this inbox' webhook_token")


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What Chatwoot writes into ``X-Chatwoot-Signature``."""
    signed = timestamp.encode("utf-8", "replace") + b"." + body
    return SIGNATURE_PREFIX + hmac.digest(secret.encode(), signed, hashlib.sha256).hex()


def _verify_signature(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> None:
    given, timestamp = headers.get("x-chatwoot-signature", ""), headers.get("x-chatwoot-timestamp", "")
    if not given:
        raise UnauthorizedError(
            "X-Chatwoot-Signature is missing: Chatwoot signs from 4.13 on; use webhook_token before"
        )
    expected = signature(secret, timestamp, body)
    if not hmac.compare_digest(given.strip().lower().encode("utf-8", "replace"), expected.encode()):
        raise UnauthorizedError("X-Chatwoot-Signature does not match; compare secret with the inbox' webhook secret")
    seconds = whole(timestamp)
    if seconds is None or abs(seconds - now) > TOLERANCE:
        raise UnauthorizedError(f"X-Chatwoot-Timestamp is more than {TOLERANCE:g} s away from our clock")
