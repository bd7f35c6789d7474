"""The ways to people: each channel is one line, on WhatsApp one for each number."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec

from wagate.errors import RequestError, StorageError
from wagate.hooks import OutMessage, PluginContext
from wagate.parsing.chats import chat_key
from wagate_alerts import by_apprise
from wagate_alerts.by_apprise import NotTakenError
from wagate_alerts.settings import Channel, Settings

PATIENCE: Final = 20.0
"""Seconds that WhatsApp may take before a message counts as waiting."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One message."""

    title: str
    text: str
    key: str
    """The same for the same message, so that a way that knows keys sends it once."""


Send = Callable[[Alert], Awaitable[str]]
"""'' when it left; else what is not quite right, though it must not be sent again. NotTakenError."""


@dataclass(kw_only=True)
class Ways:
    """What counts now; `wagate reload` puts new ones in their place."""

    settings: Settings
    lines: Mapping[str, Send]


def make_lines(context: PluginContext, settings: Settings) -> Mapping[str, Send]:
    """By name: that of the channel, on WhatsApp with the number's place: ``phone`` or ``phone 2``."""
    lines: dict[str, Send] = {}
    for name, channel in settings.channels.items():
        if channel.apprise:
            lines[name] = partial(_by_apprise, channel, settings.proxy)
        for place, to in enumerate(channel.to, 1):
            lines[name if len(channel.to) == 1 else f"{name} {place}"] = partial(_by_whatsapp, context, channel, to)
    return lines


async def _by_apprise(channel: Channel, proxy: str, alert: Alert) -> str:
    await by_apprise.send(channel.apprise, alert.title, alert.text, proxy=proxy)
    return ""


async def _by_whatsapp(context: PluginContext, channel: Channel, to: str, alert: Alert) -> str:
    account = context.accounts.get(channel.account)
    if account is None:
        raise NotTakenError(f"there is no account {channel.account!r}")
    message = OutMessage(chat=chat_key(to), type="text", text=f"*{alert.title}*\n\n{alert.text}", preview_url=False)
    try:
        made = await context.messages.send(message, client_id=account.client_id, account=account.name, key=alert.key)
        made = await context.messages.wait(made.id, client_id=account.client_id, seconds=PATIENCE)
    except (RequestError, StorageError) as error:
        raise NotTakenError(str(error)) from error
    if made.status == "failed":
        raise NotTakenError(f"{channel.account} could not send it: {made.error or 'no reason was given'}")
    if made.status in {"queued", "sending"}:
        return f"it waits to leave through {channel.account}" + (f": {made.error}" if made.error else "")
    return ""
