"""Receivers: every place that messages are handed to, and what can be done to one."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Final
from urllib.parse import urlencode

import msgspec
from quart import Blueprint, request
from werkzeug.wrappers import Response as WerkzeugResponse

from wagate.hooks.views import DeliveryView
from wagate.outbound.context import OUTBOUND
from wagate.rules.filters import LEAVING, WAITING, DeliveryFilter
from wagate.storage.deliveries.chats import LOOKED, Order, WaitingChats, waiting_chats
from wagate.storage.deliveries.target_list import TargetRow
from wagate.storage.minutes import HOUR, MINUTE, read_buckets
from wagate.web.ui import charts, without_text
from wagate.web.ui.outside import path
from wagate.web.ui.overview import watching
from wagate.web.ui.panels import shown
from wagate.web.ui.parts import Parts, back, one_client, page_asked, viewer

PROBE_PATIENCE: Final = 10.0
"""Seconds that "Try now" waits for the outcome."""
LOOK: Final = 0.2
"""Seconds between looks meanwhile."""
PAGE: Final = 50
"""Receivers on a page of the list: the loop waits while a page is made."""
RECENT: Final = 8
"""Deliveries shown on a receiver's page."""
CHATS: Final = 8
"""Likewise chats in which something waits."""


def pages(parts: Parts) -> Blueprint:
    """``/ui/receivers``."""
    routes = Blueprint("receivers", __name__)

    @routes.get("/receivers")
    async def index() -> str:
        return await _list(parts)

    @routes.get("/receivers/<path:target_id>")
    async def show(target_id: str) -> str:
        row = await parts.targets.get(target_id, client_id=viewer().client_id)
        row = row if viewer().texts else without_text.target(row)
        handler, _, own_id = row.id.partition(":")
        which = DeliveryFilter(handler=handler, target=own_id)
        recent = await _recent(parts, which)
        chosen = request.args.get("range", "24h")
        _, seconds, step = charts.RANGES.get(chosen, charts.RANGES["24h"])
        now = parts.now()
        read = partial(read_buckets, step=MINUTE if step < HOUR else HOUR, since=now - timedelta(seconds=seconds))
        found = await parts.database.browse(read, [row.id])
        by: Order = "oldest" if request.args.get("chats") == "oldest" else "most"
        state = LEAVING if handler == OUTBOUND else WAITING
        waits = await _waiting(parts, row, msgspec.structs.replace(which, status=state), by)
        return parts.page(
            "receiver",
            "receivers",
            row=row,
            recent=recent,
            waits=waits,
            by=by,
            whole=waits.looked < LOOKED,
            state=state,
            ranges=charts.RANGES,
            chosen=chosen,
            chart=charts.bars(found, seconds=seconds, step=step, now=now),
            panels=await shown(parts, handler, own_id) if viewer().texts else [],
            caption=charts.caption(found),
            delays=charts.delays(found, seconds=seconds, step=step, now=now),
            live=f"page=receiver&{urlencode({'thing': row.id, 'ids': ','.join(each.id for each in recent)})}",
        )

    @routes.post("/receivers/<path:target_id>/pause")
    async def pause(target_id: str) -> WerkzeugResponse:
        row = await parts.targets.pause(target_id, by=viewer().name, client_id=viewer().client_id)
        await parts.note("pause", row.id, row.name, owner=row.client_id)
        return await _back(target_id, "paused")

    @routes.post("/receivers/<path:target_id>/resume")
    async def resume(target_id: str) -> WerkzeugResponse:
        row = await parts.targets.resume(target_id, client_id=viewer().client_id)
        await parts.note("resume", row.id, row.name, owner=row.client_id)
        return await _back(target_id, "resumed")

    @routes.post("/receivers/<path:target_id>/probe")
    async def probe(target_id: str) -> WerkzeugResponse:
        before = await parts.targets.probe(target_id, client_id=viewer().client_id)
        await parts.note("try now", before.id, before.name, owner=before.client_id)
        return await _back(target_id, await probe_outcome(parts, before))

    return routes


async def _recent(parts: Parts, which: DeliveryFilter) -> list[DeliveryView]:
    if not viewer().deliveries:
        return []
    found = (await parts.deliveries.page(which, client_id=viewer().client_id, limit=RECENT)).data
    return found if viewer().texts else [without_text.delivery(each) for each in found]


async def _list(parts: Parts) -> str:
    begin = page_asked() * PAGE
    seen = await parts.targets.survey(client_id=parts.whose(), begin=begin, most=PAGE)
    more = begin // PAGE + 1 if seen.totals.count > begin + PAGE else 0
    for row in () if viewer().texts else seen.shown:
        without_text.target(row)
    live = watching("receivers", seen.shown, client=one_client())
    return parts.page("receivers", "receivers", seen=seen, more=more, beyond=begin > 0, live=live, client=one_client())


async def _waiting(parts: Parts, row: TargetRow, which: DeliveryFilter, by: Order) -> WaitingChats:
    """The chats in which something waits for it."""
    if not row.waiting or not viewer().deliveries:
        return WaitingChats()
    return await parts.database.browse(waiting_chats, which, client_id=viewer().client_id, by=by, most=CHATS)


async def _back(target_id: str, word: str) -> WerkzeugResponse:
    return back((await request.form).get("to", "") or f"/ui/receivers/{path(target_id)}", word)


async def probe_outcome(parts: Parts, before: TargetRow) -> str:
    """Wait for what the probe comes to: nobody is shown a success that did not happen."""
    if not before.state.down:
        return "probed"
    until = parts.clock.monotonic() + PROBE_PATIENCE
    while parts.clock.monotonic() < until:
        row = await parts.targets.get(before.id, client_id=None)
        if not row.state.down:
            return "up"
        if row.state.last_attempt_at != before.state.last_attempt_at:
            return "still"
        await parts.clock.sleep(LOOK)
    return "probed"
