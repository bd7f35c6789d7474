"""What came in while we were down: Twilio keeps messages, but does not post them again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urljoin

from wagate.errors import NotSentError
from wagate.events import NewEvent
from wagate.hooks import ProviderAccount
from wagate.parsing.fields import first_text, identifier, mapping, whole
from wagate_twilio.client import Twilio
from wagate_twilio.errors import document_of, error_of
from wagate_twilio.inbound import message_events
from wagate_twilio.settings import number_of, settings_of

PAGE = 200
MOST_PAGES = 100
_LARGEST = 2_000_000
"""Bytes of one page."""


async def missed(twilio: Twilio, account: ProviderAccount, since: datetime) -> AsyncIterator[NewEvent]:
    """Messages of people since then, oldest first, with the ids that their webhooks had: duplicates do no harm.

    The newest 20000 at most. Raises as a send, and `wagate.http.HttpError`.
    """
    found = [row async for row in _rows(twilio, account, since)]
    # Twilio lists the newest first.
    for moment, row in sorted(found, key=lambda each: each[0]):
        form = _form(row) | await _files(twilio, account, row)
        for event in message_events(form, moment):
            yield event


async def _rows(
    twilio: Twilio, account: ProviderAccount, since: datetime
) -> AsyncIterator[tuple[datetime, dict[str, Any]]]:
    """(when, message) of all that came in, page by page. Twilio filters by day, we by second."""
    settings, number = settings_of(account), number_of(account)
    query = {"DateSent>": since.astimezone(UTC).date().isoformat(), "PageSize": str(PAGE)}
    if number:
        query["To"] = f"whatsapp:+{number}"
    url = f"{settings.resources}/Messages.json?{urlencode(query)}"
    for _ in range(MOST_PAGES):
        document = await _page(twilio, account, url)
        for row in _objects(document, "messages"):
            moment = _moment(row)
            whatsapp = first_text(row, "to").startswith("whatsapp:")
            if row.get("direction") == "inbound" and whatsapp and moment is not None and moment >= since:
                yield moment, row
        if not (following := first_text(document, "next_page_uri")):
            return
        url = urljoin(settings.base_url, following)


async def _files(twilio: Twilio, account: ProviderAccount, row: dict[str, Any]) -> dict[str, str]:
    """``MediaUrl0``, ``MediaContentType0`` …, as the webhook would have had them."""
    settings, sid = settings_of(account), first_text(row, "sid")
    if not whole(row.get("num_media")):
        return {}
    form: dict[str, str] = {}
    document = await _page(twilio, account, f"{settings.resources}/Messages/{sid}/Media.json")
    for n, file in enumerate(_objects(document, "media_list")):
        form[f"MediaUrl{n}"] = urljoin(settings.base_url, first_text(file, "uri").removesuffix(".json"))
        form[f"MediaContentType{n}"] = first_text(file, "content_type")
    return form | {"NumMedia": str(len(form) // 2)}


async def _page(twilio: Twilio, account: ProviderAccount, url: str) -> dict[str, Any]:
    answer = await twilio.get(account, url, body_limit=_LARGEST)
    if answer.status != 200:
        raise error_of(answer)
    document = document_of(answer)
    if not document:
        raise NotSentError("Twilio's list of messages can't be read", http_status=answer.status)
    return document


def _form(row: dict[str, Any]) -> dict[str, str]:
    """A row of the API as its webhook would have said it."""
    return {
        "MessageSid": identifier(row.get("sid")),
        "From": first_text(row, "from"),
        "To": first_text(row, "to"),
        "Body": first_text(row, "body"),
        "SmsStatus": "received",
    }


def _moment(row: dict[str, Any]) -> datetime | None:
    """``date_sent`` or ``date_created``, in RFC 2822."""
    for name in ("date_sent", "date_created"):
        try:
            moment = parsedate_to_datetime(first_text(row, name))
        except ValueError:
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


def _objects(document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = document.get(key)
    return [mapping(each) for each in found] if isinstance(found, list) else []
