"""``/api/whatsapp/webhook/{sessionId}``: events of session engines (the whatsapp-web.js family).

A file that came inside such a webhook is kept for its message, whichever webhook brought that.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus
from typing import Any, NoReturn

import msgspec
from msgspec.structs import replace

from wagate.errors import BadRequestError, NotFoundError, TooLargeError, UnauthorizedError, UnprocessableError
from wagate.events import NewEvent
from wagate.hooks.contracts import Identity
from wagate.inbound.accounts import Accounts
from wagate.inbound.ignore import IgnoreFilter
from wagate.inbound.numbers import EngineSessions, Numbers
from wagate.inbound.receive import Receiver
from wagate.inbound.session.events import parse_session
from wagate.media.base64 import decoded, file_at, inline_data
from wagate.media.failure import NotFetchedError
from wagate.media.inside import BodyOnDisk
from wagate.media.store import Media
from wagate.parsing.fields import first_text
from wagate.parsing.jsonbody import read_object
from wagate.storage.database import Database
from wagate.storage.media import FOLLOWS, INLINE, Kept
from wagate.storage.owners.directory import Account
from wagate.web.access.auth import Authenticator, token_of
from wagate.web.access.rate_limit import RateLimit
from wagate.web.http.asgi import Request
from wagate.web.inbound.intake import Answer, OwnDeliveries
from wagate.web.inbound.refusals import BODY, CHALLENGE, SIGNATURE, Refusals

SESSION = "session"
"""The provider whose door it is."""
LOOKS = frozenset({"GET", "HEAD"})
SESSION_NAME = re.compile(r"[A-Za-z0-9_.@+:~-]{1,100}")
NO_MATCH = "the signature does not match this body and the account's webhook secret"
NOT_THEIRS = "this token belongs to another account"


class Arriving(msgspec.Struct, frozen=True, kw_only=True):
    """One webhook's body."""

    body: bytes
    document: dict[str, Any]
    """The body, parsed."""
    on_disk: BodyOnDisk | None
    """The whole of it, when ``body`` has marks in place of files."""

    def has_file(self, event: NewEvent) -> bool:
        """Whether it holds the file of its event."""
        return INLINE in event.extra and event.media is not None

    def as_stored(self, event: NewEvent) -> NewEvent:
        """The event as it can be stored: what is on disk is not in the stored body, but comes in a moment."""
        if self.on_disk is None or INLINE not in event.extra:
            return event
        extra = {name: value for name, value in event.extra.items() if name != INLINE}
        return replace(event, extra=extra | {FOLLOWS: True})

    async def kept(self, event: NewEvent, media: Media) -> Kept:
        """The file, on the disk for good.

        Raises:
            UnprocessableError, TooLargeError: it is none, or too large. StorageError: the disk takes no more.
        """
        place = event.extra[INLINE]
        assert event.media is not None
        told = first_text(file_at(self.document, place), "mimetype")
        try:
            async with aclosing(self._chunks(place)) as chunks:
                return await media.take_coming(chunks, event.media, kind=event.type, told=told)
        except (ValueError, NotFetchedError) as error:
            detail = f"the message is stored, but its file can't be kept: {error}"
            raise UnprocessableError(detail, field=f"{place}.data") from error
        except TooLargeError as error:
            raise TooLargeError(f"the message is stored, but {error}") from error

    async def _chunks(self, place: str) -> AsyncGenerator[bytes, None]:
        if self.on_disk is not None:
            async with aclosing(self.on_disk.file(self.document, place)) as chunks:
                async for chunk in chunks:
                    yield chunk
            return
        for chunk in decoded(inline_data(self.body, place)):
            yield chunk


