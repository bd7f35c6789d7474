"""Deliveries: filter, pick, act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from quart import Blueprint, request
from werkzeug.wrappers import Response as WerkzeugResponse

from wagate.errors import ConflictError, ForbiddenError, NotFoundError, TooSlowError
from wagate.hooks.views import DeliveryView, Page
from wagate.parsing.chats import chat_key
from wagate.rules.filters import HANDED, LEAVING, LOST, WAITING, DeliveryFilter
from wagate.storage.deliveries.bulk import count_matching
from wagate.storage.deliveries.target_list import TargetRow
from wagate.storage.events.listing import Searched
from wagate.storage.minutes import MINUTE, start_of
from wagate.storage.statement import first_id
from wagate.storage.threads.conversations import Thread, list_threads
from wagate.storage.threads.talk import message_named
from wagate.web.ui import words
from wagate.web.ui.outside import path
from wagate.web.ui.parts import Parts, back, one_client, own, viewer
from wagate.web.ui.without_text import delivery

PAGE: Final = 50
COUNTED: Final = 10_000
"""So many that match are counted for the list; the page that asks before an act counts further."""
MOST_CHOICES: Final = 200
"""Receivers in the form's list; with more of them, it asks for a part of a name, and lists what has it."""
SINCE: Final[Mapping[str, tuple[str, timedelta]]] = {
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last 24 hours", timedelta(hours=24)),
    "7d": ("Last 7 days", timedelta(days=7)),
}
"""``?since=`` → its words, and how long."""
TABS: Final = (
    ("", "All"),
    (WAITING, "Waiting"),
    (LEAVING, "Waiting to leave"),
    ("delivering", "On its way"),
    ("failed", "Failed"),
    ("delivered", "Delivered"),
    ("cancelled", "Cancelled"),
)
"""``?state=`` → its word."""
MORE_TABS: Final = {LOST: "Failed permanently", HANDED: "Handed on", "pending": "Waiting, not on its way"}
"""Likewise, only where a figure or a link led there."""
VERBS: Final = {"retry": "retried", "skip": "skipped", "cancel": "gone"}
"""What can be done to one → the word of `wagate.web.ui.parts.NOTES` that says so."""
LONGEST: Final = 200
"""Characters of a part of the filter."""
FIELDS: Final = ("state", "target", "number", "chat", "error", "since", "q", "client")


def pages(parts: Parts) -> Blueprint:
    """``/ui/deliveries``."""
    routes = Blueprint("deliveries", __name__)

    @routes.get("/deliveries")
    async def index() -> str | tuple[str, int] | WerkzeugResponse:
        asked = filter_asked()
        if led := await _lead(parts, asked["q"]):
            return led
        refuse_search(asked)
        found, searched = await _receivers(parts, asked["target"])
        if searched and len(found) == 1:
            return back(_link(asked | {"target": found[0].id}))
        which = wanted(parts, asked)
        before = request.args.get("before") or None
        page, search, slow = await _page(parts, which, before)
        names = await parts.targets.names(sorted({f"{one.handler}:{one.target}" for one in page.data}))
        shown = parts.page(
            "deliveries",
            "deliveries",
            slow=slow,
            asked=asked,
            client=one_client(),
            page=page,
            search=search,
            tabs=[*TABS, *([more] if (more := (asked["state"], MORE_TABS.get(asked["state"], "")))[1] else [])],
            since=SINCE,
            targets=found,
            searched=searched,
            live=_live(parts, asked, page.data, before),
            receiver_name=lambda one: names.get(f"{one.handler}:{one.target}", one.target),
            link=lambda **changes: _link(asked | changes),
            chips=chips(asked, next((row.name for row in found if row.id == asked["target"]), "")),
            matches=await _matches(parts, which, page, before, search) if any(asked.values()) and not slow else "",
            all_link=_link(asked).replace("/deliveries?", "/deliveries/bulk?")
            if any(asked.values()) and asked["state"] != HANDED
            else "",
        )
        return (shown, 503) if slow else shown

    @routes.post("/deliveries")
    async def act() -> str | WerkzeugResponse:
        form = await request.form
        to, ids, verb = form.get("to", "/ui/deliveries"), form.getlist("id")[:PAGE], form.get("do", "")
        may(verb)
        if verb == "cancel" and ids and form.get("asked") != "yes":
            many = f"{words.number(len(ids))} {'delivery' if len(ids) == 1 else 'deliveries'}"
            return parts.page("give_up", "deliveries", ids=ids, many=many, to=own(to))
        return back(to, await _act_on(parts, verb, ids, form.get("why", "").strip()) if ids else "nothing")

    @routes.post("/deliveries/<delivery_id>/<verb>")
    async def do(delivery_id: str, verb: str) -> WerkzeugResponse:
        why = (await request.form).get("why", "").strip()
        done = await _act(parts, verb, delivery_id, why)
        return back(f"/ui/deliveries/{delivery_id}", VERBS[verb] if done else "settled")

    return routes


