"""Who is looking: a cookie that stands for a token, and never is one."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime
from urllib.parse import urlsplit

import msgspec
import structlog
import trio
from quart import Response, request

from wagate.clock import Clock
from wagate.errors import ForbiddenError, StorageError
from wagate.hooks.contracts import Identity
from wagate.storage.database import Database
from wagate.storage.owners.directory import Client
from wagate.storage.owners.live import LiveDirectory
from wagate.storage.passes import (
    IDLE,
    KEPT,
    NOTED,
    Link,
    Sees,
    SignIn,
    add_signin,
    end_signin,
    find_link,
    find_signin,
    find_signins,
    use_signin,
)
from wagate.web.access.auth import Authenticator, token_hash

COOKIE = "wagate"
SAFE_COOKIE = "__Host-wagate"
"""With TLS: the browser then takes it from this host alone."""
FIELD = "csrf"
PATIENCE = 1.0
"""Seconds that a page waits until its use is noted."""

log = structlog.get_logger("wagate.ui")


class Viewer(msgspec.Struct, frozen=True, kw_only=True):
    """Who looks at the pages."""

    identity: Identity
    csrf: str
    """What every form carries."""
    cookie: str
    """Its hash."""
    link: str = ""
    """Id of the link that they came by; '': by a token."""
    may_act: bool = True
    """Whether they may do all that their client may; else they look."""
    may_retry: bool = True
    """Whether they may try again what they see."""
    sees: Sees = "all"
    """What is shown to them."""

    @property
    def client_id(self) -> int | None:
        """Whose things they see; None: everybody's."""
        return self.identity.client_id

    @property
    def deliveries(self) -> bool:
        """Whether they see which messages came, and what became of them."""
        return self.sees != "state"

    @property
    def texts(self) -> bool:
        """Whether they see what is in messages, requests and answers, and who people are."""
        return self.sees == "all"

    def opens(self, page: str) -> bool:
        """Whether a page, also as the stream calls it, or the search is for them."""
        if page in {"clients", "doctor", "system"}:
            return self.identity.admin
        if page in {"webhooks", "first"}:
            return self.may_act
        if page == "bulk":
            return self.may_retry and self.deliveries
        if page in {"deliveries", "search"}:
            return self.deliveries
        return self.texts or page not in {"conversations", "audit"}

    @property
    def name(self) -> str:
        """For the page and the audit."""
        if self.link:
            return f"link {self.link[-6:]}"
        return "admin" if self.identity.admin else self.identity.tenant or "?"


