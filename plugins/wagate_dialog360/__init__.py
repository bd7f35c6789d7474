"""The provider ``dialog360``: 360dialog. Meta's JSON over an API of its own; what is the same is wagate_meta's.

It signs no webhook: the account's own secret, sent along, is the proof.
Source: https://docs.360dialog.com/docs/messaging/webhook
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

import msgspec
from msgspec.structs import replace

from wagate.errors import UnauthorizedError
from wagate.events import NewEvent
from wagate.hooks import InboundRequest, PluginContext, Provider, ProviderAccount, hookimpl
from wagate_dialog360.api import Doctor, dialog360_api
from wagate_meta.parse import parse as parse_meta
from wagate_meta.send import ABILITIES, LIMITS, LONGEST_CAPTION, LONGEST_TEXT, Calls

SECRETS = frozenset({"api_key"})
COMMON_KEYS = {"api_key": "api_key", "phone_number_id": "phone_number_id"}
_HEADER = re.compile(r"[A-Za-z0-9-]{1,100}")


class Dialog360Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys of ``[accounts.<name>]`` with ``provider = "dialog360"``."""

    api_key: Annotated[str, msgspec.Meta(min_length=1)]
    """Of the number, from 360dialog's hub; one key is one number."""
    webhook_header: str = "X-Webhook-Secret"
    """The header that carries the account's ``webhook_secret``, as you set it with the webhook's URL."""
    phone_number_id: str = ""
    """Meta's id of the number; only where one webhook URL carries several numbers."""
    base_url: str = "https://waba-v2.360dialog.io"
    """The API; the sandbox is https://waba-sandbox.360dialog.io."""

    def __post_init__(self) -> None:
        """ValueError when a value can't be one."""
        if not _HEADER.fullmatch(self.webhook_header):
            raise ValueError("webhook_header must be the name of a header: letters, digits and hyphens")
        if not self.base_url.startswith(("https://", "http://")):
            raise ValueError("base_url must begin with https://")


def verify(request: InboundRequest, account: ProviderAccount) -> None:
    """Look for the account's ``webhook_secret``: in the header, as the password of Basic, or in ``?token=``.

    Raises:
        UnauthorizedError: it is nowhere, or the account has none.
    """
    secret = account.webhook_secret.encode()
    if not secret:
        raise UnauthorizedError(f"account {account.name!r} has no webhook_secret, so its webhooks are refused; set one")
    given = list(_given(request, account.settings.webhook_header))
    if not given:
        raise UnauthorizedError(
            f"the webhook's secret is missing: send it in {account.settings.webhook_header}, as the password of "
            "Basic authentication, or in ?token="
        )
    if not any(hmac.compare_digest(each, secret) for each in given):
        raise UnauthorizedError("the webhook's secret is wrong")


def _given(request: InboundRequest, header: str) -> Iterator[bytes]:
    for text in (request.headers.get(header.lower(), ""), request.query.get("token", "")):
        if text:
            yield text.encode("utf-8", "replace")
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            plain = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return
        yield plain.partition(b":")[2]


def parse(request: InboundRequest, account: ProviderAccount) -> Sequence[NewEvent]:
    """Meta's JSON. The webhook is one number's, unless the account says by ``phone_number_id`` which is its own.

    Raises:
        BadRequestError: the body is no JSON object.
    """
    events = parse_meta(request, account)
    if account.settings.phone_number_id:
        return events
    return [replace(event, number="") for event in events]


class Dialog360Plugin:
    """Its hooks."""

    @hookimpl
    def register_providers(self, context: PluginContext) -> Iterable[Provider]:
        """One provider."""
        calls = Calls(context.http, dialog360_api)
        return [
            Provider(
                name="dialog360",
                title="360dialog",
                settings_type=Dialog360Settings,
                secrets=SECRETS,
                common_keys=COMMON_KEYS,
                verify=verify,
                parse=parse,
                number=lambda account: account.settings.phone_number_id,
                abilities=ABILITIES,
                limits=LIMITS,
                longest_text=LONGEST_TEXT,
                longest_caption=LONGEST_CAPTION,
                opus_voice=True,
                send=calls.send,
                signal=calls.signal,
                locate_media=calls.locate_media,
                media_errors=20,
                check=Doctor(context.http).check,
            )
        ]


plugin = Dialog360Plugin()