def filter_asked() -> dict[str, str]:
    """The filter in the running request's URL."""
    return {name: request.args.get(name, "").strip()[:LONGEST] for name in FIELDS}


def refuse_search(asked: Mapping[str, str]) -> None:
    """Who sees no texts does not find out, either, which there are. ForbiddenError."""
    if (asked["error"] or asked["q"]) and not viewer().texts:
        raise ForbiddenError("your link shows no texts, so search for an id, or for a phone number with +")


async def _page(
    parts: Parts, which: DeliveryFilter, before: str | None
) -> tuple[Page[DeliveryView], Searched | None, bool]:
    """What the list shows; how far the search for a text came; and whether nothing came in time.

    Then the form stays: what would be quicker is typed there.
    """
    found: tuple[Page[DeliveryView], Searched | None]
    try:
        if _is_search(which):
            found = await parts.deliveries.search(which, client_id=parts.whose(), limit=PAGE, cursor=before)
        else:
            found = await parts.deliveries.page(which, client_id=parts.whose(), limit=PAGE, cursor=before), None
    except TooSlowError:
        return Page(data=[], next_cursor=None), None, True
    page, search = found
    cut = page if viewer().texts else Page(data=[*map(delivery, page.data)], next_cursor=page.next_cursor)
    return cut, search, False


def _is_search(which: DeliveryFilter) -> bool:
    """Whether no index leads to what matches: it is looked for part by part, and not counted."""
    return which.error is not None or which.status == HANDED


async def _matches(
    parts: Parts, which: DeliveryFilter, page: Page[DeliveryView], before: str | None, search: Searched | None
) -> str:
    """How many match, for the button: ``1,204``, ``10,000+``; '' when that reads too much or takes too long."""
    if not before and page.next_cursor is None and (search is None or search.further is None):
        return f"{len(page.data):,}"
    if not viewer().may_retry or _is_search(which):
        return ""
    with suppress(TooSlowError):  # the button goes without, and the page that asks counts, too
        count, _ = await parts.database.browse(count_matching, which, client_id=parts.whose(), most=COUNTED)
        return f"{count:,}" if count <= COUNTED else f"{COUNTED:,}+"
    return ""


def wanted(parts: Parts, asked: Mapping[str, str]) -> DeliveryFilter:
    """The filter of a query. What it doesn't know lets nothing through, rather than all."""
    handler, _, own_id = asked["target"].partition(":")
    long = SINCE.get(asked["since"])
    moment = parts.now() - long[1] if long else parts.now() if asked["since"] else None
    if moment is not None and asked["state"] == HANDED:
        moment = start_of(moment, MINUTE)  # as the figure counts
    return DeliveryFilter(
        handler=handler or None,
        target=own_id or None,
        status=asked["state"] or None,
        account=asked["number"] or None,
        chat=chat_key(asked["chat"]) if asked["chat"] else None,
        error=asked["error"] or asked["q"] or None,
        since=moment,
    )


def chips(asked: Mapping[str, str], receiver: str) -> list[tuple[str, str]]:
    """Each part of a filter in words, and where it leads to take that part away."""
    said = {
        "state": "state: {}",
        "target": "receiver: {}",
        "number": "number: {}",
        "chat": "chat: {}",
        "error": "error: “{}”",
        "q": "error: “{}”",
        "since": "{}",
        "client": "client: {}",
    }
    words_of = {
        "state": (dict(TABS) | MORE_TABS).get(asked["state"], ""),
        "target": receiver,
        "since": SINCE[asked["since"]][0].lower() if asked["since"] in SINCE else "",
    }
    return [
        (text.format(words_of.get(name) or asked[name]), _link({**asked, name: ""}))
        for name, text in said.items()
        if asked[name]
    ]


