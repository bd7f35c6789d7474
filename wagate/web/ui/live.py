"""``/ui/live``: figures and states of the page that somebody looks at, as Server-Sent Events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from typing import Final

import trio
from markupsafe import Markup
from quart import Blueprint, Response, request

from wagate.errors import NotFoundError
from wagate.storage.fields import clean
from wagate.web.access.streams import begun
from wagate.web.ui.bulk import moving
from wagate.web.ui.deliveries import PAGE, filter_asked, refuse_search
from wagate.web.ui.first_run import first_leaves
from wagate.web.ui.leaves import Leaves
from wagate.web.ui.numbers import scan_panel
from wagate.web.ui.parts import Parts, viewer
from wagate.web.ui.shared_look import ALONE, EVERY, OF_ONE_NUMBER, SharedLook, Watched

CHECKED: Final = 5.0
"""Seconds after which a stream asks again whether its viewer is signed in."""
BEAT: Final = 15.0
"""Seconds; proxies cut connections that are silent for longer than a minute or so."""
PAGES: Final = ("overview", "receivers", "receiver", "deliveries", *sorted(ALONE))


def pages(parts: Parts) -> Blueprint:
    """``/ui/live``."""
    routes = Blueprint("live", __name__)
    shared = SharedLook(parts)

    @routes.get("/live")
    async def live() -> Response:
        who, asked = viewer(), filter_asked()
        refuse_search(asked)
        ids = request.args.get("ids", "") if who.deliveries else ""
        watched = Watched(
            page=request.args.get("page", ""),
            viewer=who,
            things=[clean(each[:200]) for each in request.args.getlist("thing")][:PAGE],
            ids=[clean(each) for each in ids.split(",") if 0 < len(each) < 50][:PAGE],
            at=clean(request.args.get("at", "")[:50]),
            asked=asked,
            of=parts.whose(),
        )
        if watched.page not in PAGES or not who.opens(watched.page):
            raise NotFoundError("no such page")
        response = Response(
            await begun(parts.streams.counted(who.client_id, _stream(parts, shared, watched))),
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
            content_type="text/event-stream; charset=utf-8",
        )
        response.timeout = None
        return response

    return routes


async def _stream(parts: Parts, shared: SharedLook, watched: Watched) -> AsyncGenerator[bytes, None]:
    """Until the gateway stops, the sign-in ends or nothing moves any more: what is new, once a second at most."""
    sent: Leaves = {}
    clock = parts.clock
    checked = clock.monotonic()
    said = checked - BEAT  # so that something is said at once
    with shared.watching(watched), _alarm(parts, watched) as alarm:
        while not parts.stop.is_set():
            wake = alarm()
            found, over = await _leaves(parts, shared, watched)
            if news := shared.news(watched, sent, found):
                yield event("patch", Markup("\n").join(news))
                said = clock.monotonic()
            elif clock.monotonic() >= said + BEAT:
                yield b": beat\n\n"
                said = clock.monotonic()
            if over:
                yield event("over", "Nothing moves any more")
                return
            sent = found
            await clock.wait(wake, EVERY)
            if clock.monotonic() >= checked + CHECKED:
                checked = clock.monotonic()
                if not await shared.lasts(watched):
                    yield event("end", "Signed out")
                    return


@contextmanager
def _alarm(parts: Parts, watched: Watched) -> Iterator[Callable[[], trio.Event]]:
    """What wakes a stream before its second is over: the stop, and for a number that its session changed."""
    if watched.page not in OF_ONE_NUMBER:
        yield lambda: parts.stop
        return
    with parts.hub.watch() as watcher:

        def armed() -> trio.Event:
            watcher.take()
            return watcher.wake

        yield armed


async def _leaves(parts: Parts, shared: SharedLook, watched: Watched) -> tuple[Leaves, bool]:
    """What the page says now, and whether that is the end of it."""
    if watched.page not in ALONE:
        return await shared.leaves(watched), False
    thing, may_act = "".join(watched.things[:1]), watched.viewer.may_act
    if watched.page == "bulk":
        return await moving(parts, thing, watched.at, client_id=watched.client_id)
    if watched.page == "first":
        return await first_leaves(parts, thing, client_id=watched.client_id, may_act=may_act), False
    texts = watched.viewer.texts
    return await scan_panel(parts, thing, client_id=watched.client_id, may_act=may_act, texts=texts), False


def event(name: str, text: str) -> bytes:
    """One Server-Sent Event."""
    lines = "".join(f"data: {line}\n" for line in text.splitlines())
    return f"event: {name}\n{lines}\n".encode()
