"""What agents tell wagate: in the conversation of the integration, or with ``wa/`` in front in any other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal, Protocol

import msgspec

from wagate.errors import NotFoundError, RequestError, SendError
from wagate.events import SESSION_STATES, SessionGroup
from wagate.hooks import DeliveryFilter, SessionView
from wagate_chatwoot.agents import asks
from wagate_chatwoot.agents.answers import About, say
from wagate_chatwoot.agents.asks import STATUS_SOURCE, Ask, Unread
from wagate_chatwoot.agents.status import reason_of
from wagate_chatwoot.inboxes import App
from wagate_chatwoot.settings import Inbox
from wagate_chatwoot.to_whatsapp.actions import Command

MOST_COUNTED: Final = 1000
"""Waiting deliveries that are counted."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What wagate says."""

    text: str
    qr: str = ""
    """The account whose QR code comes with it."""


class StartPull(Protocol):
    """Begin to copy what is stored into Chatwoot, in the background; it reports its progress."""

    async def __call__(self, app: App, what: Literal["contacts", "messages"], since: float, /) -> str:
        """``since``: seconds back. What is to be answered at once."""


async def run(app: App, command: Command, *, pull: StartPull | None = None) -> None:
    """Do one command and have it answered; ``pull`` None: there are no pulls. It may be repeated. StorageError."""
    if not app.inbox.commands.enabled:
        return
    answer = await _answer(app, command, pull)
    app.context.log.info("command", inbox=app.name, command=_logged(command.text))
    here = 0 if command.where.source == STATUS_SOURCE else command.where.conversation
    about = About(conversation=here, site=app.site, qr=answer.qr)
    await say(app, answer.text, name=f"command/{command.message}", about=about)


def allowed(inbox: Inbox, email: str) -> bool:
    """Whether this agent may."""
    agents = {each.strip().lower() for each in inbox.commands.agents}
    return not agents or email.strip().lower() in agents


async def _answer(app: App, command: Command, pull: StartPull | None) -> Answer:
    if not allowed(app.inbox, command.email):
        return Answer(text=app.texts("command.denied"))
    ask = asks.parse(command.text)
    if isinstance(ask, Unread):
        return Answer(text=_unread(app, ask, pull))
    try:
        return await _done(app, ask, pull)
    except (SendError, RequestError) as error:
        return Answer(text=app.texts("command.failed", reason=reason_of(error)))


async def _done(app: App, ask: Ask, pull: StartPull | None) -> Answer:
    if ask.name == "help":
        return Answer(text=_help(app, pull))
    if ask.name not in _PULLS:
        return await _ANSWERS[ask.name](app, ask)
    if pull is None:
        return Answer(text=_unread(app, Unread(word=ask.name), pull))
    return Answer(text=await pull(app, _PULLS[ask.name], ask.since))


def _help(app: App, pull: StartPull | None) -> str:
    names = [each for each in asks.NAMES if pull is not None or each not in _PULLS]
    lines = [f"- `{asks.usage(each)}`: {app.texts('command.about_' + each.replace(' ', '_'))}" for each in names]
    return app.texts("command.help", commands="\n".join(lines))


def _unread(app: App, unread: Unread, pull: StartPull | None) -> str:
    if unread.near is None:
        return app.texts("command.unknown", word=unread.word[:50], help=_help(app, pull))
    return app.texts("command.usage", usage=f"`{asks.usage(unread.near)}`")


async def _status(app: App, ask: Ask) -> Answer:
    views = await _views(app)
    if not views:
        return Answer(text=app.texts("command.no_accounts"))
    if ask.account and ask.account not in {each.account for each in views}:
        return Answer(text=_no_account(app, ask, views))
    shown = [each for each in views if ask.account in {"", each.account}]
    return Answer(text="\n".join(_line(app, each) for each in shown))


async def _qr(app: App, ask: Ask) -> Answer:
    view = await _one(app, ask)
    if isinstance(view, Answer):
        return view
    if not await app.context.sessions.qr(view.account, client_id=app.client_id):
        return Answer(text=app.texts("command.no_qr", account=view.account, state=_state(app, view)))
    return Answer(text=app.texts("status.qr_generated", account=view.account), qr=view.account)


