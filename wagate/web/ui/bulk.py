"""All deliveries that match a filter: shown first, with the count, then done in slices that can be stopped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import msgspec
import structlog
from markupsafe import Markup
from quart import Blueprint, request
from uuid_utils import uuid7
from werkzeug.wrappers import Response as WerkzeugResponse

from wagate.errors import BadRequestError, ConflictError, NotFoundError, StorageError, UnauthorizedError
from wagate.rules.filters import DeliveryFilter
from wagate.storage.deliveries.bulk import (
    MOST_COUNTED,
    MOST_LISTED,
    Bulk,
    Reach,
    Refused,
    Verb,
    count_matching,
    failing_of,
    get_bulk,
    list_bulk,
    list_refused,
    more_than,
    oldest_of,
    reach_of,
)
from wagate.storage.deliveries.target_list import TargetRow
from wagate.storage.rows import Page
from wagate.web.ui import words
from wagate.web.ui.deliveries import SINCE, filter_asked, may, refuse_search, wanted
from wagate.web.ui.leaves import leaf
from wagate.web.ui.parts import Parts, back, viewer

T = TypeVar("T")

log = structlog.get_logger("wagate.ui")

TYPED: Final = 1000
"""Above so many, and to give up, the count must be typed."""
NAMED: Final = 5
"""Receivers that are named before an act on all; of more, how many there are."""
LISTED: Final = 50
"""Deliveries on a page of those that were refused."""
VERBS: Final[Mapping[str, tuple[Verb, str]]] = {"retry-all": ("retry", "Retry"), "cancel-all": ("cancel", "Give up")}


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What the page showed, and the form sends back."""

    id: str
    """Of the act that its button starts: pressed twice, it is the same one."""
    verb: Verb
    which: DeliveryFilter
    until: str
    count: int
    client_id: int | None

    @property
    def to_type(self) -> int:
        """What confirms it: how many there are, or how many were counted."""
        return min(self.count, MOST_COUNTED)


def pages(parts: Parts) -> Blueprint:
    """``/ui/deliveries/bulk``, ``/ui/bulk``."""
    routes = Blueprint("bulk", __name__)

    @routes.get("/deliveries/bulk")
    async def ask() -> str | WerkzeugResponse:
        asked = filter_asked()
        word = request.args.get("do", "")
        if word not in VERBS:
            raise NotFoundError("no such action")
        may(VERBS[word][0])
        refuse_search(asked)
        return await _confirm(parts, asked, word)

    @routes.post("/deliveries/bulk")
    async def go() -> WerkzeugResponse | tuple[str, int]:
        form = await request.form
        shown = _shown(parts, form.get("shown", ""))
        may(shown.verb)
        if _must_type(shown) and form.get("typed", "").replace(",", "").strip() != str(shown.to_type):
            return await _again(parts, shown, wrong=f"Type {shown.to_type:,} to confirm."), 422
        try:
            await parts.bulk.start_once(
                shown.id,
                shown.verb,
                shown.which,
                until=shown.until,
                total=shown.count,
                who=viewer().name,
                client_id=shown.client_id,
                address=parts.address(),
            )
        except ConflictError as error:
            return await _again(parts, shown, busy=f"{error}."), 409
        return back(f"/ui/bulk/{shown.id}")

    @routes.get("/bulk")
    async def index() -> str:
        found = await parts.database.browse(list_bulk, client_id=viewer().client_id)
        return parts.page("bulk_list", "deliveries", found=found)

    @routes.get("/bulk/<bulk_id>")
    async def show(bulk_id: str) -> str:
        return await _act_page(parts, bulk_id)

    @routes.post("/bulk/<bulk_id>/stop")
    async def stop(bulk_id: str) -> WerkzeugResponse:
        made = await parts.bulk.stop(bulk_id, client_id=viewer().client_id)
        if made.state == "stopped":
            await parts.note("stop", made.id, f"after {made.done}", owner=made.client_id)
        return back(f"/ui/bulk/{bulk_id}", "" if made.state == "stopped" else "settled")

    return routes


async def _act_page(parts: Parts, bulk_id: str) -> str:
    """How far one is, and a page of what it was refused for."""
    made = await parts.database.browse(get_bulk, bulk_id, client_id=viewer().client_id)
    after = request.args.get("after", "")
    read = partial(list_refused, limit=LISTED, cursor=after)
    refused: Page[Refused] = await parts.database.browse(read, bulk_id, client_id=viewer().client_id)
    names = await parts.targets.names(sorted({each.target for each in refused.data if each.target}))
    live = urlencode({"page": "bulk", "thing": made.id, "at": made.refused})
    return parts.page(
        "bulk",
        "deliveries",
        made=made,
        leaves=progress(made, str(made.refused)),
        tab=_tab(made),
        refused=refused,
        after=after,
        names=names,
        most=MOST_LISTED,
        live=live if made.state == "running" else "",
    )


async def moving(parts: Parts, bulk_id: str, at: str, *, client_id: int | None) -> tuple[dict[str, Markup], bool]:
    """What moves on the page of an act; and whether it is over. NotFoundError."""
    made = await parts.database.browse(get_bulk, bulk_id, client_id=client_id)
    return progress(made, at), made.state != "running"


