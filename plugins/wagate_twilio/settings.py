"""``[accounts.<name>]`` with ``provider = "twilio"``."""

from __future__ import annotations

import base64
import re

import msgspec

from wagate.errors import AccountStoppedError
from wagate.hooks import ProviderAccount
from wagate.parsing.chats import chat_key, digits_of

_SID = re.compile(r"AC[0-9a-fA-F]{32}")


class TwilioSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What Twilio needs to send, and its token, which also signs its webhooks."""

    account_sid: str
    """From the console's first page: ``AC`` and 32 hexadecimal digits."""
    auth_token: str
    """Beside it. Webhooks are signed with it, so it is needed with an API key too."""
    api_key_sid: str = ""
    """An API key (``SK…``) to send with in place of the auth token, with ``api_key_secret``."""
    api_key_secret: str = ""
    from_number: str = ""
    """The WhatsApp sender's number; '' takes the account's ``phone``."""
    messaging_service_sid: str = ""
    """Send through this Messaging Service (``MG…``) in place of one number."""
    status_callbacks: bool = True
    """Have Twilio tell how far each message got; needs ``server.public_url``."""
    base_url: str = "https://api.twilio.com"
    """Of the REST API; another region's, or a test server."""
    messaging_url: str = "https://messaging.twilio.com"
    """Of typing indicators."""

    def __post_init__(self) -> None:
        """Refuse what could never work. ValueError names the keys, never a value."""
        if not _SID.fullmatch(self.account_sid):
            raise ValueError("account_sid must be AC and 32 hexadecimal digits, as the console shows it")
        if not self.auth_token:
            raise ValueError("auth_token is empty; the console shows it beside the account's SID")
        if bool(self.api_key_sid) != bool(self.api_key_secret):
            raise ValueError("api_key_sid and api_key_secret go together; set both or none")

    def __repr__(self) -> str:
        return f"TwilioSettings(account_sid={self.account_sid!r})"

    @property
    def resources(self) -> str:
        """The URL under which the account's resources lie."""
        return f"{self.base_url.rstrip('/')}/2010-04-01/Accounts/{self.account_sid}"

    @property
    def authorization(self) -> str:
        """Basic, by the API key when there is one."""
        if self.api_key_sid:
            return basic(self.api_key_sid, self.api_key_secret)
        return basic(self.account_sid, self.auth_token)


SECRETS = frozenset({"auth_token", "api_key_secret"})
COMMON_KEYS = {"api_key": "account_sid", "api_secret": "auth_token", "phone_number_id": "from_number"}
"""An account's SID and token are what others call key and secret."""


def settings_of(account: ProviderAccount) -> TwilioSettings:
    """The account's settings, as their own type."""
    assert isinstance(account.settings, TwilioSettings)
    return account.settings


def number_of(account: ProviderAccount) -> str:
    """Digits of the number that sends, '' when not known."""
    return digits_of(chat_key(settings_of(account).from_number)) or account.phone


def sender_of(account: ProviderAccount) -> dict[str, str]:
    """The parameter that says who sends. AccountStoppedError when nothing says it."""
    service, number = settings_of(account).messaging_service_sid, number_of(account)
    if service:
        return {"MessagingServiceSid": service}
    if number:
        return {"From": f"whatsapp:+{number}"}
    raise AccountStoppedError("the account has no number to send from: set from_number or messaging_service_sid")


def basic(user: str, password: str) -> str:
    """An Authorization header."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
