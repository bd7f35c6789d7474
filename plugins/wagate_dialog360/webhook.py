"""Whether a webhook is 360dialog's. It signs nothing: the account's own secret, sent along, is the proof.

Source: https://docs.360dialog.com/docs/messaging/webhook
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from wagate.errors import UnauthorizedError
from wagate.events import NewEvent
from wagate.hooks import InboundRequest, ProviderAccount
from wagate_meta.parse import parse as parse_meta


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
