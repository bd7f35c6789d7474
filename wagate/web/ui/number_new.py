"""Add a number: choose the way, fill in what it needs, then the code to scan or the URL to paste. All by the API.

A plugin's provider is offered as a way under its own title.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec
from quart import Blueprint, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as WerkzeugResponse

from wagate.errors import ConfigError, NotFoundError, UnauthorizedError
from wagate.hooks.providers import Provider
from wagate.web.ui.account_fields import SettingField, fields_of, settings_in, typed, wrong_fields
from wagate.web.ui.forms import form_key
from wagate.web.ui.parts import Parts, back, viewer

ENGINE: Final = "whatsapp"
"""The provider that is wagate's own engine."""
INSTALL: Final = 'pip install "wagate[whatsapp]"'
"""What brings it."""
UNSET: Final = frozenset({"engine"})
"""Nothing to add: these accounts come by themselves."""
API: Final = "/api/accounts"
KEPT: Final = "kept"
"""The hidden field with the secrets that were typed before an error: encrypted, for this sign-in, for an hour."""
VERIFY: Final = "webhook_verify_token"
"""Among a provider's ``common_keys``: what it shows in its handshake."""
Form = MultiDict[str, str]
Page = str | tuple[str, int]


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
        text="A WAHA server that is already running. You need its address and API key.",
        steps=(
            "Add the callback URL to the session's webhooks, with all events.",
            "Use the webhook secret as the webhook's HMAC key.",
        ),
        secret=True,
    ),
    Way(
        name="session",
        title="Session engine",
        text="A wwebjs-style engine that is already running. You need its address.",
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


def pages(parts: Parts) -> Blueprint:
    """``/ui/add``."""
    routes = Blueprint("number_new", __name__)

    @routes.get("/add")
    async def choose() -> str:
        return parts.page("add", "numbers", **choices(parts))

    @routes.get("/add/<provider>")
    async def form(provider: str) -> str:
        found = _provider(parts, provider)
        return _form(parts, found, {"name": free_name(parts, found)} | request.args.to_dict(), {})

    @routes.post("/add/<provider>")
    async def add(provider: str) -> Page | WerkzeugResponse:
        return await _add(parts, _provider(parts, provider), await request.form)

    return routes


def choices(parts: Parts) -> dict[str, Any]:
    """The ways, and whether the own engine is here."""
    own = parts.providers.get(ENGINE)
    return {
        "own": own,
        "own_name": "" if own is None else free_name(parts, own),
        "own_boxes": [] if own is None else [each.field for each in fields_of(own) if each.default is True],
        "broken": parts.providers.unusable.get(ENGINE, ""),
        "install": INSTALL,
        "ways": ways(parts.providers.all),
    }


def free_name(parts: Parts, provider: Provider) -> str:
    """A name that nobody has, as ``phone-1`` or ``twilio-2``."""
    before = "phone" if provider.name == ENGINE else provider.name
    taken = parts.live.now.accounts
    return next(name for number in range(1, len(taken) + 2) if (name := f"{before}-{number}") not in taken)


async def _add(parts: Parts, provider: Provider, form: Form) -> Page | WerkzeugResponse:
    fields = fields_of(provider)
    hidden = kept_secrets(parts, form, fields)
    whole = MultiDict({**form.to_dict(), **hidden})
    settings = settings_in(whole, fields)
    made_up = _verify_token(provider, settings)
    body = {"name": form.get("name", "").strip(), "provider": provider.name, "settings": settings | made_up}
    body |= {name: text for name in ("phone", "client") if (text := form.get(name, "").strip())}
    made = await parts.api.call("POST", API, body, who=viewer(), key=form_key(form))
    if wrong := wrong_fields(made.wrong, fields):
        asked = {name: form.get(name, "") for name in ("name", "phone", "client")} | typed(form, fields)
        return _form(parts, provider, asked, wrong, keep_secrets(parts, hidden)), 422
    row = made.data
    if not made.replayed:
        await parts.note("add number", row["name"], provider.title, owner=row["client_id"])
    if provider.listens:
        return back(f"/ui/numbers/{quote(row['name'], safe='')}/first")
    return parts.page(
        "added",
        "numbers",
        row=row,
        way=way_of(provider),
        callback=callback(parts, row["name"]),
        public=bool(row["webhook_url"]),
        token=str((settings | made_up).get(provider.common_keys.get(VERIFY, ""), "")) if provider.challenge else "",
        secret=row["webhook_secret"],
    )


def callback(parts: Parts, name: str) -> str:
    """Where the number's provider posts to; without ``server.public_url``, below the address of this page."""
    return parts.providers.webhook_url(name) or f"{parts.origin()}/webhooks/{name}"


def kept_secrets(parts: Parts, form: Form, fields: tuple[SettingField, ...]) -> dict[str, str]:
    """Secrets that were typed now, or before an error of this form."""
    try:
        before = msgspec.json.decode(parts.reveal(parts.unsign(form.get(KEPT, ""))), type=dict[str, str])
    except (UnauthorizedError, ConfigError, msgspec.DecodeError):
        before = {}
    if before.pop("csrf", "") != viewer().csrf:
        before = {}
    now = {each.field: text for each in fields if each.kind == "secret" and (text := form.get(each.field, "").strip())}
    return before | now


def keep_secrets(parts: Parts, hidden: Mapping[str, str]) -> tuple[str, list[str]]:
    """What the form carries on, and the fields that it holds: a secret never stands in a page."""
    if not hidden:
        return "", []
    held = msgspec.json.encode({**hidden, "csrf": viewer().csrf}).decode()
    return parts.sign(parts.hide(held)), list(hidden)


def _provider(parts: Parts, name: str) -> Provider:
    found = parts.providers.get(name)
    if found is None or name in UNSET:
        raise NotFoundError(f"no provider {name[:50]!r}")
    return found


def _verify_token(provider: Provider, settings: Mapping[str, Any]) -> dict[str, str]:
    """Made up for whom it was left empty: without one the provider's handshake is refused."""
    key = provider.common_keys.get(VERIFY, "")
    if provider.challenge is None or not key or settings.get(key):
        return {}
    return {key: secrets.token_urlsafe(24)}


def _form(
    parts: Parts,
    provider: Provider,
    asked: Mapping[str, Any],
    wrong: Mapping[str, str],
    kept: tuple[str, list[str]] = ("", []),
) -> str:
    fields = fields_of(provider)
    mine = viewer().client_id is not None
    return parts.page(
        "number_new",
        "numbers",
        way=way_of(provider),
        fields=fields,
        asked={each.field: each.default for each in fields} | dict(asked),
        wrong=wrong,
        stored={},
        kept=kept[0],
        held=kept[1],
        clients=[] if mine else sorted(each.slug for each in parts.live.now.clients.values()),
        linked=provider.listens,
    )
