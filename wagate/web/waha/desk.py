"""What all of WAHA's routes share: which account a session names, what its provider is asked, who did what."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from quart import Blueprint, Response

from wagate.clock import Clock
from wagate.context.sessions import AccountSessions
from wagate.errors import (
    GatewayTimeoutError,
    NoAnswerError,
    NotFoundError,
    NotSentError,
    NotSupportedError,
    RequestError,
    SendError,
    SendRefusedError,
    TooManyRequestsError,
    UnavailableError,
    UnprocessableError,
)
from wagate.events import Event, Media, shown_media
from wagate.hooks.asks import Answers, Ask
from wagate.hooks.messages import OutFile, OutMessage
from wagate.hooks.providers import Profile
from wagate.hooks.routes import acts_on, endpoint
from wagate.plugins.registry import Providers
from wagate.storage.database import Database
from wagate.storage.owners.directory import Account
from wagate.storage.owners.live import LiveDirectory
from wagate.web.access.identity import RequestAuth
from wagate.web.messages.content import Draft, check_storable, read_chat, read_file
from wagate.web.messages.sending import Sending, refused
from wagate.web.waha.bodies import WahaFile
from wagate.web.waha.message_names import MessageNames
from wagate.web.waha.session_hooks import SessionHooks

DEFAULT = "default"
"""What WAHA's clients call the session when nobody told them its name."""
SOON = 5.0
"""Seconds."""


@dataclass(frozen=True)
class Desk:
    """The parts of the gateway that WAHA's routes are made of."""

    auth: RequestAuth
    database: Database
    live: LiveDirectory
    providers: Providers
    states: AccountSessions
    sending: Sending
    names: MessageNames
    clock: Clock
    media_url: Callable[[Event], str | None]
    began: datetime
    """When the gateway started."""
    most_tokens: int
    """Of one client."""
    stop: Callable[[], object]
    """Has this process stop gracefully, soon."""
    own: SessionHooks
    """Asks our own API, as whoever runs the request."""

    def account(self, name: str | None) -> Account:
        """The account that a session names; without one, or ``default``, the client's oldest. NotFoundError."""
        found = self.live.now.accounts.get(name or DEFAULT)
        if found is not None and self.auth.may_see(found.client_id):
            return found
        if name in {None, "", DEFAULT}:
            oldest = self.live.now.oldest(self.auth.owner(None).id)
            if oldest is not None:
                return oldest
        raise NotFoundError(f"Session not found: {(name or DEFAULT)[:100]!r}")

    async def ask(self, account: Account, ask: Ask) -> Any:
        """What the account's provider answers.

        Raises:
            NotSupportedError, NotFoundError, UnprocessableError: it said no, with WAHA's status where it is one.
            TooManyRequestsError, UnavailableError: certainly not done; later it may be.
            GatewayTimeoutError, BadGatewayError: whether it was done is unknown, or the account needs its operator.
        """
        try:
            return await self.states.ask(ask, account=account.name, client_id=account.client_id)
        except SendError as error:
            raise unanswered(error) from error

    async def profile(self, account: Account, chat: str) -> Profile:
        """What WhatsApp shows of a chat. UnprocessableError, BadGatewayError."""
        try:
            return await self.states.profile(chat, account=account.name, client_id=account.client_id)
        except SendError as error:
            raise refused(error) from error

    async def number_of(self, account: Account, lid: str) -> str:
        """The key of the number behind a LID, by the provider. BadGatewayError."""
        try:
            return await self.states.number_of(lid, account=account.name)
        except SendError as error:
            raise refused(error) from error

    def answers(self, account: Account) -> Answers:
        """What the account's provider can be asked."""
        provider = self.providers.get(account.provider)
        return {} if provider is None else provider.answers

    def title(self, account: Account) -> str:
        """Its provider's name, for people."""
        provider = self.providers.get(account.provider)
        return account.provider if provider is None else provider.title

    def file_of(self, event: Event) -> Media | None:
        """An event's file at our link."""
        return shown_media(event, self.media_url(event))


