"""``/api/whatsapp/webhook/{sessionId}``: events of session engines (the whatsapp-web.js family)."""

from __future__ import annotations

import hashlib
import hmac
import re
from http import HTTPStatus

import msgspec

from wagate.errors import BadRequestError, NotFoundError, UnauthorizedError
from wagate.hooks.contracts import Identity
from wagate.inbound.accounts import Accounts
from wagate.inbound.ignore import IgnoreFilter
from wagate.inbound.receive import Receiver
from wagate.inbound.session.events import parse_session
from wagate.parsing.jsonbody import read_object
from wagate.storage.owners.directory import Account
from wagate.web.access.auth import Authenticator, token_of
from wagate.web.access.rate_limit import RateLimit
from wagate.web.http.asgi import Request
from wagate.web.inbound.intake import Answer
from wagate.web.inbound.refusals import CHALLENGE, SIGNATURE, Refusals

SESSION = "session"
"""The provider whose door it is."""
SESSION_NAME = re.compile(r"[A-Za-z0-9_.@+:~-]{1,100}")


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
        refusals: Refusals,
    ) -> None:
        self._refusals = refusals
        self._auth = auth
        self._accounts = accounts
        self._receiver = receiver
        self._ignore_filter = ignore_filter
        self._limit = limit

    async def __call__(self, request: Request, body: bytes) -> Answer:
        """GET answers a challenge or says that the door is there; POST stores events."""
        name = request.path.rsplit("/", 1)[1]
        if not SESSION_NAME.fullmatch(name):
            raise BadRequestError("a sessionId has 1 to 100 letters, digits and _.@+:~-", field="sessionId")
        looks = request.method in {"GET", "HEAD"}
        try:
            if looks:
                return self._challenge(request, name)
            account = await self._account(request, name, body)
        except UnauthorizedError:
            known = name if name in self._accounts.directory.accounts else ""
            self._refusals.refused(known, SESSION, CHALLENGE if looks else SIGNATURE)
            raise
        self._refusals.believed(account.name)
        self._limit.spend(account.name)
        parsed = parse_session(read_object(body), account=account.name, phone=account.phone)
        owned = await self._ignore_filter.taken_in((account, event) for event in parsed)
        stored = await self._receiver.receive_all(owned, body)
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

    def _challenge(self, request: Request, name: str) -> Answer:
        """Echo ``hub.challenge`` or ``challenge`` when the token given is the account's or an API token."""
        query = request.query
        challenge = query.get("hub.challenge") or query.get("challenge")
        if challenge is None:
            return Answer(HTTPStatus.OK, msgspec.json.encode({"success": True, "sessionId": name}))
        token = query.get("hub.verify_token") or _token(request)
        account = self._accounts.directory.accounts.get(name)
        if account is not None and _is_secret(token, account):
            return Answer(HTTPStatus.OK, challenge.encode(), "text/plain; charset=utf-8")
        identity = self._auth.identify(token, address=request.address)
        if account is not None and not _owns(identity, account):
            raise NotFoundError(f"no session {name!r}")
        return Answer(HTTPStatus.OK, challenge.encode(), "text/plain; charset=utf-8")

    async def _account(self, request: Request, name: str, body: bytes) -> Account:
        """The session's account, for whom may write to it; an API token makes an unknown one."""
        account = self._accounts.directory.accounts.get(name)
        token = _token(request)
        if account is not None and (_is_secret(token, account) or _is_signed(request, body, account)):
            return account
        if token is None and account is not None and _has_signature(request):
            raise UnauthorizedError("the signature does not match this body and the account's webhook secret")
        identity = self._auth.identify(token, address=request.address)
        if account is None:
            directory = self._accounts.directory
            owner = directory.client("default") if identity.admin else directory.clients[identity.client_id or 0]
            return await self._accounts.ensure(name, owner, provider=SESSION, phone="")
        if not _owns(identity, account):
            raise NotFoundError(f"no session {name!r}")
        return account


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


def _is_signed(request: Request, body: bytes, account: Account) -> bool:
    """HMAC of the raw body: ``X-Webhook-Hmac`` (SHA-512 or as its algorithm header says), ``X-Hub-Signature-256``."""
    if not account.webhook_secret or not _has_signature(request):
        return False
    given = request.headers.get("x-webhook-hmac")
    algorithm = request.headers.get("x-webhook-hmac-algorithm", "sha512").lower()
    if given is None:
        given = request.headers["x-hub-signature-256"].removeprefix("sha256=")
        algorithm = "sha256"
    if algorithm not in {"sha256", "sha512"}:
        return False
    expected = hmac.new(account.webhook_secret.encode(), body, getattr(hashlib, algorithm)).hexdigest()
    return hmac.compare_digest(given.strip().lower().encode("utf-8", "replace"), expected.encode())
