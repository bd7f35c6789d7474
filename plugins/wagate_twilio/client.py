"""Requests to Twilio: messages, typing indicators, files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from wagate.errors import OutcomeUnknownError, SendRefusedError
from wagate.events import Media
from wagate.hooks import MediaRequest, Outgoing, ProviderAccount, Sent, Signal
from wagate.http import HttpClient, Response
from wagate.parsing.fields import first_text, identifier
from wagate_twilio.errors import Fault, document_of, error_of, error_of_code, record_of
from wagate_twilio.outgoing import prepare
from wagate_twilio.settings import settings_of

_QUEUED = frozenset({"accepted", "scheduled", "queued", "sending"})
_FAILED = frozenset({"failed", "undelivered", "canceled"})
LONGEST_WAIT: Final = 55.0
"""Seconds for one answer, less than the minute that the core gives: only we know whether the request had left."""


class Twilio:
    """Twilio's API for any of our accounts."""

    def __init__(self, http: HttpClient, *, timeout: float) -> None:
        self._http = http
        self._timeout = min(timeout, LONGEST_WAIT)

    async def send(self, outgoing: Outgoing) -> Sent:
        """Send one message. Twilio has no key against duplicates: what may have arrived must not be sent again.

        Raises as `wagate.hooks.Provider`.
        """
        account = outgoing.account
        answer = await self.post(account, f"{settings_of(account).resources}/Messages.json", prepare(outgoing))
        return read_sent(answer)

    async def signal(self, signal: Signal, account: ProviderAccount) -> None:
        """Show typing, which also marks the chat as seen: Twilio has one request for both, about a message that came.

        There is nothing to end typing with: it fades after 25 s, or with the answer.
        """
        if signal.kind not in {"seen", "typing"}:
            return
        if not signal.message_ids:
            raise SendRefusedError("Twilio needs the id of a message that came in, to mark it as seen or show typing")
        # The last one marks all before it; further files of a message carry #n behind its id.
        form = {"messageId": signal.message_ids[-1].partition("#")[0], "channel": "whatsapp"}
        url = f"{settings_of(account).messaging_url.rstrip('/')}/v2/Indicators/Typing.json"
        answer = await self.post(account, url, form)
        if not 200 <= answer.status < 300:
            raise error_of(answer)

    async def locate_media(self, media: Media, account: ProviderAccount) -> MediaRequest:
        """The file's own URL, else where it is by its ids; our token goes along only to Twilio's hosts."""
        settings = settings_of(account)
        message, _, file = (media.provider_id or "").partition("/")
        url = media.url or (f"{settings.resources}/Messages/{quote(message)}/Media/{quote(file)}" if file else "")
        if not url:
            raise SendRefusedError("the message has no file at Twilio")
        ours, theirs = urlsplit(settings.base_url), urlsplit(url)
        at_base = (ours.scheme, ours.netloc) == (theirs.scheme, theirs.netloc)
        trusted = at_base or (theirs.scheme == "https" and (theirs.hostname or "").endswith(".twilio.com"))
        return MediaRequest(
            url=url,
            headers={"Authorization": settings.authorization} if trusted else {},
            trust=account.trust if at_base else "public",
            mimetype=media.mimetype,
        )

    async def post(self, account: ProviderAccount, url: str, form: Mapping[str, str]) -> Response:
        """Post a form with the account's credentials."""
        headers = {
            "Authorization": settings_of(account).authorization,
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        content = urlencode(form).encode()
        return await self._http.request(
            "POST", url, headers=headers, content=content, timeout=self._timeout, trust=account.trust
        )

    async def get(
        self, account: ProviderAccount, url: str, *, authorization: str = "", body_limit: int = 20_000
    ) -> Response:
        """Get a resource with the account's credentials, or those given."""
        headers = {"Authorization": authorization or settings_of(account).authorization, "Accept": "application/json"}
        return await self._http.request(
            "GET", url, headers=headers, timeout=self._timeout, body_limit=body_limit, trust=account.trust
        )


def read_sent(answer: Response) -> Sent:
    """The message was taken into Twilio's queue, or is on its way.

    Raises:
        SendRefusedError, NotSentError, AccountStoppedError: it was not, by the answer's code or status.
        OutcomeUnknownError: it may have been; the status callback, which carries our own id, will tell.
    """
    if not 200 <= answer.status < 300:
        raise error_of(answer)
    document = document_of(answer)
    sid, status = first_text(document, "sid"), first_text(document, "status")
    record = record_of(answer)
    if not sid:
        raise OutcomeUnknownError(f"Twilio answered {answer.status} without the message's SID", **record)
    if status in _FAILED:
        fault = Fault(code=identifier(document.get("error_code")), message=first_text(document, "error_message"))
        said = f"Twilio says {status}: {fault.message or fault.code}"
        raise error_of_code(fault, None, record) or SendRefusedError(said, code=fault.code, **record)
    return Sent(message_id=sid, status="queued" if status in _QUEUED else "sent", **record)
