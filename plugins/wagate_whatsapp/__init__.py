"""The provider ``whatsapp``: a number of one's own, linked as a device, without a service beside wagate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from wagate.clock import Clock
from wagate.hooks import SESSION_ACTIONS, PluginContext, Provider, ProviderAccount, hookimpl
from wagate.hooks.asks import Answer, Answers
from wagate.hooks.providers import UNOFFICIAL
from wagate_whatsapp.ask_groups import GROUPS
from wagate_whatsapp.ask_messages import MESSAGES
from wagate_whatsapp.ask_people import PEOPLE
from wagate_whatsapp.asking import Act, Asked
from wagate_whatsapp.check import Checker, check_installed
from wagate_whatsapp.engine import Engine
from wagate_whatsapp.listen import Listener
from wagate_whatsapp.media import Shelf
from wagate_whatsapp.number import CONFIG_ONLY, SECRETS, Numbers, WhatsAppSettings
from wagate_whatsapp.reach import Reach
from wagate_whatsapp.send import LIMITS, Sender, limits_of

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
        "recording",
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
        notice=UNOFFICIAL,
        settings_type=WhatsAppSettings,
        secrets=SECRETS,
        config_only=CONFIG_ONLY,
        sessions=True,
        self_hosted=True,  # it takes files, no links: wagate fetches them
        abilities=ABILITIES,
        limits=LIMITS,
        limits_of=limits_of,
        run=listener.run,
        release=listener.release,
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


def answers(reach: Reach, sender: Sender, clock: Clock) -> Answers:
    """For `Provider.answers`."""

    def bound(act: Act) -> Answer:
        async def answer(ask: Any, account: ProviderAccount) -> Any:
            return await act(Asked(reach, account, sender, clock), ask)

        return answer

    return {kind: bound(act) for kind, act in (GROUPS | PEOPLE | MESSAGES).items()}


class WhatsAppPlugin:
    """Its hooks."""

    @hookimpl
    def register_providers(self, context: PluginContext) -> Iterable[Provider]:
        """One provider. NotInstalledError: its engine is not there."""
        check_installed()
        return [make_provider(context)]


plugin = WhatsAppPlugin()
