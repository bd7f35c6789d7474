"""``/webhooks/{account}``: what an account's provider posts, verified and read by the provider's own functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus

import msgspec
import structlog

from wagate.errors import (
    BadRequestError,
    ForbiddenError,
    NotFoundError,
    PluginError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
    WagateError,
)
from wagate.events import NewEvent
from wagate.hooks.providers import InboundRequest, Provider, ProviderAccount
from wagate.inbound.ignore import IgnoreFilter, Owned
from wagate.inbound.numbers import Numbers
from wagate.inbound.receive import Receiver
from wagate.plugins.registry import Providers
from wagate.storage.events.intake import Stored
from wagate.storage.owners.directory import Account, Directory
from wagate.web.access.auth import Authenticator
from wagate.web.access.rate_limit import RateLimit
from wagate.web.http.asgi import Request
from wagate.web.inbound.intake import Answer, OwnDeliveries
from wagate.web.inbound.refusals import BODY, CHALLENGE, SIGNATURE, Refusals
from wagate.web.inbound.session_door import SESSION_NAME, SessionDoor

PATTERN = "/webhooks/[^/]+"
"""One segment: longer paths below are other routes' own."""
LONGEST_ECHO = 1024
"""Bytes of a challenge; Meta's are 10 digits."""

log = structlog.get_logger("wagate.intake")


