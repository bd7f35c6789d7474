"""Providers: how to verify and read their webhooks, and how to send."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from urllib.parse import parse_qsl

import msgspec

from wagate.errors import BadRequestError, SendError
from wagate.events import Media, NewEvent
from wagate.hooks.asks import Answers
from wagate.hooks.listening import Inlet, Sink
from wagate.hooks.messages import Edit, OutFile, OutMessage, Sent, Signal
from wagate.http.guard import Trust
from wagate.parsing.jsonbody import read_object


class ProviderAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account as its provider sees it, with settings and secrets. Its repr shows none of them."""

    name: str
    """Unique over all clients."""
    phone: str
    """Digits of our number, '' when not known."""
    settings: Any
    """An instance of `Provider.settings_type`."""
    webhook_secret: str
    """The secret of the account's webhook, for providers that don't sign requests; '' if none is set."""
    webhook_url: str
    """The public URL of its webhook: ``<server.public_url>/webhooks/<name>``; '' without ``public_url``."""
    trust: Trust
    """Who wrote the URLs in its settings: operator (config.toml) or public (the API). Pass it with requests to them."""
    id: str = ""
    """Identifies the account permanently: a new account with the same name has a different id."""

    def __repr__(self) -> str:
        return f"ProviderAccount(name={self.name!r})"


MOST_PAIRS = 10_000
"""Most fields of a form; Twilio's have some dozens."""


@dataclass(frozen=True, kw_only=True)
class InboundRequest:
    """A request of a provider, unchanged."""

    method: str
    url: str
    """The URL that the provider called: ``server.public_url`` (else the host from Host header and trusted proxies) with
    the path and query of the request, unchanged."""
    query: Mapping[str, str]
    """If a name is there twice, the last one."""
    headers: Mapping[str, str]
    """By lower-case name; if a name is there twice, the last one."""
    body: bytes
    """The bytes that the provider signed, unchanged."""

    def json(self) -> dict[str, Any]:
        """The body as a JSON object, leniently (lone surrogates, NUL and huge numbers replaced). BadRequestError."""
        return read_object(self.body)

    def form(self) -> list[tuple[str, str]]:
        """The body as ``application/x-www-form-urlencoded`` pairs, with empty values. BadRequestError: too many."""
        if self.body.count(b"&") >= MOST_PAIRS:
            raise BadRequestError(f"the form has more than {MOST_PAIRS} fields", field="")
        return parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)


class WebhookAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a provider's webhook."""

    status: int = 200
    body: bytes = b'{"success":true}'
    content_type: str = "application/json"


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """A message that is ready to be sent."""

    id: str
    """wagate's id, the same for all attempts: an idempotency key, or a reference that statuses carry."""
    message: OutMessage
    account: ProviderAccount
    file: OutFile | None = None
    """The message's file, if it has one."""
    attempt: int = 1


class MediaRequest(msgspec.Struct, frozen=True, kw_only=True):
    """How to fetch an incoming file."""

    url: str
    headers: dict[str, str] = {}
    """Sent only to this host; a redirect to another host is followed without them."""
    trust: Trust = "public"
    """Who wrote the URL; ``account.trust`` if it is below the account's base URL."""
    mimetype: str = ""
    """As the provider declares it; '': use the answer's Content-Type."""
    size: int | None = None
    content: bytes = b""
    """POSTed as JSON to get the file; b"": it is fetched with GET."""
    inside: str = ""
    """Where in the answer's JSON the file stands, as ``{"data": "<base64>"}``; '': the answer is the file."""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """Name and picture that WhatsApp shows for a chat."""

    name: str = ""
    """The name of a person or channel, or a group's subject; '' if there is none or it is hidden."""
    picture: str = ""
    """A public URL of the picture, valid for a while; '' if there is none."""


class SendLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How fast one number may send; wagate waits accordingly. 0: no limit."""

    per_second: float = 0.0
    """Messages a second of one account."""
    burst: int = 0
    """Messages of one account at once after a pause; 0: as many as ``per_second``."""
    chat_per_second: float = 0.0
    """Messages a second to one chat."""
    chat_burst: int = 0
    new_chats_per_hour: float = 0.0
    """Chats an hour that an account may begin: with people who never wrote to it, and to whom it never wrote. Further
    ones wait in the order of their messages, over restarts and for all gateways together."""
    new_chats_burst: int = 0
    """New chats of one account at once after a pause; 0: one."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line of ``wagate doctor``."""

    level: Literal["ok", "warn", "fail"]
    what: str
    """What was checked: ``token``, ``webhook``, ``reachable`` …"""
    detail: str
    """What was found."""
    next_step: str = ""
    """How to mend it; '' if all is well."""


