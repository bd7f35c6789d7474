"""The provider ``whatsapp``, put together."""

from __future__ import annotations

from wagate.hooks import SESSION_ACTIONS, PluginContext, Provider
from wagate_whatsapp.answers import answers
from wagate_whatsapp.check import Checker
from wagate_whatsapp.engine import Engine
from wagate_whatsapp.listen import Listener
from wagate_whatsapp.media import Shelf
from wagate_whatsapp.number import Numbers
from wagate_whatsapp.reach import Reach
from wagate_whatsapp.send import LIMITS, Sender
from wagate_whatsapp.settings import SECRETS, WhatsAppSettings

ABILITIES = frozenset(SESSION_ACTIONS) | frozenset(
    {
        "text",
        "image",
        "video",
        "audio",
        "voice",
        "document",
        "sticker",
        "location",
        "contacts",
        "poll",
        "reaction",
        "reply",
        "preview",
        "seen",
        "typing",
        "revoke",
        "edit",
    }
)


def make_provider(context: PluginContext) -> Provider:
    """One engine for all of its accounts."""
    engine = Engine(context.folder, context.clock, context.log)
    numbers = Numbers(context.folder)
    reach = Reach(engine, numbers)
    listener, sender = Listener(engine, numbers, context.clock), Sender(reach, context.clock)
    return Provider(
        name="whatsapp",
        title="WhatsApp (linked device)",
        settings_type=WhatsAppSettings,
        secrets=SECRETS,
        sessions=True,
        self_hosted=True,  # it takes files, no links: wagate fetches them
        abilities=ABILITIES,
        limits=LIMITS,
        run=listener.run,
        lifespan=engine.lifespan,
        forget=listener.forget,
        pair_code=listener.pair_code,
        fetch_media=Shelf(context.http),
        send=sender.send,
        signal=sender.signal,
        revoke=sender.revoke,
        edit=sender.edit,
        profile=sender.profile,
        control=listener.control,
        qr=listener.qr,
        answers=answers(reach, sender, context.clock),
        check=Checker(engine, numbers, context.clock),
    )
