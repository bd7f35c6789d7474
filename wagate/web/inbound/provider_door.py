"""``/webhooks/{account}``: what an account's provider posts, verified and read by the provider's own functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus

import msgspec
import structlog

from wagate.errors import (
    BadRequestError,
    ForbiddenError,
    NotFoundError,
    UnauthorizedError,
    UnavailableError,
    WagateError,
)
from wagate.events import NewEvent, Raw
from wagate.hooks.providers import InboundRequest, Provider, ProviderAccount
from wagate.inbound.ignore import Owned, Sieve
from wagate.inbound.receive import Receiver
from wagate.parsing.fields import fingerprint
from wagate.plugins.registry import Providers
from wagate.storage.events.intake import Stored
from wagate.storage.owners.directory import Account, Directory
from wagate.web.access.rate_limit import RateLimit
from wagate.web.http.asgi import Request
from wagate.web.inbound.intake import Answer, Door
from wagate.web.inbound.refusals import BODY, CHALLENGE, SIGNATURE, Refusals

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
        sieve: Sieve,
        limit: RateLimit,
        *,
        sessions: Door,
        public_url: str,
        refusals: Refusals,
    ) -> None:
        """``sessions`` takes what session engines post."""
        self._directory = directory
        self._providers = providers
        self._receiver = receiver
        self._sieve = sieve
        self._limit = limit
        self._sessions = sessions
        self._public_url = public_url.rstrip("/")
        self._refusals = refusals

    async def __call__(self, request: Request, body: bytes) -> Answer:
        """GET answers a challenge or says that the webhook is there; POST stores events."""
        name = request.path.rsplit("/", 1)[1]
        account = self._directory().accounts.get(name)
        if account is None:
            raise NotFoundError("no account has this webhook")
        provider, seen = self._provider(account)
        if provider.parse is None:
            return await self._sessions(request, body)
        asked = self._asked(request, body)
        if request.method != "POST":
            return self._challenge(provider, seen, asked)
        self._verify(provider, seen, asked)
        self._refusals.believed(account.name)
        self._limit.spend(account.name)
        events = self._parse(provider, seen, asked)
        owned = await self._sieve.taken_in(self._owned(account, events))
        stored = await self._receiver.receive_all(owned, body)
        answer = provider.answer
        return Answer(answer.status, answer.body, answer.content_type, note=note(owned, stored))

    def _provider(self, account: Account) -> tuple[Provider, ProviderAccount]:
        """The account's provider. UnavailableError, so that it is sent again once the operator has seen to it."""
        try:
            return self._providers.need(account.provider), self._providers.account(account)
        except WagateError as error:
            log.warning("account can't be used", account=account.name, reason=str(error))
            raise UnavailableError("this account can't take anything in right now", retry_after=60) from error

    def _asked(self, request: Request, body: bytes) -> InboundRequest:
        return InboundRequest(
            method=request.method,
            url=(self._public_url or request.origin) + request.raw_target,
            query=request.query,
            headers=request.headers,
            body=body,
        )

    def _challenge(self, provider: Provider, account: ProviderAccount, asked: InboundRequest) -> Answer:
        if provider.challenge is None:
            there = {"success": True, "sessionId": account.name}
            return Answer(HTTPStatus.OK, msgspec.json.encode(there), note="is there")
        try:
            answer = provider.challenge(asked, account)
        except (UnauthorizedError, ForbiddenError) as error:
            self._tell(provider, account, CHALLENGE, error)
            raise
        echo = answer.body.decode("utf-8", "replace")
        if len(answer.body) > LONGEST_ECHO or not echo.isprintable():
            raise BadRequestError(f"a challenge has at most {LONGEST_ECHO} printable characters")
        return Answer(answer.status, answer.body, "text/plain; charset=utf-8", note="challenge")

    def _verify(self, provider: Provider, account: ProviderAccount, asked: InboundRequest) -> None:
        assert provider.verify is not None, f"provider {provider.name} parses what it does not verify"
        try:
            provider.verify(asked, account)
        except (UnauthorizedError, ForbiddenError) as error:
            self._tell(provider, account, SIGNATURE, error)
            raise

    def _parse(self, provider: Provider, account: ProviderAccount, asked: InboundRequest) -> list[NewEvent]:
        assert provider.parse is not None
        try:
            return list(provider.parse(asked, account))
        except BadRequestError as error:
            self._tell(provider, account, BODY, error)
            raise
        except WagateError:
            raise
        except Exception:
            # The request is the provider's: what its plugin can't read is kept whole, and nothing is sent in vain.
            log.exception("parsing failed", account=account.name, provider=provider.name)
            return [unread(asked.body)]

    def _tell(self, provider: Provider, account: ProviderAccount, reason: str, error: WagateError) -> None:
        self._refusals.refused(account.name, provider.name, reason)
        log.warning("webhook refused", account=account.name, provider=provider.name, reason=reason, error=str(error))

    def _owned(self, account: Account, events: Iterable[NewEvent]) -> Iterable[Owned]:
        """Each event with the account that its number belongs to: one webhook URL may carry several."""
        mine = self._providers.number(account)
        for event in events:
            if event.number in {"", mine} or not mine:
                yield account, event
                continue
            owner = next(
                (each for each in self._siblings(account) if self._providers.number(each) == event.number), None
            )
            if owner is not None:
                yield owner, event
            else:
                # Kept here for want of a better place; what state that number is in says nothing of this account's.
                extra = event.extra | {"number": event.number}
                yield account, msgspec.structs.replace(event, session=None, extra=extra)

    def _siblings(self, account: Account) -> Iterable[Account]:
        for each in self._directory().by_client.get(account.client_id, ()):
            if each.provider == account.provider and each is not account:
                yield each


def unread(body: bytes) -> NewEvent:
    """A whole body that could not be read, to be looked at by people; the same bytes again are a duplicate."""
    return NewEvent(
        kind="unknown", provider_id=fingerprint(body.decode("utf-8", "replace")), type="unknown", raw=Raw(body=body)
    )


def note(owned: Iterable[Owned], stored: Iterable[Stored]) -> str:
    """For the log line: kinds, those known already with a star."""
    pairs = zip(owned, stored, strict=True)
    return " ".join(f"{event.kind}{'*' if each.duplicate else ''}" for (_, event), each in pairs)[:200] or "ignored"
