"""What a provider is: how its webhooks are verified and read, and how it sends. Pure functions and async ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from urllib.parse import parse_qsl

import msgspec

from wagate.errors import BadRequestError
from wagate.events import Media, NewEvent
from wagate.hooks.listening import Inlet, Sink
from wagate.hooks.messages import OutFile, OutMessage, Sent, Signal
from wagate.http.guard import Trust
from wagate.parsing.jsonbody import read_object


class ProviderAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account as its provider sees it: with its settings and secrets. Its repr shows none of them."""

    name: str
    """Unique over all clients."""
    phone: str
    """Digits of our number, '' when not known."""
    settings: Any
    """An instance of `Provider.settings_type`."""
    webhook_secret: str
    """What guards the account's webhook when the provider has no signature of its own; '' when none is set."""
    webhook_url: str
    """Our public URL of its webhook: ``<server.public_url>/webhooks/<name>``; '' without ``public_url``."""
    trust: Trust
    """Who wrote its URLs: operator (config.toml) or public (the API). Pass it to every request made with them."""
    id: str = ""
    """Never another account's, not even when the name is given anew: for what a provider keeps of its own."""

    def __repr__(self) -> str:
        return f"ProviderAccount(name={self.name!r})"


MOST_PAIRS = 10_000
"""Fields of a form; Twilio's have some dozens."""


@dataclass(frozen=True, kw_only=True)
class InboundRequest:
    """One request of a provider, as it came."""

    method: str
    url: str
    """As the provider knows it: ``server.public_url`` (else what the Host header and trusted proxies say) with path
    and query exactly as they came."""
    query: Mapping[str, str]
    """The last one of a name counts."""
    headers: Mapping[str, str]
    """By lower-case name; the last one counts."""
    body: bytes
    """Exactly as it came: signatures are over these bytes."""

    def json(self) -> dict[str, Any]:
        """The body as a JSON object, leniently (lone surrogates, NUL and huge numbers replaced). BadRequestError."""
        return read_object(self.body)

    def form(self) -> list[tuple[str, str]]:
        """The body as ``application/x-www-form-urlencoded`` pairs, blanks kept. BadRequestError: far too many."""
        if self.body.count(b"&") >= MOST_PAIRS:
            raise BadRequestError(f"the form has more than {MOST_PAIRS} fields", field="")
        return parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)


class WebhookAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider's webhook is answered."""

    status: int = 200
    body: bytes = b'{"success":true}'
    content_type: str = "application/json"


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """One message, ready to be sent."""

    id: str
    """Ours, stable over retries: the provider's idempotency key, or what it carries back with statuses."""
    message: OutMessage
    account: ProviderAccount
    file: OutFile | None = None
    """The message's file, when it has one."""
    attempt: int = 1


class MediaRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Where a file that came in can be fetched right now."""

    url: str
    headers: dict[str, str] = {}
    """Sent to this host only: a redirect to another one is followed without them."""
    trust: Trust = "public"
    """Who wrote the URL; ``account.trust`` when it is on the account's own base URL."""
    mimetype: str = ""
    """As the provider says; '' when the answer's Content-Type is to be believed."""
    size: int | None = None


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What WhatsApp shows of a chat."""

    name: str = ""
    """A group's subject, a channel's or a person's name; '' when there is none, or nobody may see it."""
    picture: str = ""
    """A URL at which anybody can fetch the picture, for a while; '' when there is none."""


class SendLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How fast one number may send: token buckets kept by the core. 0: no limit."""

    per_second: float = 0.0
    """Of one account."""
    burst: int = 0
    """Of one account; 0: as many as ``per_second``."""
    chat_per_second: float = 0.0
    """To one chat."""
    chat_burst: int = 0


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line of ``wagate doctor``."""

    level: Literal["ok", "warn", "fail"]
    what: str
    """What was looked at: ``token``, ``webhook``, ``reachable`` …"""
    detail: str
    """What was seen."""
    next_step: str = ""
    """What to do about it; '' when all is well."""


Check = Callable[[], Awaitable[Sequence[Finding]]]
"""A look of a plugin's own, for ``wagate doctor``."""

STORED = WebhookAnswer()
UNLIMITED = SendLimits()