class ProviderDoor:
    """Verify, parse, find the account of each event, store all of them in one commit."""

    def __init__(
        self,
        directory: Callable[[], Directory],
        providers: Providers,
        receiver: Receiver,
        ignore_filter: IgnoreFilter,
        limit: RateLimit,
        *,
        auth: Authenticator,
        sessions: SessionDoor,
        numbers: Numbers,
        public_url: str,
        refusals: Refusals,
        own: OwnDeliveries,
    ) -> None:
        """``auth`` counts what is refused; ``sessions`` takes what session engines post."""
        self._own = own
        self._auth = auth
        self._directory = directory
        self._numbers = numbers
        self._providers = providers
        self._receiver = receiver
        self._ignore_filter = ignore_filter
        self._limit = limit
        self._sessions = sessions
        self._public_url = public_url.rstrip("/")
        self._refusals = refusals

    def admit(self, request: Request) -> bool:
        """Whether the body matters: not for an account that there is none of, which nothing must tell.

        NotFoundError: no account can have this name.
        """
        name, accounts = _name(request), self._directory().accounts
        if name not in accounts and not SESSION_NAME.fullmatch(name):
            raise NotFoundError("an account's name has 1 to 100 letters, digits and _.@+:~-")
        return request.method == "POST" and name in accounts

    async def __call__(self, request: Request, body: bytes) -> Answer:
        """GET answers a challenge or says that the webhook is there; POST stores events."""
        account = self._directory().accounts.get(_name(request))
        if request.method != "POST":
            return self._look(request, account)
        if account is None:
            if request.on_disk is not None:
                await request.on_disk.hmac(b"", "sha256")  # As long as a check takes: the time must not tell.
            log.warning("webhook refused", account="", provider="", reason=SIGNATURE, error="there is no such account")
            raise self._refused(request, UnauthorizedError)
        provider, seen = self._provider(account)
        if provider.parse is None:
            return await self._session(request, body, account)
        if request.on_disk is not None:
            # Only session engines put files inside. The answer is the same as to a wrong signature, or no account.
            whole = await request.on_disk.whole()
            if whole is None:
                self._tell(provider, seen, BODY, TooLargeError("the body is over server.max_body"))
                raise self._refused(request, UnauthorizedError)
            body = whole
        asked = self._asked(request, body)
        if not self._verified(provider, seen, asked):
            raise self._refused(request, UnauthorizedError)
        self._limit.spend(account.name)
        await self._own.refuse(request)
        events = self._parse(provider, seen, asked)
        self._refusals.accepted(account.name)  # Who posts what can't be read is not accepted.
        owned = await self._ignore_filter.taken_in(self._numbers.owned(account, events))
        stored = await self._receiver.receive_all(owned, body)
        answer = provider.answer
        return Answer(answer.status, answer.body, answer.content_type, note=note(owned, stored))

    def _look(self, request: Request, account: Account | None) -> Answer:
        """A handshake; without a question, every name has a door."""
        if not request.query:
            there = {"success": True, "sessionId": _name(request)}
            return Answer(HTTPStatus.OK, msgspec.json.encode(there), note="is there")
        if account is not None:
            provider, seen = self._provider(account)
            if provider.challenge is not None:
                return self._challenge(provider, seen, request)
            if provider.parse is None and self._sessions.knows_challenger(request, account):
                return self._sessions.challenge(request, account.name)
        raise self._refused(request, ForbiddenError)

    async def _session(self, request: Request, body: bytes, account: Account) -> Answer:
        """What a session engine posts here."""
        if await self._sessions.account(request, body, account.name) is None:
            self._refusals.refused(account.name, account.provider, SIGNATURE, "wrong secret or signature")
            raise self._refused(request, UnauthorizedError)
        return await self._sessions.take(request, body, account)

    def _refused(self, request: Request, kind: type[UnauthorizedError | ForbiddenError]) -> WagateError:
        """The same whether there is such an account or not; the log says what was wrong. Counts it."""
        self._auth.failed(request.address)
        return kind("unknown account, or wrong secret or signature")

    def _provider(self, account: Account) -> tuple[Provider, ProviderAccount]:
        """The account's provider. UnavailableError, so that it is sent again once the operator has seen to it."""
        try:
            return self._providers.need(account.provider), self._providers.account(account)
        except WagateError as error:
            log.warning("account can't be used", account=account.name, reason=str(error))
            raise _not_now() from error

    def _asked(self, request: Request, body: bytes) -> InboundRequest:
        return InboundRequest(
            method=request.method,
            url=(self._public_url or request.origin) + request.raw_target,
            query=request.query,
            headers=request.headers,
            body=body,
        )

    def _challenge(self, provider: Provider, account: ProviderAccount, request: Request) -> Answer:
        assert provider.challenge is not None
        try:
            answer = provider.challenge(self._asked(request, b""), account)
        except (UnauthorizedError, ForbiddenError, NotFoundError) as error:
            self._tell(provider, account, CHALLENGE, error)
            raise self._refused(request, ForbiddenError) from error
        except PluginError as error:
            raise _not_judged(account.name, error) from error
        echo = answer.body.decode("utf-8", "replace")
        if len(answer.body) > LONGEST_ECHO or not echo.isprintable():
            raise BadRequestError(f"a challenge has at most {LONGEST_ECHO} printable characters")
        return Answer(answer.status, answer.body, "text/plain; charset=utf-8", note="challenge")

    def _verified(self, provider: Provider, account: ProviderAccount, asked: InboundRequest) -> bool:
        assert provider.verify is not None, f"provider {provider.name} parses webhooks that it does not verify"
        try:
            provider.verify(asked, account)
        except (UnauthorizedError, ForbiddenError, NotFoundError) as error:
            self._tell(provider, account, SIGNATURE, error)
            return False
        except PluginError as error:
            raise _not_judged(account.name, error) from error
        return True

    def _parse(self, provider: Provider, account: ProviderAccount, asked: InboundRequest) -> Sequence[NewEvent]:
        assert provider.parse is not None
        try:
            return provider.parse(asked, account)
        except BadRequestError as error:
            self._tell(provider, account, BODY, error)
            raise

    def _tell(self, provider: Provider, account: ProviderAccount, reason: str, error: WagateError) -> None:
        self._refusals.refused(account.name, provider.name, reason, str(error))
        log.warning("webhook refused", account=account.name, provider=provider.name, reason=reason, error=str(error))


def _name(request: Request) -> str:
    return request.path.rsplit("/", 1)[1]


def _not_now() -> UnavailableError:
    """It is sent again once somebody has seen to it."""
    return UnavailableError("this account can't receive right now; try again later", retry_after=60)


def _not_judged(account: str, error: PluginError) -> UnavailableError:
    """What the plugin could not judge is neither believed nor refused."""
    log.error("webhook not judged", plugin=error.plugin, account=account, error=error.what, exc_info=error)
    return _not_now()


def note(owned: Iterable[Owned], stored: Iterable[Stored]) -> str:
    """For the log line: kinds, those known already with a star."""
    pairs = zip(owned, stored, strict=True)
    return " ".join(f"{event.kind}{'*' if each.duplicate else ''}" for (_, event), each in pairs)[:200] or "ignored"