def unanswered(error: SendError) -> RequestError:
    """Why an ask was not answered, as a status. Pure."""
    match error:
        case SendRefusedError(http_status=501):
            return NotSupportedError(error.reason)
        case SendRefusedError(http_status=404):
            return NotFoundError(error.reason)
        case NotSentError(http_status=429):
            return TooManyRequestsError(error.reason, retry_after=_later(error))
        case NotSentError():
            return UnavailableError(error.reason, retry_after=_later(error))
        case NoAnswerError():
            return GatewayTimeoutError(error.reason)
        case _:
            return refused(error)


def _later(error: NotSentError) -> int:
    return max(1, math.ceil(error.after or SOON))


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request, read."""

    desk: Desk
    found: Account | None
    """None: the row needs no session."""
    parts: dict[str, str]
    """Of the path, by WAHA's names."""
    body: Any = None
    query: Any = None

    @property
    def account(self) -> Account:
        """The session's."""
        assert self.found is not None
        return self.found

    async def ask(self, ask: Ask) -> Any:
        """See `Desk.ask`."""
        return await self.desk.ask(self.account, ask)

    async def file(self, given: WahaFile, kind: str, *, field: str = "file") -> OutFile:
        """A body's file, on this machine. UnprocessableError, BadGatewayError."""
        media, content = read_file(given.content(), field)
        message = OutMessage(chat="", type=kind, media=media)
        draft = Draft(message=message, file=content, link_at=f"{field}.url")
        return await self.desk.sending.file_at_hand(draft, client_id=self.account.client_id)

    async def jpeg(self, given: WahaFile, *, field: str = "file") -> OutFile:
        """A picture, likewise. UnprocessableError: it is no JPEG."""
        file = await self.file(given, "image", field=field)
        if file.mimetype != "image/jpeg":
            raise UnprocessableError("WhatsApp takes a JPEG here", field=field)
        return file

    def chat(self, name: str = "chatId") -> str:
        """The key of the chat in the path. UnprocessableError."""
        return read_chat(self.parts[name], name)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One operation of WAHA's."""

    verb: str
    """Method and path below ``/api``, as WAHA writes them; ``/mcp`` stands alone."""
    doc: str
    handle: Callable[[Call], Awaitable[Any]]
    """What is answered, in JSON types; a response as it is."""
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    status: int = 200
    body_optional: bool = False
    large: bool = False
    """The body holds a file."""
    sessionless: bool = False
    act: str = ""
    """What the audit calls it; '' for looking and sending."""

    @property
    def method(self) -> str:
        """GET, POST …, in capitals."""
        return self.verb.partition(" ")[0]

    @property
    def path(self) -> str:
        """As Quart writes it; a message's id may hold a slash."""
        path = self.verb.partition(" ")[2]
        path = (path if path == "/mcp" else f"/api{path}").replace("{messageId}", "<path:messageId>")
        return path.replace("{", "<").replace("}", ">")


def add_rows(routes: Blueprint, desk: Desk, rows: Sequence[Row]) -> None:
    """Make them routes."""
    for row in rows:
        _add(routes, desk, row)


def _add(routes: Blueprint, desk: Desk, row: Row) -> None:
    async def view(body: Any = None, query: Any = None, **parts: str) -> Any:
        if body is not None:
            check_storable(msgspec.to_builtins(body), "")
        named = parts.get("session") or getattr(body, "session", None) or getattr(query, "session", None)
        account = None if row.sessionless else desk.account(named)
        call = Call(desk=desk, found=account, parts=parts, body=body, query=query)
        answer = await row.handle(call)
        if row.act and account is not None:
            told = " ".join(value for name, value in parts.items() if name != "session")
            acts_on(account.name, owner=account.client_id, detail=told)
        return answer if isinstance(answer, Response) else as_json(answer, row.status)

    view.__doc__ = row.doc
    checked = endpoint(
        body=row.body,
        query=row.query,
        answers={row.status: None},
        problems=(404, 422, 501, 502, 503, 504),
        body_optional=row.body_optional,
        large=row.large,
        act=row.act,
        listed=False,
    )(view)
    routes.add_url_rule(row.path, row.verb.replace(".", "_"), checked, methods=[row.method])


def as_json(value: Any, status: int = 200) -> Response:
    """Any JSON, null included."""
    return Response(msgspec.json.encode(value), status=status, content_type="application/json")