def progress(made: Bulk, at: str) -> dict[str, Markup]:
    """How far it is; ``at``: how many refused ones there were when the page was made."""
    bar = ""
    if made.total <= MOST_COUNTED or made.state == "done":
        whole = Markup('<progress max="{}" value="{}" aria-label="Progress"></progress>')
        bar = whole.format(max(made.total, 1), made.done + made.refused)
    elif made.state == "running":
        bar = Markup('<progress aria-label="Progress"></progress>')
    refused = f", {made.refused:,} refused" if made.refused else ""
    newer = made.refused - (int(at) if at.isascii() and at.isdecimal() else 0)
    said = f"{newer:,} more {'was' if newer == 1 else 'were'} refused. Show which" if newer > 0 else ""
    return {
        "act-state": leaf("act-state", made.state),
        "act-done": leaf(
            "act-done", Markup("{}{:,} done{}, of {}.").format(bar, made.done, refused, more_than(made.total))
        ),
        "more": leaf("more", said),
        "tab": leaf("tab", f"{_tab(made)} · wagate"),
    }


def _tab(made: Bulk) -> str:
    return f"{made.state.capitalize()} · {made.verb} all"


async def _again(parts: Parts, shown: Shown, *, wrong: str = "", busy: str = "") -> str:
    """The page that asks, with what spoke against it."""
    asked = filter_asked()
    refuse_search(asked)
    word = "cancel-all" if shown.verb == "cancel" else "retry-all"
    return await _confirm(parts, asked, word, wrong=wrong, busy=busy)


async def _confirm(parts: Parts, asked: Mapping[str, str], word: str, wrong: str = "", busy: str = "") -> str:
    """The filter in words, how many there are now, and what speaks against it."""
    verb, says = VERBS[word]
    which, as_of = wanted(parts, asked), parts.now()
    count, newest = await parts.database.browse(count_matching, which, client_id=parts.whose())
    shown = Shown(id=str(uuid7()), verb=verb, which=which, until=newest, count=count, client_id=parts.whose())
    look = partial(_in_time, parts, which, newest)
    reach: Reach | None = await look(reach_of)
    chosen = await _target(parts, asked["target"])
    query = urlencode({name: value for name, value in asked.items() if value} | {"do": word})
    return parts.page(
        "bulk_ask",
        "deliveries",
        wrong=wrong,
        busy=busy,
        says=says,
        as_of=as_of,
        count=count,
        many=more_than(count),
        whole=count <= MOST_COUNTED,
        to_type=shown.to_type,
        sentence=in_words(asked, "" if chosen is None else chosen.name),
        failing=await _failing(parts, look, reach if count <= MOST_COUNTED else None) if verb == "retry" else [],
        named=NAMED,
        reach=await _named(parts, reach) if reach else None,
        oldest_at=await look(oldest_of),
        shown=parts.sign(msgspec.json.encode(shown).decode()),
        typed=_must_type(shown),
        query=query,
        listed=f"/ui/deliveries?{urlencode({name: value for name, value in asked.items() if value})}",
    )


class Touched(msgspec.Struct, frozen=True, kw_only=True):
    """Whom it touches, in words."""

    receivers: Sequence[tuple[str, int]]
    """The name and how many deliveries of those with the most."""
    more: int
    """Receivers that are not among them."""
    chats: int


async def _in_time(parts: Parts, which: DeliveryFilter, until: str, fn: Callable[..., T], **more: Any) -> T | None:
    """What ``fn`` finds in what matches; None: there is too much to look through."""
    try:
        return await parts.database.browse(fn, which, client_id=parts.whose(), until=until, **more)
    except StorageError as error:
        log.warning("matches not looked through", what=fn.__name__, reason=str(error))
        return None


async def _failing(parts: Parts, look: Callable[..., Awaitable[Any]], reach: Reach | None) -> list[str] | None:
    """Names of receivers among them that fail now, one more than are named when there are more; None: not known.

    ``reach`` is of all of them, if it is known.
    """
    ids: list[str] | None = await look(failing_of, most=NAMED + 1, known=None if reach is None else reach.targets)
    if ids is None:
        return None
    names = await parts.targets.names(ids)
    return [names[id_] for id_ in ids]


async def _named(parts: Parts, found: Reach) -> Touched:
    ids = [*found.targets][:NAMED]
    names = await parts.targets.names(ids)
    return Touched(
        receivers=[(names[id_], found.targets[id_]) for id_ in ids],
        more=len(found.targets) - len(ids),
        chats=found.chats,
    )


async def _target(parts: Parts, target_id: str) -> TargetRow | None:
    """The viewer's receiver of this id, if there is one."""
    try:
        return await parts.targets.get(target_id, client_id=viewer().client_id) if target_id else None
    except NotFoundError:
        return None


def in_words(asked: Mapping[str, str], target: str) -> str:
    """A filter as a sentence's part: "failed deliveries to CRM sync with “(500)” in the error"."""
    state = words.DELIVERIES.get(asked["state"], ("", ""))[1].lower()
    said = f"{state} deliveries".strip()
    error = asked["error"] or asked["q"]
    for part, value in (
        (" to {}", target),
        (" on {}", asked["number"]),
        (" of {}", asked["client"]),
        (" in the chat {}", asked["chat"]),
        (" with “{}” in the error", error),
        (" stored in the {}", SINCE[asked["since"]][0].lower() if asked["since"] in SINCE else ""),
    ):
        said += part.format(value) if value else ""
    return said


def _must_type(shown: Shown) -> bool:
    return shown.count > TYPED or shown.verb == "cancel"


def _shown(parts: Parts, given: str) -> Shown:
    try:
        shown = msgspec.json.decode(parts.unsign(given), type=Shown)
    except (UnauthorizedError, msgspec.DecodeError) as error:
        raise BadRequestError("this page is out of date; go back and look again") from error
    if viewer().client_id not in {None, shown.client_id}:
        raise NotFoundError("not yours")
    return shown
