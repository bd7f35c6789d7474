"""Out to WhatsApp: messages, read marks, typing, and where files that came in can be fetched."""

from __future__ import annotations

from typing import Final

import msgspec

from wagate.errors import NotSentError, OutcomeUnknownError, SendError, SendRefusedError
from wagate.events import Media
from wagate.hooks import MediaRequest, Outgoing, ProviderAccount, SendLimits, Sent, Signal
from wagate.http import HttpClient
from wagate.parsing.fields import first_text, whole
from wagate_meta.api import Api, ApiOf
from wagate_meta.bodies import SENDABLE, message_body, recipient
from wagate_meta.errors import message_id_of, read_answer
from wagate_meta.upload import upload

ABILITIES: Final = SENDABLE | {"reply", "seen", "typing"}
LIMITS: Final = SendLimits(per_second=80.0, chat_per_second=1 / 6, chat_burst=45)
"""Of a number that Meta has not upgraded; one person gets 45 at once, then one in 6 seconds."""
LONGEST_TEXT: Final = 4096
"""Source: https://developers.facebook.com/docs/whatsapp/cloud-api/messages/text-messages."""
LONGEST_CAPTION: Final = 1024
"""Source: https://developers.facebook.com/docs/whatsapp/cloud-api/messages/image-messages."""
_GONE: Final = frozenset({"33", "100"})
"""Codes of an object that is not there."""


class Calls:
    """What is asked of the API, for any account that ``api_of`` knows how to reach."""

    def __init__(self, http: HttpClient, api_of: ApiOf) -> None:
        self._http = http
        self._api_of = api_of

    async def send(self, out: Outgoing) -> Sent:
        """Send one message, its file first when we hold it. Meta has no idempotency key: never twice blindly.

        Raises:
            SendError: see `wagate_meta.errors.failure`.
            OutcomeUnknownError: taken, it seems, but the answer can't be read.
            HttpError: no answer.
        """
        api = self._api_of(out.account)
        recipient(out.message.chat)  # refused before anything is uploaded
        media_id = ""
        if out.file is not None and out.file.path is not None:
            media_id = await upload(self._http, api, out.file, out.file.path)
        body = msgspec.json.encode(message_body(out, media_id=media_id))
        answer = await api.need(self._http, "POST", api.messages, body)
        message_id, status = message_id_of(read_answer(answer.body))
        kept = api.kept(answer.body)
        if not message_id:
            raise OutcomeUnknownError(
                f"answered {answer.status} without the message's id", http_status=answer.status, response=kept
            )
        taken = status in {"", "accepted"}
        return Sent(
            message_id=message_id, status="sent" if taken else "queued", http_status=answer.status, response=kept
        )

    async def signal(self, signal: Signal, account: ProviderAccount) -> None:
        """Mark messages as read, or show that we type (which also marks the last one); typing ends by itself.

        Raises:
            SendRefusedError: it names no message, which Meta needs. SendError, HttpError: as `send`.
        """
        if signal.kind == "paused":
            return  # Meta ends it with the next message, or after 25 seconds.
        if not signal.message_ids:
            raise SendRefusedError(f"Meta needs the id of a message that came in for {signal.kind}; none was given")
        api = self._api_of(account)
        typing = {"typing_indicator": {"type": "text"}} if signal.kind == "typing" else {}
        for message_id in signal.message_ids[-1:] if typing else signal.message_ids:
            body = {"messaging_product": "whatsapp", "status": "read", "message_id": message_id, **typing}
            await api.need(self._http, "POST", api.messages, msgspec.json.encode(body))

    async def locate_media(self, media: Media, account: ProviderAccount) -> MediaRequest:
        """Where a file can be fetched for the next five minutes: by its id; without one at the URL that came along.

        Raises:
            SendRefusedError: it is gone (Meta keeps what came in for 7 days). SendError, HttpError: as `send`.
        """
        api = self._api_of(account)
        if media.provider_id:
            return await self._look_up(api, media.provider_id)
        if media.url:
            return api.file(media.url, mimetype=media.mimetype, size=media.size)
        raise SendRefusedError("the file came without an id and without a URL")

    async def _look_up(self, api: Api, media_id: str) -> MediaRequest:
        url = api.object(media_id, api.media_query)
        gone: SendError | None = None
        for _ in range(api.media_lookups):
            try:
                return _found(api, (await api.need(self._http, "GET", url)).body)
            except SendError as error:
                if not _is_gone(error):
                    raise
                gone = error
        raise SendRefusedError(
            "the file is gone: Meta keeps what came in for 7 days",
            code=gone.code if gone else "",
            http_status=gone.http_status if gone else None,
        ) from gone


def _is_gone(error: SendError) -> bool:
    return error.http_status in {404, 410} or (error.http_status == 400 and error.code in _GONE)


def _found(api: Api, body: bytes) -> MediaRequest:
    document = read_answer(body)
    url = first_text(document, "url")
    if not url:
        raise NotSentError("the answer has no address of the file")
    return api.file(url, mimetype=first_text(document, "mime_type"), size=whole(document.get("file_size")))
