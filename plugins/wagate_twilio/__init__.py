"""The provider ``twilio``: Twilio."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from wagate.hooks import MEDIA_TYPES, PluginContext, Provider, SendLimits, WebhookAnswer, hookimpl
from wagate_twilio.check import check
from wagate_twilio.client import Twilio
from wagate_twilio.missed import missed
from wagate_twilio.outgoing import LONGEST
from wagate_twilio.parse import parse
from wagate_twilio.settings import COMMON_KEYS, SECRETS, TwilioSettings, number_of
from wagate_twilio.verify import verify

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