Check = Callable[[], Awaitable[Sequence[Finding]]]
"""A plugin's check for ``wagate doctor``."""

STORED = WebhookAnswer()
UNLIMITED = SendLimits()
UNOFFICIAL = (
    "WhatsApp forbids unofficial clients and may ban a number that uses one, above all one that writes to strangers. "
    "Meta's API is the official way, and only the account's settings differ: docs/how-to/meta.md."
)
"""The risk of such a provider, for `Provider.notice` and ``wagate pair``."""


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """A text message that nobody sent."""

    sender: str
    """Digits of the customer's number."""
    text: str
    url: str
    """Of the account's webhook, for proofs that sign it."""


Verify = Callable[[InboundRequest, ProviderAccount], None]
Parse = Callable[[InboundRequest, ProviderAccount], Sequence[NewEvent]]
Challenge = Callable[[InboundRequest, ProviderAccount], WebhookAnswer]


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A provider: a way to reach WhatsApp.

    ``verify`` and ``parse`` are pure and quick. ``send`` returns once the provider has accepted the message; it raises
    `wagate.errors.NotSentError`, `SendRefusedError`, `AccountStoppedError` or `OutcomeUnknownError`. It may let a
    `wagate.http.HttpError` through: wagate knows whether its request had left. After any other exception the outcome
    is unknown, and so it is after a minute (`trio.current_effective_deadline`): what comes before the send itself, such
    as an upload, should end some seconds sooner, with NotSentError.
    """

    name: str
    """``provider = "<name>"`` in an account."""
    title: str
    """The name that people read."""
    settings_type: type[msgspec.Struct]
    """The type of ``[accounts.<name>]`` and of ``provider_config``. Unknown keys are refused."""
    notice: str = ""
    """What people have to know before they use it, in a sentence or two; in the answer that makes an account."""
    secrets: frozenset[str]
    """Names of settings that are masked in answers and logs."""
    chosen: frozenset[str] = frozenset()
    """Those of ``secrets`` that people make up, rather than the provider: with at least 16 characters where they enter
    by API; shorter ones in config.toml are warned of."""
    config_only: frozenset[str] = frozenset()
    """Settings that only config.toml may have, refused where they come by API: they say what is dialled past the guard
    that keeps clients' URLs from leading inside."""
    common_keys: Mapping[str, str] = field(default_factory=dict)
    """``api_key``, ``api_secret``, ``phone_number_id``, ``webhook_verify_token`` → the provider's own key.
    Others are ignored."""
    verify: Verify | None = None
    """Raises UnauthorizedError if the request is not from the provider. Compare in constant time."""
    parse: Parse | None = None
    """Body → events, in order. Raises BadRequestError if the body can't be read at all. An item that can't be read
    becomes an event of kind ``unknown`` with the item in ``raw``. Data without a field in `NewEvent` stays in ``raw``.
    A provider without ``verify`` and ``parse`` sends session events, which wagate reads itself."""
    challenge: Challenge | None = None
    """Answers a GET. None: wagate answers that the webhook is there."""
    answer: WebhookAnswer = STORED
    """The answer to a POST once all events are stored."""
    number: Callable[[ProviderAccount], str] = lambda _account: ""
    """The provider's own id of the account's number, as in `NewEvent.number`; '' when it has none."""
    sender_keys: tuple[str, ...] = ()
    """Settings of which one, or the account's ``phone``, says who sends; without any the account is refused."""
    abilities: frozenset[str] = frozenset()
    """The message types it can send; ``reply``, ``preview``, ``seen``, ``typing``, ``recording``, ``presence`` (of a
    chat, when asked: the signal ``watch``), ``revoke``, ``edit``; the actions of ``control``."""
    sessions: bool = False
    """Whether its numbers are linked devices with states (QR code, connected …)."""
    self_hosted: bool = False
    """Whether the operator runs it, perhaps inside the private network. Then it gets no links from clients: wagate
    fetches the files, and sends the bytes."""
    idempotent: bool = False
    """Whether a message that is sent twice with the same `Outgoing.id` arrives once."""
    limits: SendLimits = UNLIMITED
    limits_of: Callable[[ProviderAccount], SendLimits] | None = None
    """The limits of one account, where its settings change them; instead of ``limits``. Pure and quick."""
    longest_text: int = 0
    """Characters of a text (of an emoji: two); the core splits longer ones. 0: no limit."""
    longest_caption: int = 0
    """Characters of the text under an image, video or document; what is longer follows as texts. 0: no limit."""
    opus_voice: bool = False
    """Whether a voice message must be OGG with Opus, and it converts nothing itself: the core does."""
    send: Callable[[Outgoing], Awaitable[Sent]] | None = None
    signal: Callable[[Signal, ProviderAccount], Awaitable[None]] | None = None
    """May raise the same errors as ``send``."""
    revoke: Callable[[str, str, ProviderAccount], Awaitable[None]] | None = None
    """(the provider's id of a sent message, its chat's key, account): deletes it for everyone. To revoke twice does no
    harm. May raise the same errors as ``send``."""
    edit: Callable[[Edit, ProviderAccount], Awaitable[None]] | None = None
    """Changes the text of a message that was sent, or its file's caption. May raise the same errors as ``send``."""
    locate_media: Callable[[Media, ProviderAccount], Awaitable[MediaRequest]] | None = None
    """How to fetch the file of an event. None: from its ``url`` as it is. Raises as ``send``: a refusal concerns this
    file alone; a stopped account, or a host in trouble, slows all files of the account. If the URL that came with the
    message is dead, it is called again without ``url``, to find the file by ``provider_id``."""
    media_answer: Callable[[int, bytes], SendError] | None = None
    """(status, first bytes) of an answer without a file → what it means. Pure. None: 401, 408, 429 and 5xx concern the
    host, any other status the file."""
    media_errors: int = 0
    """How many errors in an hour make the provider refuse files for a while; 0: it does not count them."""
    missed: Callable[[ProviderAccount, datetime], AsyncIterator[NewEvent]] | None = None
    """Events since a time, of each chat the oldest first: those that wagate missed while it was down. Duplicates do no
    harm. An async generator function; it is closed if it takes longer than five minutes."""
    control: Callable[[str, ProviderAccount], Awaitable[None]] | None = None
    """Does ``start``, ``stop``, ``restart`` or ``logout`` with the account's session; ``abilities`` names those that
    work. Returns once the provider has accepted; the new state comes with a webhook. May raise as ``send``."""
    qr: Callable[[ProviderAccount], Awaitable[str]] | None = None
    """The text of the QR code to scan, '' if there is none; for providers whose events don't contain it.
    May raise as ``send``."""
    profile: Callable[[str, ProviderAccount], Awaitable[Profile]] | None = None
    """(a chat's key, account) → the chat's name and picture, as far as they can be read. Takes a few seconds at most:
    somebody waits. May raise as ``send``."""
    number_of: Callable[[str, ProviderAccount], Awaitable[str]] | None = None
    """(a LID's key, account) → the key of the number behind it, '' if WhatsApp hides it. Called while a webhook waits,
    for two seconds at most. May raise as ``send``."""
    run: Callable[[ProviderAccount, Inlet], Awaitable[None]] | None = None
    """Listens for one account; for providers that need no webhook. It is cancelled when the account is changed or
    deleted, when another gateway may hold it from now on (the lease was lost), and when the gateway begins to stop. An
    exception is logged, and ``run`` starts again after a pause; if it returns, it is over until the account changes or
    is held again. After the cancellation nothing more is taken in, but ``send`` goes on at a stop until all deliveries
    have ended."""
    release: Callable[[ProviderAccount], Awaitable[None]] | None = None
    """Lets go of an account that goes on elsewhere, after ``run`` was cancelled: ends its connection, and keeps its
    keys. Called when the lease was lost, or the account moved to another provider; two seconds at most. ``run`` may
    start again after it."""
    lifespan: Callable[[], AbstractAsyncContextManager[None]] | None = None
    """One context around all of the provider's work, like the hook of this name."""
    forget: Callable[[ProviderAccount], Awaitable[None]] | None = None
    """Deletes what the provider keeps of an account that was deleted. A minute at most."""
    pair_code: Callable[[str, ProviderAccount], Awaitable[str]] | None = None
    """(digits of the number, account) → a code to type on the phone instead of scanning the QR code. May raise as
    ``send``."""
    fetch_media: Callable[[Media, ProviderAccount, Sink], Awaitable[None]] | None = None
    """Fetches the file of an event part by part, where a plain download does not do. Raises as ``send``."""
    answers: Answers = field(default_factory=dict)
    """What it can be asked beyond that, each with the function that does it: see `wagate.hooks.asks`."""
    simulate: Callable[[Simulation, ProviderAccount], tuple[bytes, Mapping[str, str]]] | None = None
    """Body and headers of the webhook that would bring such a message, with the provider's proof; for ``wagate simulate
    message``. ``verify`` and ``parse`` take it. ValueError: the account has nothing to prove it with."""
    check: Callable[[ProviderAccount], Awaitable[Sequence[Finding]]] | None = None
    """Asks the provider whether the account works; for ``wagate doctor``."""

    @property
    def listens(self) -> bool:
        """Whether it listens, without a webhook."""
        return self.run is not None
