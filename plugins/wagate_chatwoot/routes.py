"""``/plugins/chatwoot``: inboxes at work, and their pause; languages; pulls of history; the panel of the dashboard."""

from __future__ import annotations

from typing import Literal

import msgspec
import trio
from quart import Blueprint

from wagate.errors import NotFoundError, UnprocessableError
from wagate.hooks import Duration, Panel, PanelAsked, PanelData, PluginContext, acts_on, endpoint
from wagate_chatwoot.agents.texts import LOCALES, NAMES, own_texts
from wagate_chatwoot.inboxes import App, Apps
from wagate_chatwoot.pull import Pull, read_pull, start_pull

COLUMNS = ("Inbox", "Chatwoot", "Client", "Numbers")


class NewPull(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to write in Chatwoot."""

    inbox: str
    """Its name in ``[plugins.chatwoot.inboxes.<name>]``."""
    what: Literal["contacts", "messages"]
    since: str = "7d"
    """How old messages may be."""


class PullView(msgspec.Struct, frozen=True, kw_only=True):
    """A pull, as far as it got."""

    inbox: str
    what: Literal["contacts", "messages"]
    since: str
    """'' of contacts."""
    state: Literal["running", "finished", "failed"]
    done: int
    """Written."""
    skipped: int
    """Known already."""
    failed: int
    """Refused permanently; ``GET /api/jobs`` says why."""
    reason: str
    """Why it stopped; '' when it did not."""


class PullList(msgspec.Struct, frozen=True, kw_only=True):
    """All of them on one page."""

    data: list[PullView]
    next_cursor: None = None


class InboxView(msgspec.Struct, frozen=True, kw_only=True):
    """An inbox at work."""

    inbox: str
    last_webhook_at: float
    """When Chatwoot last told something that proved to be Chatwoot's, Unix seconds; 0: not since the gateway began."""
    url: str
    """Chatwoot's."""
    account_id: int
    """In Chatwoot."""
    inbox_id: int
    """In Chatwoot."""
    client_id: int
    """Whose numbers it shows."""
    accounts: list[str]
    """Which of them; none is all."""
    locale: str
    """Of wagate's texts."""
    paused: bool
    """Whether messages wait, in both directions."""


class InboxChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be changed while it works; the rest is in config.toml."""

    paused: bool
    """Whether messages wait, in both directions, until somebody resumes: this outlasts a restart."""


class Locale(msgspec.Struct, frozen=True, kw_only=True):
    """A language of wagate's texts in Chatwoot."""

    name: str
    """In itself."""
    locale: str
    """What ``locale`` of an inbox is."""


class LocaleList(msgspec.Struct, frozen=True, kw_only=True):
    """All of them on one page."""

    data: list[Locale]
    next_cursor: None = None


class InboxList(msgspec.Struct, frozen=True, kw_only=True):
    """All of them on one page."""

    data: list[InboxView]
    next_cursor: None = None


class PullQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which."""

    inbox: str = ""
    """'' is all of them."""


def make_own_routes(context: PluginContext, apps: Apps) -> Blueprint:
    """A client's token sees its own inboxes and begins their pulls, the admin's token all."""
    blueprint = Blueprint(f"{context.name}_own", __name__)

    def visible() -> list[App]:
        return [each for each in apps.values() if each.client_id is not None and context.auth.may_see(each.client_id)]

    @blueprint.post("/pulls")
    @endpoint(answers={202: PullView}, problems=(404,), body=NewPull, act="pull history")
    async def begin(body: NewPull) -> tuple[PullView, int]:
        """Begin one, or go on with one that stopped; one that runs is left alone."""
        app = next((each for each in visible() if each.name == body.inbox), None)
        if app is None:
            raise NotFoundError("no such inbox")
        pull, _ = await start_pull(app, body.what, _seconds(body.since))
        acts_on(f"{context.name}:{app.name}", owner=app.client_id, detail=body.what)
        return _view(pull), 202

    @blueprint.get("/pulls")
    @endpoint(answers={200: PullList}, query=PullQuery)
    async def pulls(query: PullQuery) -> PullList:
        """The last ones of each inbox."""
        shown = [each for each in visible() if query.inbox in {"", each.name}]
        found = [await read_pull(each, what) for each in shown for what in ("contacts", "messages")]
        return PullList(data=[_view(each) for each in found if each is not None])

    @blueprint.get("/inboxes")
    @endpoint(answers={200: InboxList})
    async def inboxes() -> InboxList:
        """Those that this gateway works for."""
        return InboxList(data=[await _shown(each) for each in visible()])

    @blueprint.patch("/inboxes/<name>")
    @endpoint(answers={200: InboxView}, problems=(404,), body=InboxChange, act="pause inbox")
    async def change(name: str, body: InboxChange) -> InboxView:
        """Let its messages wait, or go on."""
        app = next((each for each in visible() if each.name == name), None)
        if app is None:
            raise NotFoundError("no such inbox")
        await app.pause.put(paused=body.paused)
        act = "pause inbox" if body.paused else "resume inbox"
        acts_on(f"{context.name}:{app.name}", owner=app.client_id, act=act)
        return await _shown(app)

    @blueprint.get("/locales")
    @endpoint(answers={200: LocaleList})
    async def locales() -> LocaleList:
        """Those that come along, and those of ``templates``."""
        own = await trio.to_thread.run_sync(own_texts, apps.settings.templates)
        known = [*LOCALES, *sorted(each for each in own if each not in LOCALES)]
        return LocaleList(data=[Locale(name=NAMES.get(each, each), locale=each) for each in known])

    return blueprint


async def _shown(app: App) -> InboxView:
    assert app.client_id is not None  # it is visible
    return InboxView(
        inbox=app.name,
        last_webhook_at=app.memory.heard,
        url=app.inbox.url,
        account_id=app.inbox.account_id,
        inbox_id=app.inbox.inbox_id,
        client_id=app.client_id,
        accounts=list(app.inbox.accounts),
        locale=app.inbox.locale,
        paused=await app.pause.on(),
    )


def _seconds(text: str) -> float:
    try:
        return Duration(text).seconds
    except ValueError as error:
        raise UnprocessableError(str(error), field="since") from error


def _view(pull: Pull) -> PullView:
    return PullView(
        inbox=pull.inbox,
        what=pull.what,
        since=pull.asked,
        state=pull.state,
        done=pull.done,
        skipped=pull.skipped,
        failed=pull.failed,
        reason=pull.reason,
    )


def make_panel(apps: Apps) -> Panel:
    """The panel."""

    async def render(asked: PanelAsked) -> PanelData | None:
        rows = tuple(
            (
                app.name,
                f"{app.inbox.url}/app/accounts/{app.inbox.account_id}, inbox {app.inbox.inbox_id}",
                app.inbox.client,
                ", ".join(app.inbox.accounts) or "all",
            )
            for app in apps.values()
            if asked.client_id in {None, app.client_id} and asked.target in {"", app.incoming, app.outgoing}
        )
        return PanelData(columns=COLUMNS, rows=rows) if rows else None

    return Panel(title="Inboxes", render=render)
