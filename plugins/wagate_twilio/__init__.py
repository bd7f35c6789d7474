"""The provider ``twilio``: Twilio, and whether an account of it would work."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from wagate.hooks import (
    MEDIA_TYPES,
    Finding,
    PluginContext,
    Provider,
    ProviderAccount,
    SendLimits,
    WebhookAnswer,
    hookimpl,
)
from wagate.http import HttpError
from wagate.parsing.fields import first_text
from wagate_twilio.client import Twilio
from wagate_twilio.errors import document_of, read_fault
from wagate_twilio.missed import missed
from wagate_twilio.outgoing import LONGEST
from wagate_twilio.settings import COMMON_KEYS, SECRETS, TwilioSettings, basic, number_of, settings_of
from wagate_twilio.webhook import parse, verify

ABILITIES = MEDIA_TYPES | {"text", "location", "template", "seen", "typing"}
"""No quotes, reactions, contact cards or interactive messages but in templates: Twilio has no way to send them."""
ANSWER = WebhookAnswer(body=b'<?xml version="1.0" encoding="UTF-8"?><Response></Response>', content_type="text/xml")
"""TwiML that says nothing."""


class TwilioPlugin:
    """Its hooks."""

    @hookimpl
    def register_providers(self, context: PluginContext) -> Iterable[Provider]:
        """One provider."""
        twilio = Twilio(context.http, timeout=context.timeout)
        yield Provider(
            name="twilio",
            title="Twilio",
            settings_type=TwilioSettings,
            secrets=SECRETS,
            common_keys=COMMON_KEYS,
            verify=verify,
            parse=parse,
            answer=ANSWER,
            number=number_of,
            sender_keys=("from_number", "messaging_service_sid"),
            abilities=ABILITIES,
            limits=SendLimits(per_second=80),
            longest_text=LONGEST,
            longest_caption=LONGEST,
            opus_voice=True,
            send=twilio.send,
            signal=twilio.signal,
            locate_media=twilio.locate_media,
            missed=partial(missed, twilio),
            check=partial(check, twilio),
        )


plugin = TwilioPlugin()


async def check(twilio: Twilio, account: ProviderAccount) -> Sequence[Finding]:
    """The token, the API key when there is one, the sender, and the public URL."""
    settings = settings_of(account)
    token = basic(settings.account_sid, settings.auth_token)
    # An API key may not read the account itself, and the token is what signs webhooks.
    found = [await _ask(twilio, account, f"{settings.resources}.json", token, "token")]
    if settings.api_key_sid:
        messages = f"{settings.resources}/Messages.json?PageSize=1"
        found.append(await _ask(twilio, account, messages, settings.authorization, "api key"))
    if not settings.messaging_service_sid and not number_of(account):
        step = "set from_number or messaging_service_sid"
        found.append(Finding(level="fail", what="sender", detail="no number to send from", next_step=step))
    if account.webhook_url:
        detail = f"the sender's webhook in the console must be {account.webhook_url}, with method HTTP POST"
        found.append(Finding(level="ok", what="webhook", detail=detail))
    else:
        detail = "signatures are over the public URL, files are fetched from it, and statuses posted to it"
        found.append(Finding(level="fail", what="public_url", detail=detail, next_step="set server.public_url"))
    return found


async def _ask(twilio: Twilio, account: ProviderAccount, url: str, authorization: str, what: str) -> Finding:
    try:
        answer = await twilio.get(account, url, authorization=authorization)
    except HttpError as error:
        return Finding(level="fail", what="reachable", detail=error.reason, next_step="check base_url and the network")
    if answer.status in {401, 403}:
        code = read_fault(answer).code
        detail = f"Twilio answered {answer.status}" + (f", error {code}" if code else "")
        step = "the token has expired or was rotated: copy it from the console's first page"
        return Finding(level="fail", what=what, detail=detail, next_step=step)
    status = first_text(document_of(answer), "status") or "active"
    if answer.status != 200 or status != "active":
        detail = f"Twilio answered {answer.status}, the account is {status}"
        return Finding(level="fail", what=what, detail=detail, next_step="look at the account in Twilio's console")
    return Finding(level="ok", what=what, detail="Twilio accepts it")