class SessionDoor:
    """Verify, parse, store, change the session's state in the same commit."""

    def __init__(
        self,
        auth: Authenticator,
        accounts: Accounts,
        receiver: Receiver,
        ignore_filter: IgnoreFilter,
        limit: RateLimit,
        *,
        database: Database,
        numbers: Numbers,
        refusals: Refusals,
        own: OwnDeliveries,
        media: Media,
    ) -> None:
        self._numbers = numbers
        self._sessions = EngineSessions(database, numbers)
        self._own = own
        self._refusals = refusals
        self._media = media
        self._auth = auth
        self._accounts = accounts
        self._receiver = receiver
        self._ignore_filter = ignore_filter
        self._limit = limit

    def admit(self, request: Request) -> bool:
        """Whether the body matters: not for an account that there is none of, which nothing must tell.

        Raises:
            BadRequestError: this is no name. UnauthorizedError: neither token nor signature. TooManyRequestsError.
        """
        name = _name(request)
        if request.method in LOOKS:
            return False
        account = self._accounts.directory.accounts.get(name)
        if not _has_signature(request) and not self._has_token(request, account):
            self._refuse(request, name)
        return account is not None or self._has_token(request, account)

    async def __call__(self, request: Request, body: bytes) -> Answer:
        """GET answers a challenge or says that the door is there; POST stores events."""
        name = _name(request)
        if request.method in LOOKS:
            return self.challenge(request, name)
        account = await self.account(request, body, name)
        if account is None:
            self._refuse(request, name)
        return await self.take(request, body, account)

    def may_be_large(self, request: Request) -> bool:
        """Whether somebody seems to post here who may post files. The same whether there is such an account or not."""
        name = request.path.rsplit("/", 1)[1]
        return _has_signature(request) or self._has_token(request, self._accounts.directory.accounts.get(name))

    async def account(self, request: Request, body: bytes, name: str) -> Account | None:
        """The account that somebody posts to who may: by its secret, a signature with it, or an API token.

        An API token makes an account that there is none of. NotFoundError: it is another client's than the token.
        """
        account = self._accounts.directory.accounts.get(name)
        token = _token(request)
        # Where there is no account, it is signed with nobody's secret: in the same time.
        if _has_signature(request) and await _is_signed(request, body, account.webhook_secret if account else ""):
            return account
        if account is not None and _is_secret(token, account):
            return account
        identity = self._auth.find(token) if token is not None else None
        if identity is None:
            return None
        if account is None:
            directory = self._accounts.directory
            owner = directory.client("default") if identity.admin else directory.clients[identity.client_id or 0]
            return await self._accounts.ensure(name, owner, provider=SESSION, phone="")
        if not _owns(identity, account):
            raise NotFoundError(f"no session {name!r}")
        return account

    async def take(self, request: Request, body: bytes, account: Account) -> Answer:
        """Store what was posted by somebody who may; a file belongs to its message, by whichever webhook it comes.

        UnprocessableError: the message is stored, but its file is none.
        """
        self._limit.spend(account.name)
        await self._own.refuse(request)
        document, parsed = self._parse(body, account)
        self._refusals.accepted(account.name)  # Who posts what can't be read is not accepted.
        number = await self._sessions.number(account, document)
        named = [msgspec.structs.replace(event, number=number) for event in parsed] if number else parsed
        arriving = Arriving(body=body, document=document, on_disk=request.on_disk)
        came = await self._ignore_filter.taken_in(self._numbers.owned(account, named))
        owned = [(owner, arriving.as_stored(event)) for owner, event in came]
        if request.on_disk is not None and not any(arriving.has_file(event) for event in parsed):
            body = await request.on_disk.whole() or body  # what was taken for a file is none: it is kept as it came
        stored = await self._receiver.receive_all(owned, body)
        for (_, event), each in zip(came, stored, strict=True):
            if arriving.has_file(event) and (each.duplicate or request.on_disk is not None):
                await self._media.came(each.event_id, await arriving.kept(event, self._media))
        answer = {
            "success": True,
            "sessionId": account.name,
            "event_id": stored[0].event_id if stored else None,
            "duplicate": bool(stored) and all(each.duplicate for each in stored),
        }
        note = " ".join(
            f"{event.kind}{'*' if each.duplicate else ''}" for (_, event), each in zip(owned, stored, strict=True)
        )
        return Answer(HTTPStatus.OK, msgspec.json.encode(answer), note=note or "ignored")

    def _parse(self, body: bytes, account: Account) -> tuple[dict[str, Any], list[NewEvent]]:
        """The body, and the events in it. BadRequestError."""
        try:
            document = read_object(body)
            return document, parse_session(document, account=account.name, phone=account.phone)
        except BadRequestError as error:
            self._refusals.refused(account.name, account.provider, BODY, str(error))
            raise

    def challenge(self, request: Request, name: str) -> Answer:
        """Echo ``hub.challenge`` or ``challenge`` when the token given is the account's or an API token."""
        query = request.query
        challenge = query.get("hub.challenge") or query.get("challenge")
        if challenge is None:
            return Answer(HTTPStatus.OK, msgspec.json.encode({"success": True, "sessionId": name}))
        token = query.get("hub.verify_token") or _token(request)
        account = self._accounts.directory.accounts.get(name)
        if account is not None and _is_secret(token, account):
            return Answer(HTTPStatus.OK, challenge.encode(), "text/plain; charset=utf-8")
        try:
            identity = self._auth.identify(token, address=request.address)
        except UnauthorizedError:
            self._refusals.refused(name if account is not None else "", SESSION, CHALLENGE, "wrong verify token")
            raise
        if account is not None and not _owns(identity, account):
            raise NotFoundError(f"no session {name!r}")
        return Answer(HTTPStatus.OK, challenge.encode(), "text/plain; charset=utf-8")

    def knows_challenger(self, request: Request, account: Account) -> bool:
        """Whether a challenge comes from somebody who may ask it of this account."""
        query = request.query
        token = query.get("hub.verify_token") or _token(request)
        if token is None or not (query.get("hub.challenge") or query.get("challenge")):
            return False
        identity = self._auth.find(token)
        return _is_secret(token, account) or (identity is not None and _owns(identity, account))

    def _has_token(self, request: Request, account: Account | None) -> bool:
        token = _token(request)
        if token is None:
            return False
        return (account is not None and _is_secret(token, account)) or self._auth.find(token) is not None

    def _refuse(self, request: Request, name: str) -> NoReturn:
        """The same whether there is such an account or not."""
        known = name if name in self._accounts.directory.accounts else ""
        signed = _has_signature(request)
        wrong = NO_MATCH if signed else NOT_THEIRS
        self._refusals.refused(known, SESSION, SIGNATURE, wrong)
        if signed:
            self._auth.failed(request.address)
            raise UnauthorizedError(wrong)
        self._auth.identify(_token(request), address=request.address)
        raise UnauthorizedError(wrong)