async def _receivers(parts: Parts, asked: str) -> tuple[Sequence[TargetRow], bool]:
    """What the form offers; and whether that is what was searched for, as ``asked`` is no receiver's id."""
    searched = bool(asked) and (":" not in asked or "://" in asked)
    find = asked if searched else ""
    most, urls = MOST_CHOICES + 1, viewer().texts  # Who may not see what is in a URL does not find it out, either.
    found = await parts.targets.some(client_id=parts.whose(), most=most, find=find, urls=urls)
    if searched and any(row.id[:LONGEST] == asked for row in found):  # as of a plugin that takes a URL for an id
        searched, found = False, await parts.targets.some(client_id=parts.whose(), most=most)
    return found if len(found) <= MOST_CHOICES else (), searched


async def _lead(parts: Parts, searched: str) -> WerkzeugResponse | None:
    """Where a search leads that can mean one thing only: an id, or a phone number."""
    if not searched:
        return None
    digits = "".join(each for each in searched if each.isdecimal())
    if searched.startswith("+") and len(digits) >= 6:
        return back(await _chat(parts, f"+{digits}"))
    client_id = viewer().client_id
    try:
        return back(f"/ui/deliveries/{(await parts.deliveries.get(searched, client_id=client_id)).id}")
    except NotFoundError:
        message = await parts.database.browse(message_named, searched, client_id=client_id)
        return None if message is None else back(f"/ui/messages/{message}")


async def _chat(parts: Parts, phone: str) -> str:
    """The conversation with a phone, or those of several numbers; its deliveries, if there is none to open."""
    found: list[Thread] = []
    if viewer().opens("conversations"):
        key = chat_key(phone)
        found = await parts.database.browse(list_threads, client_id=viewer().client_id, limit=2, chat=key)
    if len(found) > 1:
        return f"/ui/conversations?{urlencode({'find': phone})}"
    if found:
        return f"/ui/conversations/{path(found[0].account)}/{path(found[0].chat)}"
    return f"/ui/deliveries?{urlencode({'chat': phone})}"


def may(verb: str) -> None:
    """Who may only try again does nothing else. ForbiddenError."""
    if verb != "retry" and not viewer().may_act:
        raise ForbiddenError("your link lets you retry, and nothing else; ask for another one")


async def _act_on(parts: Parts, verb: str, ids: Sequence[str], why: str) -> str:
    """Do it to each; the word that says how many were done, and how many were left."""
    if verb not in VERBS:
        raise NotFoundError("no such action")
    done = 0
    for each in ids:
        with suppress(NotFoundError):  # Deleted since, with its message; the others are done.
            done += await _act(parts, verb, each, why)
    left = f"-{len(ids) - done}" if done < len(ids) else ""
    return f"{VERBS[verb]}-{done}{left}" if done else "settled"


async def _act(parts: Parts, verb: str, delivery_id: str, why: str = "") -> bool:
    """Do it, and write it down; False when it can't be done any more."""
    acts = {"retry": parts.deliveries.retry, "cancel": parts.deliveries.cancel, "skip": parts.deliveries.skip}
    if verb not in acts:
        raise NotFoundError("no such action")
    may(verb)
    try:
        one = await acts[verb](delivery_id, client_id=viewer().client_id)
    except ConflictError:
        return False
    await parts.note({"cancel": "give up"}.get(verb, verb), one.id, why, owner=one.event.client_id)
    return True


def _link(asked: Mapping[str, str]) -> str:
    return "/ui/deliveries?" + urlencode({name: value for name, value in asked.items() if value})


def _live(parts: Parts, asked: Mapping[str, str], shown: Sequence[DeliveryView], before: str | None) -> str:
    """What the page asks of the stream."""
    at = shown[0].id if shown and not before else first_id(parts.now())
    ids = ",".join(each.id for each in shown)
    return urlencode(
        {"page": "deliveries", "at": at, "ids": ids} | {name: value for name, value in asked.items() if value}
    )