Verify = Callable[[InboundRequest, ProviderAccount], None]
Parse = Callable[[InboundRequest, ProviderAccount], Sequence[NewEvent]]
Challenge = Callable[[InboundRequest, ProviderAccount], WebhookAnswer]


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A way to WhatsApp.

    ``verify`` and ``parse`` are pure and quick. ``send`` returns when the provider has taken the message; it raises
    `wagate.errors.NotSentError`, `SendRefusedError`, `AccountStoppedError` or `OutcomeUnknownError`. An
    `wagate.http.HttpError` may pass: the core knows whether its request had left. Anything else counts as unknown.
    """

    name: str
    """``provider = "<name>"`` in an account."""
    title: str
    """For people."""
    settings_type: type[msgspec.Struct]
    """Keys of ``[accounts.<name>]`` and of ``provider_config``: typed, unknown keys refused."""
    secrets: frozenset[str]
    """Names of settings that are masked in answers and logs."""
    common_keys: Mapping[str, str] = field(default_factory=dict)
    """``api_key``, ``api_secret``, ``phone_number_id``, ``webhook_verify_token`` → its own key; others are ignored."""
    verify: Verify | None = None
    """Raises UnauthorizedError when the request is not the provider's. Constant-time comparisons only."""
    parse: Parse | None = None
    """Body → events, in order. Raises BadRequestError when the body can't be read at all; one bad item becomes an event
    of kind ``unknown`` with its own bytes in ``raw``. What has no field of ours stays in ``raw``. Without ``verify``
    and ``parse`` its webhooks are session events: the core's own door for these takes them."""
    challenge: Challenge | None = None
    """Answers a GET. None: GET says that the webhook is there."""
    answer: WebhookAnswer = STORED
    """What a POST is answered once all is stored."""
    number: Callable[[ProviderAccount], str] = lambda _account: ""
    """The provider's own id of the account's number, as in `NewEvent.number`; '' when it has none."""
    abilities: frozenset[str] = frozenset()
    """Message types it can send, and ``reply``, ``seen``, ``typing``, ``revoke``; what ``control`` can do."""
    sessions: bool = False
    """Whether its numbers are linked as devices and have states (QR, connected …); else they are simply there."""
    self_hosted: bool = False
    """Whether it runs where the operator runs it, so that it could reach the inside: it gets no link of others to
    fetch, but the file, which we fetch ourselves."""
    idempotent: bool = False
    """Whether a message sent twice with the same `Outgoing.id` reaches the phone once."""
    limits: SendLimits = UNLIMITED
    send: Callable[[Outgoing], Awaitable[Sent]] | None = None
    signal: Callable[[Signal, ProviderAccount], Awaitable[None]] | None = None
    """May raise the same errors as ``send``."""
    revoke: Callable[[str, str, ProviderAccount], Awaitable[None]] | None = None
    """(the provider's id of a message of ours, its chat's key, account): takes it back from everyone. To revoke twice
    does no harm. May raise the same errors as ``send``."""
    locate_media: Callable[[Media, ProviderAccount], Awaitable[MediaRequest]] | None = None
    """Where the file of an event can be fetched. None: at its ``url`` as it is. Raises as ``send``."""
    missed: Callable[[ProviderAccount, datetime], AsyncIterator[NewEvent]] | None = None
    """What came since a time, oldest first, for what was lost while we were down; duplicates do no harm. An async
    generator function: it is closed when it takes longer than a minute."""
    control: Callable[[str, ProviderAccount], Awaitable[None]] | None = None
    """Does one of ``start``, ``stop``, ``restart`` and ``logout`` to the account's session; ``abilities`` names those
    it can. Returns when the provider has taken it: the new state comes by its webhook. May raise as ``send``."""
    qr: Callable[[ProviderAccount], Awaitable[str]] | None = None
    """The text of the QR code that waits to be scanned, '' when none does; for providers whose events don't bring it.
    May raise as ``send``."""
    profile: Callable[[str, ProviderAccount], Awaitable[Profile]] | None = None
    """(a chat's key, account) → what WhatsApp shows of the chat, as far as it can be seen: a picture that can't be had
    costs no name. A few seconds at most: somebody waits. May raise as ``send``."""
    run: Callable[[ProviderAccount, Inlet], Awaitable[None]] | None = None
    """Listens for one account, for a provider that needs no webhook: until it is cancelled, when the account is
    changed or deleted, or when the gateway begins to stop. What it raises is logged, and it is started again after a
    pause; when it returns, it is over until the account changes. Once it is cancelled nothing more is taken in, while
    ``send`` goes on until all deliveries have ended and ``lifespan`` is left."""
    lifespan: Callable[[], AbstractAsyncContextManager[None]] | None = None
    """One context around all of the provider's work, as the hook of this name."""
    forget: Callable[[ProviderAccount], Awaitable[None]] | None = None
    """Wipes what is kept of an account that listened and was deleted. A minute at most."""
    pair_code: Callable[[str, ProviderAccount], Awaitable[str]] | None = None
    """(digits of the number, account) → the code that is typed on its phone instead of scanning the QR code. May raise
    as ``send``."""
    fetch_media: Callable[[Media, ProviderAccount, Sink], Awaitable[None]] | None = None
    """Brings the file of an event, a part at a time, for what no plain download brings. Raises as ``send``."""
    check: Callable[[ProviderAccount], Awaitable[Sequence[Finding]]] | None = None
    """Asks the provider whether the account would work; for ``wagate doctor``."""

    @property
    def listens(self) -> bool:
        """Whether it hears of messages by itself, without a webhook."""
        return self.run is not None
