"""Requests to Infobip: messages, read marks, files, and whether all is well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, urlsplit

import msgspec

from wagate.errors import AccountStoppedError, SendRefusedError
from wagate.events import Media
from wagate.hooks import Finding, MediaRequest, Outgoing, ProviderAccount, Sent, Signal
from wagate.http import HttpClient, HttpError, Response
from wagate_infobip.answers import raise_for, read_sent
from wagate_infobip.outgoing import prepare, recipient
from wagate_infobip.settings import sender_of, settings_of, tokens_of

LONGEST_WAIT: Final = 55.0
"""Seconds for one answer, less than the minute that the core gives: only we know whether the request had left."""


class Infobip:
    """Infobip's API for any of our accounts."""

    def __init__(self, http: HttpClient, *, timeout: float) -> None:
        self._http = http
        self._timeout = min(timeout, LONGEST_WAIT)

    async def send(self, outgoing: Outgoing) -> Sent:
        """Send one message; the same `Outgoing.id` twice reaches the phone once. Raises as `wagate.hooks.Provider`."""
        if not sender_of(outgoing.account):
            raise AccountStoppedError("the account has no number to send from: set sender, or the account's phone")
        request = prepare(outgoing)
        answer = await self._post(outgoing.account, request.path, request.body)
        return read_sent(answer, outgoing.id)

    async def signal(self, signal: Signal, account: ProviderAccount) -> None:
        """Mark messages as seen, or show typing; there is nothing to end typing with: it fades."""
        sender = sender_of(account)
        match signal.kind:
            case "seen":
                if not signal.message_ids:
                    raise SendRefusedError("Infobip marks single messages as seen: name them")
                for message_id in signal.message_ids:
                    path = f"/whatsapp/1/senders/{quote(sender)}/message/{quote(message_id, safe='')}/read"
                    await self._signalled(account, path, None)
            case "typing":
                event = {
                    "sender": sender,
                    "destinations": [{"to": recipient(signal.chat)}],
                    "content": {"type": "TYPING_INDICATOR"},
                }
                await self._signalled(account, "/whatsapp/1/events", {"events": [event]})

    async def locate_media(self, media: Media, account: ProviderAccount) -> MediaRequest:
        """The file's own URL; our key goes along only to Infobip's hosts."""
        if not media.url:
            raise SendRefusedError("the message has no file at Infobip")
        settings = settings_of(account)
        ours, theirs = urlsplit(settings.api), urlsplit(media.url)
        at_base = (ours.scheme, ours.netloc) == (theirs.scheme, theirs.netloc)
        trusted = at_base or (theirs.scheme == "https" and (theirs.hostname or "").endswith(".infobip.com"))
        return MediaRequest(
            url=media.url,
            headers={"Authorization": settings.authorization} if trusted else {},
            trust=account.trust if at_base else "public",
        )

    async def check(self, account: ProviderAccount) -> Sequence[Finding]:
        """The key, the sender, and what guards the webhook."""
        return [await self._check_key(account), *_check_webhook(account)]

    async def _check_key(self, account: ProviderAccount) -> Finding:
        sender = sender_of(account)
        path = f"/whatsapp/1/senders/quality?senders={quote(sender)}"
        try:
            answer = await self._request("GET", account, path)
        except HttpError as error:
            return Finding(level="fail", what="reachable", detail=error.reason, next_step="check base_url")
        if answer.status in {401, 403}:
            detail = f"Infobip answered {answer.status}"
            return Finding(level="fail", what="token", detail=detail, next_step="check api_key, its scopes, its hosts")
        if answer.status != 200:
            detail = f"Infobip answered {answer.status}"
            return Finding(level="warn", what="token", detail=detail, next_step="check sender and base_url")
        if not sender:
            return Finding(level="fail", what="sender", detail="no number to send from", next_step="set sender")
        if sender.encode() not in answer.body:
            detail = "the key is valid, but Infobip does not list this sender"
            return Finding(level="warn", what="sender", detail=detail, next_step="check sender in the portal")
        return Finding(level="ok", what="token", detail="Infobip accepts the key and the sender")

    async def _signalled(self, account: ProviderAccount, path: str, body: dict[str, object] | None) -> None:
        answer = await self._post(account, path, body)
        if not 200 <= answer.status < 300:
            raise_for(answer)

    async def _post(self, account: ProviderAccount, path: str, body: dict[str, object] | None) -> Response:
        return await self._request("POST", account, path, b"" if body is None else msgspec.json.encode(body))

    async def _request(self, method: str, account: ProviderAccount, path: str, content: bytes = b"") -> Response:
        settings = settings_of(account)
        headers = {"Authorization": settings.authorization, "Accept": "application/json"}
        if content:
            headers["Content-Type"] = "application/json"
        return await self._http.request(
            method,
            settings.api + path,
            headers=headers,
            content=content,
            timeout=self._timeout,
            trust=account.trust,
        )


def _check_webhook(account: ProviderAccount) -> list[Finding]:
    settings, found = settings_of(account), []
    if not (tokens_of(account) or settings.webhook_username or settings.webhook_header or settings.hmac_secret):
        detail = "no webhook token or password is set, so all webhooks are refused"
        step = "set webhook_token, webhook_username and webhook_password, or webhook_header"
        found.append(Finding(level="fail", what="webhook", detail=detail, next_step=step))
    if not account.webhook_url:
        detail = "without server.public_url, stored files can't be sent, and reports can't be requested"
        found.append(Finding(level="warn", what="public_url", detail=detail, next_step="set server.public_url"))
    return found or [Finding(level="ok", what="webhook", detail=f"give Infobip the URL {account.webhook_url}")]
