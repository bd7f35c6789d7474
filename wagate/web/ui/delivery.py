"""One delivery: what was sent, each try with its answer, and what can be done."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace
from quart import Blueprint, Response

from wagate.context.deliveries import view_of
from wagate.errors import NotFoundError, RequestError
from wagate.outbound.context import OUTBOUND
from wagate.rules.filters import LEAVING, WAITING
from wagate.storage.deliveries.chats import MOST, place_of
from wagate.storage.deliveries.target_list import TargetRow
from wagate.storage.events.listing import get_delivery
from wagate.storage.outbox.sending import in_doubt
from wagate.storage.rows import DeliveryDetail
from wagate.web.ui import without_text
from wagate.web.ui.parts import Parts, viewer

CUT: Final = 2000
"""Characters of a body on the page; the rest is a link away."""


def pages(parts: Parts) -> Blueprint:
    """``/ui/deliveries/<id>``, and what was sent and answered as plain text."""
    routes = Blueprint("delivery", __name__)

    @routes.get("/deliveries/<delivery_id>")
    async def show(delivery_id: str) -> str:
        found = await _detail(parts, delivery_id)
        one, sent, unsaid = view_of(found), None, ""
        if not viewer().texts:
            one, found = without_text.delivery(one), replace(found, attempts=[])
        try:
            sent = await parts.targets.request(one) if viewer().texts else None
        except RequestError as error:
            unsaid = error.detail
        return parts.page(
            "delivery",
            "deliveries",
            one=one,
            row=await _receiver(parts, f"{one.handler}:{one.target}"),
            place=await parts.database.browse(place_of, one.id, client_id=viewer().client_id),
            most=MOST,
            waits=LEAVING if one.handler == OUTBOUND else WAITING,
            answers={each.number: each.response for each in found.attempts if each.response},
            sent=sent,
            in_doubt=bool(await parts.database.browse(in_doubt, [one.id])) if one.handler == OUTBOUND else False,
            shown="" if sent is None else _lines(sent.body),
            unsaid=unsaid,
            cut=CUT,
        )

    @routes.get("/deliveries/<delivery_id>/request")
    async def sent(delivery_id: str) -> Response:
        found = await parts.targets.request(view_of(await _detail(parts, delivery_id)))
        if found is None:
            raise NotFoundError("its connector shows no request")
        return _plain(_lines(found.body))

    @routes.get("/deliveries/<delivery_id>/tries/<int:attempt>")
    async def answer(delivery_id: str, attempt: int) -> Response:
        found = await _detail(parts, delivery_id)
        tried = next((each for each in found.attempts if each.number == attempt), None)
        if tried is None:
            raise NotFoundError("it was not tried so often")
        return _plain(tried.response or "")

    return routes


async def _detail(parts: Parts, delivery_id: str) -> DeliveryDetail:
    """With the answer of each try, which lists leave out. NotFoundError."""
    return await parts.database.browse(get_delivery, delivery_id, client_id=viewer().client_id)


async def _receiver(parts: Parts, target_id: str) -> TargetRow:
    """Who gets it. One that was deleted has neither owner nor page, but its deliveries stay."""
    try:
        return await parts.targets.get(target_id, client_id=viewer().client_id)
    except NotFoundError:
        return TargetRow(id="", name="a receiver that was deleted")


def _lines(body: str) -> str:
    """JSON with line breaks; all else as it is."""
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return body
    return msgspec.json.format(body, indent=2)


def _plain(text: str) -> Response:
    """Never HTML: it is somebody else's."""
    return Response(text, content_type="text/plain; charset=utf-8")
