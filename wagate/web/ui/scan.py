"""``/ui/scan``: the code of one number, for the person who holds the phone. The link opens nothing else."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final
from urllib.parse import quote

import structlog
from markupsafe import Markup
from quart import Blueprint, Response, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as WerkzeugResponse

from wagate.errors import ConflictError, ForbiddenError, StorageError
from wagate.events import SESSION_STATES, SessionGroup
from wagate.storage.owners.accounts import get_account
from wagate.storage.passes import Link, find_link
from wagate.storage.rows import AccountRow
from wagate.web.access.auth import KEY, link_path
from wagate.web.access.streams import Streams, begun
from wagate.web.ui.leaves import Leaves, changed
from wagate.web.ui.links import given_link, make_link, name_of, note_opened, revoke, viewer_of
from wagate.web.ui.live import BEAT, event
from wagate.web.ui.numbers import account_of, code_of, number_page, restart_of
from wagate.web.ui.parts import Parts, back, viewer
from wagate.web.ui.render import PREFIX, render
from wagate.web.ui.scan_words import ScanWords, words_for
from wagate.web.ui.shared_look import EVERY

log = structlog.get_logger("wagate.ui")

STREAMS: Final = 10
"""Pages of one link that are live at once."""
STREAM: Final = "text/event-stream; charset=utf-8"
Page = str | tuple[str, int]


def pages(parts: Parts) -> Blueprint:
    """``/ui/scan``, and the links to it on a number's page."""
    routes = Blueprint("scan", __name__)
    streams = Streams(STREAMS, "pages of this link are already open")
    _add_links(routes, parts)

    @routes.get("/scan")
    async def show() -> Page:
        found = await given_link(parts, "scan")
        row = await _row(parts, found)
        if found is None or row is None:
            return _ended()
        try:
            await note_opened(parts, found, f"number:{row.name}")
        except StorageError as error:  # The code is shown by reads alone.
            log.warning("use of a link not noted", reason=str(error))
        return _page(parts, row, request.args.get(KEY, ""))

    @routes.post("/scan")
    async def act() -> Page:
        found = await given_link(parts, "scan")
        row = await _row(parts, found)
        if found is None or row is None:
            return _ended()
        return await _act(parts, found, row, await request.form)

    @routes.get("/scan/live")
    async def live() -> Response:
        found = await given_link(parts, "scan")
        if found is None or await _row(parts, found) is None:
            # Whoever comes back to a page whose link has ended: its script closes the stream, and asks no more.
            over = event("end", words_for(request.accept_languages).ended)
            return Response(over, content_type=STREAM, headers={"Cache-Control": "no-store"})
        answer = Response(
            await begun(streams.counted(found.id, _stream(parts, found, words_for(request.accept_languages)))),
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
            content_type=STREAM,
        )
        answer.timeout = None
        return answer

    return routes


def _add_links(routes: Blueprint, parts: Parts) -> None:
    @routes.post("/numbers/<name>/links")
    async def make(name: str) -> Page:
        row, form = await account_of(parts, name), await request.form
        note = form.get("note", "")
        if viewer().link:  # It would outlive the link that it was made by.
            raise ForbiddenError("you signed in with a link, so you can't create links; ask for one")
        try:
            key, _ = await make_link(
                parts, "scan", row.client_id, lasts=form.get("lasts", ""), account_id=row.id, note=note
            )
        except ConflictError as error:
            return await number_page(parts, name, refused=f"{error}."), 409
        await parts.note("make scan link", f"number:{name}", note, owner=row.client_id)
        return await number_page(parts, name, link=f"{parts.origin()}{link_path('scan', key)}")

    @routes.post("/numbers/<name>/links/<link_id>/revoke")
    async def end(name: str, link_id: str) -> WerkzeugResponse:
        row = await account_of(parts, name)
        ended = await revoke(parts, link_id, "scan", row.id)
        if ended:
            await parts.note("revoke scan link", f"number:{name}", owner=row.client_id)
        return back(f"{PREFIX}/numbers/{quote(name, safe='')}", "unlinked" if ended else "nolink")


