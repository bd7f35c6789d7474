"""The provider ``meta``: Meta's Cloud API; the signature of its webhooks, and the handshake when their URL is set.

Source: https://developers.facebook.com/docs/graph-api/webhooks/getting-started
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from wagate.errors import ForbiddenError, UnauthorizedError
from wagate.hooks import InboundRequest, PluginContext, Provider, ProviderAccount, WebhookAnswer, hookimpl
from wagate_meta.api import meta_api
from wagate_meta.check import Doctor
from wagate_meta.parse import parse
from wagate_meta.send import ABILITIES, LIMITS, LONGEST_CAPTION, LONGEST_TEXT, Calls
from wagate_meta.settings import COMMON_KEYS, SECRETS, MetaSettings

SIGNATURE = "x-hub-signature-256"
_PREFIX = "sha256="
_TEXT = "text/plain; charset=utf-8"


class MetaPlugin:
    """Its hooks."""

    @hookimpl
    def register_providers(self, context: PluginContext) -> Iterable[Provider]:
        """One provider."""
        calls = Calls(context.http, meta_api)
        return [
            Provider(
                name="meta",
                title="Meta Cloud API",
                settings_type=MetaSettings,
                secrets=SECRETS,
                chosen=frozenset({"verify_token"}),
                common_keys=COMMON_KEYS,
                verify=verify,
                parse=parse,
                challenge=challenge,
                number=lambda account: account.settings.phone_number_id,
                abilities=ABILITIES,
                limits=LIMITS,
                longest_text=LONGEST_TEXT,
                longest_caption=LONGEST_CAPTION,
                opus_voice=True,
                send=calls.send,
                signal=calls.signal,
                locate_media=calls.locate_media,
                check=Doctor(context.http, context.clock).check,
            )
        ]


plugin = MetaPlugin()


def verify(request: InboundRequest, account: ProviderAccount) -> None:
    """Check ``X-Hub-Signature-256`` over the bytes as they came.

    Raises:
        UnauthorizedError: it is missing or wrong, or the account has no ``app_secret`` to check it with.
    """
    secret: str = account.settings.app_secret
    if not secret:
        raise UnauthorizedError(f"account {account.name!r} has no app_secret, so Meta's webhooks are refused; set it")
    given = request.headers.get(SIGNATURE, "")
    if not given:
        raise UnauthorizedError("the header X-Hub-Signature-256 is missing")
    if not hmac.compare_digest(given.encode("utf-8", "replace"), sign(request.body, secret).encode()):
        raise UnauthorizedError("X-Hub-Signature-256 does not match the body: is app_secret the one of this app?")


def sign(body: bytes, app_secret: str) -> str:
    """The header's value for these bytes: ``sha256=`` and lower-case hex of HMAC-SHA256."""
    return _PREFIX + hmac.digest(app_secret.encode(), body, hashlib.sha256).hex()


def challenge(request: InboundRequest, account: ProviderAccount) -> WebhookAnswer:
    """Answer the handshake with the bare challenge.

    Raises:
        ForbiddenError: it is no handshake, or its token is not the account's ``verify_token``.
    """
    expected: str = account.settings.verify_token
    if not expected:
        raise ForbiddenError(f"account {account.name!r} has no verify_token, so Meta's handshake can't be answered")
    if request.query.get("hub.mode") != "subscribe":
        raise ForbiddenError("the webhook of a WhatsApp account: Meta asks here with hub.mode=subscribe")
    given = request.query.get("hub.verify_token", "")
    if not hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode()):
        raise ForbiddenError("hub.verify_token is not the account's verify_token")
    return WebhookAnswer(body=request.query.get("hub.challenge", "").encode("utf-8", "replace"), content_type=_TEXT)
