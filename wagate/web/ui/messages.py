"""One message from end to end: came in, handed on to each receiver, answered, sent, delivered, read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from urllib.parse import quote

import msgspec
from quart import Blueprint, request

from wagate.errors import NotFoundError
from wagate.storage.events.listing import messages_in, raw_body
from wagate.storage.minutes import MINUTE, start_of
from wagate.storage.outbox.messages import MessageRow
from wagate.storage.rows import DeliveryDetail
from wagate.storage.threads.talk import Journey, follow
from wagate.web.ui import without_text, words
from wagate.web.ui.parts import Parts, one_client, viewer

PAGE: Final = 50
MOST_RAW: Final = 20_000
"""Bytes of what came in that are shown."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the way."""

    name: str
    mark: tuple[str, str]
    """The mark's kind, and its word."""
    at: datetime | None
    took: float | None = None
    """Seconds since the step before it on its branch."""
    detail: str = ""
    link: str = ""


def pages(parts: Parts) -> Blueprint:
    """``/ui/messages``."""
    routes = Blueprint("message", __name__)

    @routes.get("/messages")
    async def index() -> str:
        """What the overview counts by the minute as having come in during the last hour."""
        begin = start_of(parts.now() - timedelta(hours=1), MINUTE)
        page = await parts.database.browse(
            partial(messages_in, client_id=parts.whose(), limit=PAGE, cursor=request.args.get("before") or None),
            begin,
        )
        found = page.data if viewer().texts else [without_text.event(each) for each in page.data]
        return parts.page("messages", "conversations", found=found, more=page.next_cursor, client=one_client())

    @routes.get("/messages/<wanted>")
    async def show(wanted: str) -> str:
        found = await parts.database.browse(follow, wanted, client_id=viewer().client_id)
        if not viewer().texts:
            found = without_text.journey(found)
        names = await parts.targets.names(sorted({each.delivery.target_id for each in found.deliveries}))
        event, message = found.event, found.message
        return parts.page(
            "message",
            "conversations",
            found=found,
            steps=list(steps(found, names)),
            heading=heading(found),
            talk=f"/ui/conversations/{quote(event.account)}/{quote(event.chat)}"
            if event.chat and viewer().texts
            else "",
            raw="" if message is not None or not viewer().texts else await _raw(parts, event.id),
        )

    return routes


def heading(found: Journey) -> tuple[tuple[str, str], str]:
    """How it went: a mark's kind with its word, and the rest of the sentence."""
    if found.message is not None:
        _, kind, word = words.TICKS[found.message.status]
        return (kind, word.capitalize()), f"to {words.chat(found.message.chat)}"
    if found.answers:
        answer = found.answers[0]
        _, kind, word = words.TICKS[answer.status]
        gone = (answer.created_at - found.event.created_at).total_seconds()
        return (kind, f"Answered after {words.short(gone)}"), f"and {word}"
    done = sum(each.delivery.status == "delivered" for each in found.deliveries)
    every = len(found.deliveries)
    if not every:
        return ("off", "Came in"), "and has no receiver: none takes this kind of event from this number"
    good = "ok" if done == every else "wait"
    return (good, f"Forwarded to {done} of {words.plural(every, 'receiver')}"), ""


def steps(found: Journey, names: Mapping[str, str]) -> Iterator[Step]:
    """The way, in order."""
    event, message = found.event, found.message
    if message is None:
        yield Step(name=f"Came in on {event.account}", mark=("ok", "Stored"), at=event.created_at)
        for each in found.deliveries:
            yield _handed_on(each, names)
        for answer in found.answers:
            yield from _sent(answer, f"Answer by {answer.source}", link=f"/ui/messages/{answer.id}")
        return
    if found.cause is not None:
        yield Step(
            name="Answers a message",
            mark=("ok", "Came in"),
            at=found.cause.created_at,
            detail=found.cause.content[:100],
            link=f"/ui/messages/{found.cause.id}",
        )
    yield from _sent(message, f"Submitted by {message.source}", link=f"/ui/deliveries/{message.delivery_id}")


def _handed_on(one: DeliveryDetail, names: Mapping[str, str]) -> Step:
    row = one.delivery
    last = one.attempts[-1] if one.attempts else None
    at = row.delivered_at or (last.started_at if last is not None else None)
    return Step(
        name=f"To {names.get(row.target_id, row.target_id)}",
        mark=words.DELIVERIES[row.status],
        at=at,
        took=(at - row.created_at).total_seconds() if at is not None else None,
        detail=row.error
        or (f"after {words.plural(row.attempt_count, 'try', 'tries')}" if row.attempt_count > 1 else ""),
        link=f"/ui/deliveries/{row.id}",
    )


def _sent(message: MessageRow, name: str, *, link: str) -> Iterator[Step]:
    yield Step(name=name, mark=("ok", "Stored"), at=message.created_at, detail=message.content[:100], link=link)
    before = message.created_at
    for word, at in (("Sent", message.sent_at), ("Delivered", message.delivered_at), ("Read", message.read_at)):
        if at is not None:
            yield Step(
                name=f"{word} by {message.account}" if word == "Sent" else f"{word} on the phone",
                mark=("ok", word),
                at=at,
                took=max((at - before).total_seconds(), 0.0),
            )
            before = at
    if message.status in {"queued", "sending", "failed", "unknown"}:
        _, kind, word = words.TICKS[message.status]
        yield Step(
            name=f"To WhatsApp by {message.account}",
            mark=(kind, word.capitalize()),
            at=message.failed_at,
            detail=message.error or "",
        )


async def _raw(parts: Parts, event_id: str) -> str:
    try:
        body = await parts.database.browse(raw_body, event_id)
    except NotFoundError:
        return ""
    return body[:MOST_RAW].decode("utf-8", "replace")