def _name(request: Request) -> str:
    name = request.path.rsplit("/", 1)[1]
    if not SESSION_NAME.fullmatch(name):
        raise BadRequestError("a sessionId has 1 to 100 letters, digits and _.@+:~-", field="sessionId")
    return name


def _token(request: Request) -> str | None:
    headers = request.headers
    secret = headers.get("x-webhook-secret") or request.query.get("token")
    return secret or token_of(headers.get("authorization"), headers.get("x-api-key"))


def _owns(identity: Identity, account: Account) -> bool:
    return identity.admin or identity.client_id == account.client_id


def _is_secret(token: str | None, account: Account) -> bool:
    secret = account.webhook_secret
    return bool(token and secret) and hmac.compare_digest((token or "").encode(), secret.encode())


def _has_signature(request: Request) -> bool:
    return "x-webhook-hmac" in request.headers or "x-hub-signature-256" in request.headers


async def _is_signed(request: Request, body: bytes, secret: str) -> bool:
    """HMAC of the raw body: ``X-Webhook-Hmac`` (SHA-512 or as its algorithm header says), ``X-Hub-Signature-256``."""
    given = request.headers.get("x-webhook-hmac")
    algorithm = request.headers.get("x-webhook-hmac-algorithm", "sha512").lower()
    if given is None:
        given = request.headers["x-hub-signature-256"].removeprefix("sha256=")
        algorithm = "sha256"
    if algorithm not in {"sha256", "sha512"}:
        return False
    if request.on_disk is not None:
        expected = await request.on_disk.hmac(secret.encode(), algorithm)
    else:
        expected = hmac.new(secret.encode(), body, algorithm).hexdigest()
    return hmac.compare_digest(given.strip().lower().encode("utf-8", "replace"), expected.encode()) and bool(secret)