class SignIns:
    """Signs in, finds, signs out."""

    def __init__(self, database: Database, auth: Authenticator, live: LiveDirectory, clock: Clock) -> None:
        self._database = database
        self._live = live
        self._auth = auth
        self._clock = clock
        self._unnoted: float | None = None
        """When noting a use last failed."""

    async def sign_in(self, token: str, *, address: str, keep: bool) -> tuple[str, SignIn]:
        """A cookie for a token. UnauthorizedError; TooManyRequestsError when this address guesses."""
        self._auth.identify(token, address=address)
        cookie, now = secrets.token_urlsafe(32), self._clock.now()
        made = SignIn(
            hash=token_hash(cookie),
            token=token_hash(token),
            address=address,
            created_at=now,
            used_at=now,
            expires_at=now + (KEPT if keep else IDLE),
            kept=keep,
        )
        await self._database.write(add_signin, made)
        return cookie, made

    async def sign_in_by(self, link: Link, *, address: str) -> tuple[str, SignIn]:
        """A cookie for a link: it lasts as long as that."""
        cookie, now = secrets.token_urlsafe(32), self._clock.now()
        made = SignIn(
            hash=token_hash(cookie),
            token=link.hash,
            address=address,
            created_at=now,
            used_at=now,
            expires_at=link.expires_at,
            kept=True,
        )
        await self._database.write(add_signin, made)
        return cookie, made

    def wrong(self, address: str) -> None:
        """Count a wrong secret. TooManyRequestsError."""
        self._auth.failed(address)

    async def viewer(self, *, secure: bool) -> Viewer | None:
        """Who made the running request; None: somebody who is not signed in, or not any more.

        ``secure``: it came by TLS. The plain cookie does not count then: another host of the domain can plant one.
        """
        cookie = request.cookies.get(SAFE_COOKIE if secure else COOKIE, "")
        if not 20 < len(cookie) < 100:
            return None
        now = self._clock.now()
        found = await self._database.browse(find_signin, token_hash(cookie), now)
        seen = None if found is None else await self._seen(found, now)
        if found is None or seen is None:
            return None
        await self._note(found, now)
        return msgspec.structs.replace(seen, csrf=_csrf(cookie))

    async def lasting(self, viewers: Iterable[Viewer]) -> set[str]:
        """The cookies' hashes of those who are signed in still. Does not count as a use."""
        now = self._clock.now()
        found = await self._database.browse(find_signins, [each.cookie for each in viewers], now)
        return {each.hash for each in found if await self._seen(each, now) is not None}

    async def _seen(self, found: SignIn, now: datetime) -> Viewer | None:
        """By the token, or the link, as long as there is one."""
        if (identity := self._auth.find_hashed(found.token)) is not None:
            return Viewer(identity=identity, csrf="", cookie=found.hash)
        link = await self._database.browse(find_link, found.token, now, "client")
        client = None if link is None else self._live.now.clients.get(link.client_id)
        if link is None or client is None:
            return None
        return guest(link, client, cookie=found.hash)

    async def sign_out(self, viewer: Viewer) -> None:
        """End it, in every tab."""
        await self._database.write(end_signin, viewer.cookie)

    async def _note(self, found: SignIn, now: datetime) -> None:
        """Pages are shown by reads alone: when the database takes nothing, the use is not noted."""
        at = self._clock.monotonic()
        failed = self._unnoted is not None and at - self._unnoted < NOTED.total_seconds()
        if failed or now - found.used_at < NOTED:
            return
        self._unnoted = at
        with trio.move_on_after(PATIENCE):
            try:
                await self._database.write(use_signin, found, now)
                self._unnoted = None
            except StorageError as error:
                log.warning("use of a sign-in not noted", reason=str(error))


def guest(link: Link, client: Client, *, cookie: str) -> Viewer:
    """Who came by a link."""
    return Viewer(
        identity=Identity(admin=False, client_id=client.id, tenant=client.slug),
        csrf="",
        cookie=cookie,
        link=link.id,
        may_act=link.may_act and link.sees == "all",
        may_retry=link.may_act,
        sees=link.sees,
    )


def set_cookie(response: Response, cookie: str, made: SignIn, *, secure: bool) -> None:
    """Hand it to the browser."""
    response.set_cookie(
        SAFE_COOKIE if secure else COOKIE,
        cookie,
        max_age=int((made.expires_at - made.created_at).total_seconds()) if made.kept else None,
        secure=secure,
        httponly=True,
        samesite="Strict",
        path="/",
    )


def forget_cookie(response: Response) -> None:
    """Take it back."""
    for name, secure in ((COOKIE, False), (SAFE_COOKIE, True)):
        response.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="Strict")


def refuse_foreign(viewer: Viewer | None, given: str) -> None:
    """A POST comes from a page of ours: it has the form's secret, and the browser says the same. ForbiddenError."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    # Old browsers say only the origin. A proxy that ends TLS changes its scheme, but not its host.
    same = site in {"same-origin", "none"} if site else origin is None or _host(origin) == request.host
    if not same:
        raise ForbiddenError("this form was sent from another site")
    if viewer is not None and not hmac.compare_digest(viewer.csrf.encode(), given.encode("utf-8", "replace")):
        raise ForbiddenError("this page is out of date; go back, reload it and try again")


def _host(origin: str) -> str:
    """Host and port; '' when it can't be read."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _csrf(cookie: str) -> str:
    return hashlib.sha256(f"csrf {cookie}".encode()).hexdigest()[:32]