async def _control(app: App, ask: Ask) -> Answer:
    view = await _one(app, ask)
    if isinstance(view, Answer):
        return view
    if ask.name not in view.actions:
        return Answer(text=app.texts("command.cannot", account=view.account, provider=view.provider))
    await app.context.sessions.control(view.account, ask.name, client_id=app.client_id)
    return Answer(text=app.texts(f"command.done_{ask.name}", account=view.account))


async def _queue_status(app: App, _ask: Ask) -> Answer:
    state = app.texts("command.queue_paused" if await app.pause.on() else "command.queue_running")
    lines = []
    for target, direction in ((app.incoming, "command.queue_in"), (app.outgoing, "command.queue_out")):
        waiting = await _waiting(app, target)
        lines.append(app.texts("command.queue_line", direction=app.texts(direction), waiting=waiting, state=state))
    return Answer(text="\n".join(lines))


async def _queue_pause(app: App, _ask: Ask) -> Answer:
    changed = await app.pause.put(paused=True)
    return Answer(text=app.texts("command.paused" if changed else "command.paused_already"))


async def _queue_resume(app: App, _ask: Ask) -> Answer:
    changed = await app.pause.put(paused=False)
    return Answer(text=app.texts("command.resumed" if changed else "command.resumed_already"))


_PULLS: Final[Mapping[str, Literal["contacts", "messages"]]] = {
    "contacts pull": "contacts",
    "messages pull": "messages",
}
_ANSWERS: Final[Mapping[str, Callable[[App, Ask], Awaitable[Answer]]]] = {
    "status": _status,
    "qr": _qr,
    "start": _control,
    "stop": _control,
    "restart": _control,
    "logout": _control,
    "queue status": _queue_status,
    "queue pause": _queue_pause,
    "queue resume": _queue_resume,
}


async def _one(app: App, ask: Ask) -> SessionView | Answer:
    """The account that is meant: the named one, else the only one; or what to answer instead."""
    views = await _views(app)
    if not views:
        return Answer(text=app.texts("command.no_accounts"))
    if not ask.account:
        # Of several only those count that such a thing can be done to.
        able = [each for each in views if each.linked] or views
        names = ", ".join(each.account for each in able)
        return able[0] if len(able) == 1 else Answer(text=app.texts("command.which", accounts=names))
    found = next((each for each in views if each.account == ask.account), None)
    return found or Answer(text=_no_account(app, ask, views))


async def _views(app: App) -> list[SessionView]:
    """Of the accounts that the inbox shows, by name."""
    client_id = app.client_id
    if client_id is None:
        return []
    found = []
    for name in app.inbox.accounts or [each.name for each in app.context.accounts.of(client_id)]:
        try:
            found.append(await app.context.sessions.view(name, client_id=client_id))
        except NotFoundError:
            continue  # it is in the settings, and nowhere else
    return found


def _no_account(app: App, ask: Ask, views: list[SessionView]) -> str:
    names = ", ".join(each.account for each in views)
    return app.texts("command.no_account", account=ask.account[:50], accounts=names)


def _line(app: App, view: SessionView) -> str:
    name = f"{view.account} (+{view.phone})" if view.phone else view.account
    return app.texts("command.status_line", account=name, state=_state(app, view))


def _state(app: App, view: SessionView) -> str:
    if not view.linked:
        return app.texts("state.always")
    state = app.texts(f"state.{view.status}")
    tells = SESSION_STATES[view.status].group in {SessionGroup.DISCONNECTED, SessionGroup.ERROR}
    return f"{state} ({view.message})" if tells and view.message else state


async def _waiting(app: App, target: str) -> str:
    which = DeliveryFilter(handler=app.context.name, target=target, status="pending")
    count, cursor = 0, None
    while count < MOST_COUNTED:
        page = await app.context.deliveries.page(which, client_id=app.client_id, limit=200, cursor=cursor)
        count, cursor = count + len(page.data), page.next_cursor
        if cursor is None:
            return str(count)
    return f"{count}+"


def _logged(text: str) -> str:
    """A command without what was written after it."""
    ask = asks.parse(text)
    return ask.name if isinstance(ask, Ask) else "unknown"
