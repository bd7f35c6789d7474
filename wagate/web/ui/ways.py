"""Ways to reach WhatsApp, as a person chooses among them; a plugin's provider is offered under its own title."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from wagate.hooks.providers import Provider

ENGINE: Final = "whatsapp"
"""The provider that is wagate's own engine."""
INSTALL: Final = 'pip install "wagate[whatsapp]"'
"""What brings it."""
UNSET: Final = frozenset({"engine"})
"""Nothing to add: these accounts come by themselves."""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One way."""

    name: str
    """The provider's."""
    title: str
    text: str = ""
    """For whom it is."""
    steps: tuple[str, ...] = ()
    """What is to be done over there, once the number is added."""
    secret: bool = False
    """Whether its webhooks carry the account's webhook secret."""


WAYS: Final = (
    Way(
        name="meta",
        title="Meta Cloud API",
        text="A business number at Meta. You need a system user's access token and the number's ID.",
        steps=(
            "In the app's dashboard open WhatsApp, Configuration, Webhook, Edit.",
            "Paste the callback URL and the verify token, and press Verify and save.",
            "Below, subscribe to the field messages.",
        ),
    ),
    Way(
        name="dialog360",
        title="360dialog",
        text="A business number at 360dialog. You need its API key.",
        steps=(
            "Set the callback URL as the number's webhook, with the webhook secret in the header X-Webhook-Secret.",
        ),
        secret=True,
    ),
    Way(
        name="infobip",
        title="Infobip",
        text="A sender at Infobip. You need an API key and the sender's number.",
        steps=(
            "In Channels and Numbers open the sender, and forward its messages to the callback URL.",
            "Add the webhook secret to the URL, as ?token=…",
        ),
        secret=True,
    ),
    Way(
        name="twilio",
        title="Twilio",
        text="A WhatsApp sender at Twilio. You need the account's SID and auth token.",
        steps=("Open the sender, and set the callback URL as the webhook for incoming messages.",),
    ),
    Way(
        name="waha",
        title="WAHA",
        text="A WAHA that runs already. You need its address and its API key.",
        steps=(
            "Add the callback URL to the session's webhooks, with all events.",
            "Take the webhook secret as the webhook's HMAC key.",
        ),
        secret=True,
    ),
    Way(
        name="session",
        title="Session engine",
        text="An engine of the wwebjs kind that runs already. You need its address.",
        steps=("Set the callback URL as the engine's webhook, with the webhook secret as ?token=…",),
        secret=True,
    ),
)


def ways(providers: Sequence[Provider]) -> list[Way]:
    """All that can be added by a form; the own engine stands apart."""
    there = {each.name: each for each in providers if each.name not in UNSET}
    known = [way for way in WAYS if way.name in there]
    named = {each.name for each in known} | {ENGINE}
    return known + [
        Way(name=each.name, title=each.title, secret=True) for each in there.values() if each.name not in named
    ]


def way_of(provider: Provider) -> Way:
    """One of them."""
    found = next((each for each in WAYS if each.name == provider.name), None)
    return found or Way(name=provider.name, title=provider.title, secret=provider.name != ENGINE)
