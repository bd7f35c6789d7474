"""How WhatsApp shows a chat, asked of its provider before a contact is made. It is never worth a message."""

from __future__ import annotations

from typing import Final

import trio

from wagate.errors import WagateError
from wagate.hooks import Profile
from wagate_chatwoot.inboxes import App
from wagate_chatwoot.to_chatwoot.people import Who, named

PATIENCE: Final = 5.0
"""Seconds that a chat's first message waits for it."""


async def look_up(app: App, who: Who) -> tuple[Who, str]:
    """Who it is, by the name that WhatsApp shows if nobody gave one, and the URL of the picture ('': none)."""
    if not app.inbox.profiles or who.chat.endswith("@broadcast"):
        return who, ""
    profile = await _asked(app, who)
    return named(who, profile.name, app.texts), profile.picture


async def _asked(app: App, who: Who) -> Profile:
    try:
        with trio.fail_after(PATIENCE):
            return await app.context.sessions.profile(who.chat, account=who.account, client_id=app.client_id)
    except (WagateError, trio.TooSlowError) as error:
        reason = str(error) or type(error).__name__
        app.context.log.info("no profile for a contact", inbox=app.name, account=who.account, reason=reason)
        return Profile()