async def _act(parts: Parts, found: Link, row: AccountRow, form: MultiDict[str, str]) -> Page:
    """Start the session again, or get a code to type. As the number's client, and for this number alone."""
    said, who = words_for(request.accept_languages), viewer_of(parts, found)
    if who is None:
        return _ended()
    name, key, phone = quote(row.name, safe=""), form.get(KEY, ""), form.get("phone", "").strip()
    if form.get("do") == "start":
        verb = restart_of(parts.providers.get(row.provider))
        done = await parts.api.call("POST", f"/api/sessions/{name}/{verb}", who=who) if verb else None
        if done is None or done.wrong:
            return _page(parts, row, key, failed=said.failed), 409
        await parts.note(verb, f"number:{row.name}", owner=row.client_id, who=name_of(found))
        return _page(parts, row, key)
    made = await parts.api.call("POST", f"/api/whatsapp/session/{name}/pair-code", {"phone": phone}, who=who)
    if made.wrong:
        wrong = said.phone_wrong if "phone" in made.wrong else said.no_code
        return _page(parts, row, key, phone=phone, wrong=wrong), 422
    await parts.note("pairing code", f"number:{row.name}", owner=row.client_id, who=name_of(found))
    return _page(parts, row, key, phone=phone, code=str(made.data["data"]["code"]))


def _page(
    parts: Parts, row: AccountRow, key: str, *, phone: str = "", code: str = "", wrong: str = "", failed: str = ""
) -> str:
    said = words_for(request.accept_languages)
    provider = parts.providers.get(row.provider)
    return render(
        "scan_page",
        said=said,
        key=key,
        row=row,
        panel=_panel(parts, row, said),
        pairs=provider is not None and provider.pair_code is not None and not _is_connected(row),
        again=bool(restart_of(provider)) and not _is_connected(row),
        phone=phone,
        code=code,
        wrong=wrong,
        failed=failed,
    )


def _panel(parts: Parts, row: AccountRow | None, said: ScanWords) -> Markup:
    values: dict[str, Any] = {"image": None} if row is None else code_of(parts, row)
    group = SessionGroup.DISCONNECTED if row is None else SESSION_STATES[row.status].group
    text = render("scan_panel", said=said, ended=row is None, group=group.value, **values)
    return Markup(text)  # noqa: S704  (a template's output)


def _ended() -> tuple[str, int]:
    said = words_for(request.accept_languages)
    return render("scan_page", said=said, key="", row=None, panel=None, pairs=False, again=False), 404


def _is_connected(row: AccountRow) -> bool:
    return SESSION_STATES[row.status].group is SessionGroup.CONNECTED


async def _row(parts: Parts, found: Link | None) -> AccountRow | None:
    """The link's number; None: it is gone, or another's by now."""
    account = None if found is None else parts.live.now.by_id.get(found.account_id)
    if found is None or account is None or account.client_id != found.client_id:
        return None
    return await parts.database.browse(get_account, account.name, client_id=found.client_id)


async def _stream(parts: Parts, opened: Link, said: ScanWords) -> AsyncGenerator[bytes, None]:
    """Until the gateway stops or the link ends: the panel, whenever it changed."""
    sent: Leaves = {}
    clock = parts.clock
    told = clock.monotonic()
    with parts.hub.watch() as watcher:
        while not parts.stop.is_set():
            watcher.take()
            wake = watcher.wake
            found = await parts.database.browse(find_link, opened.hash, parts.now(), "scan")
            row = await _row(parts, found)
            leaves = {"scan": _panel(parts, row, said)}
            if news := changed(sent, leaves):
                yield event("patch", Markup("\n").join(news))
                sent, told = leaves, clock.monotonic()
            elif clock.monotonic() >= told + BEAT:
                yield b": beat\n\n"
                told = clock.monotonic()
            if row is None:
                yield event("end", said.ended)
                return
            await clock.wait(wake, EVERY)
