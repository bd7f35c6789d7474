"""Webhooks: made with a change, sent once by ten workers in no order, signed; failures mark the message."""

from __future__ import annotations

import hashlib
import hmac
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
import msgspec
import trio

from wagate.testing.chatwoot import messages
from wagate.testing.chatwoot.payloads import contact_data, conversation_data, message_data, sender_data
from wagate.testing.chatwoot.state import Account, Contact, Inbox, Json, Message, State

WORKERS = 10
"""Sidekiq's concurrency."""
MARKING = frozenset({"message_created", "message_updated"})
"""Events whose failed webhook marks the message as failed."""
_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def _never(_body: Json) -> bool:
    return False


@dataclass(kw_only=True)
class Habits:
    """Change them at any time; they hold for what is told from then on."""

    timeout: float = 5.0
    """Seconds for one webhook; then the message is marked as failed. There is no second try."""
    twice: bool = False
    """Each comes twice, with different delivery ids."""
    delay: float = 0.0
    """Seconds before each."""
    spread: float = 0.0
    """Each waits a random time of up to so many seconds on top: they come in any order."""
    drop: Callable[[Json], bool] = _never
    """Which are never sent."""
    late: bool = False
    """Bodies are made when they are sent, so that they show a later state, not when the change happens."""
    before_answer: bool = False
    """A request's webhooks are sent, and answered, before the request is."""
    other_message: bool = False
    """``conversation.messages[0]`` is another message than the one that the webhook is about."""
    sign: bool = True
    """Old servers don't."""
    wrong_secret: bool = False
    """Sign with another secret."""
    age: float = 0.0
    """Seconds by which the timestamp is too old."""
    escape: bool = True
    """Write ``< > &`` as Rails does: ``\\u003c``."""
    refuse_private: bool = False
    """Refuse to call private addresses, as Chatwoot does since 4.14.0: the message is marked as failed."""


@dataclass(kw_only=True, eq=False)
class Webhook:
    """One webhook, and what became of it."""

    event: str
    url: str
    secret: str
    make: Callable[[], Json]
    """Makes the body."""
    message: Message | None = None
    """Marked as failed when this fails; only for the inbox's own webhook."""
    body: Json = field(default_factory=dict)
    """As it was sent."""
    raw: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    status: int | None = None
    """What was answered; None: nothing yet, or no answer came."""
    error: str = ""
    """Why it failed, as Chatwoot shows it."""
    seconds: float = 0.0
    """How long the answer took."""
    done: trio.Event = field(default_factory=trio.Event)


class Webhooks:
    """All webhooks of one server. ``sent`` are all, in the order of the changes; `beside` sends them."""

    def __init__(self, state: State, base: Callable[[], str]) -> None:
        self._state = state
        self._base = base
        self._queue, self._work = trio.open_memory_channel[Webhook](math.inf)
        self._held: list[Webhook] | None = None
        self._random = random.Random(7)  # noqa: S311
        self.habits = Habits()
        self.sent: list[Webhook] = []

    def tell(self, event: str, subject: Any, *, changed: list[Json] | None = None, **extra: Any) -> None:
        """A change: a webhook to the inbox's URL, and to each account webhook that subscribed."""
        message = subject if isinstance(subject, Message) else None

        def make() -> Json:
            return self._body(event, subject, changed, extra)

        account: Account = (message.conversation if message else subject).account
        if not isinstance(subject, Contact):
            inbox: Inbox = (message.conversation if message else subject).inbox
            if inbox.webhook_url:
                self._add(event, inbox.webhook_url, inbox.secret, make, message)
        for each in self._state.webhooks:
            if each.account is account and event in each.subscriptions:
                self._add(event, each.url, each.secret, make)

    def hold(self) -> None:
        """Send nothing until `release`."""
        self._held = []

    def release(self, order: Callable[[list[Webhook]], list[Webhook]] = list) -> None:
        """Send what was held, in this order; without one, in the order of the changes."""
        held, self._held = self._held or [], None
        for each in order(held):
            self._queue.send_nowait(each)

    async def settled(self, seconds: float = 60.0) -> None:
        """Wait until every webhook so far has been answered or has failed, with what that brought about."""
        with trio.fail_after(seconds):
            done = 0
            while done < len(self.sent):
                await self.sent[done].done.wait()
                done += 1

    async def beside(self) -> None:
        """Send, until cancelled."""
        http = httpx2.AsyncClient(timeout=None, follow_redirects=True, max_redirects=10, trust_env=False)
        async with http, trio.open_nursery() as nursery:
            for _ in range(WORKERS):
                nursery.start_soon(self._worker, http)

    async def _worker(self, http: httpx2.AsyncClient) -> None:
        async for webhook in self._work:
            try:
                await self._deliver(http, webhook)
            finally:
                webhook.done.set()

    def _add(self, event: str, url: str, secret: str, make: Callable[[], Json], message: Message | None = None) -> None:
        for _ in range(2 if self.habits.twice else 1):
            webhook = Webhook(event=event, url=url, secret=secret, make=make, message=message)
            if not self.habits.late:
                webhook.body = msgspec.json.decode(msgspec.json.encode(make()))  # a copy: the rows change
            self.sent.append(webhook)
            if self.habits.drop(webhook.body or make()):
                webhook.done.set()
            elif self._held is not None:
                self._held.append(webhook)
            else:
                self._queue.send_nowait(webhook)

    def _body(self, event: str, subject: Any, changed: list[Json] | None, extra: Json) -> Json:
        base = self._base()
        if isinstance(subject, Message):
            shown = self._state.shown(subject.conversation)
            if self.habits.other_message:
                rows = [each for each in self._state.messages_of(subject.conversation) if each is not subject]
                shown = rows[-1] if rows else None
            return message_data(base, subject, shown=shown, can_reply=self._state.can_reply(subject.conversation)) | {
                "event": event
            }
        if isinstance(subject, Contact):
            return contact_data(subject) | {"event": event, "changed_attributes": changed}
        body = conversation_data(
            base, subject, shown=self._state.shown(subject), can_reply=self._state.can_reply(subject)
        )
        if event.startswith("conversation_typing"):
            user = sender_data(extra["user"])
            return {"event": event, "user": user, "conversation": body, "is_private": extra["is_private"]}
        told = {} if event == "conversation_created" else {"changed_attributes": changed}
        return body | {"event": event} | told

    async def _deliver(self, http: httpx2.AsyncClient, webhook: Webhook) -> None:
        habits = self.habits
        await trio.sleep(habits.delay + self._random.random() * habits.spread)
        webhook.body = webhook.body or webhook.make()
        webhook.raw = encoded(webhook.body, escape=habits.escape)
        webhook.headers = self._headers(webhook)
        began = trio.current_time()
        webhook.error = await self._sent(http, webhook)
        webhook.seconds = trio.current_time() - began
        if webhook.error and webhook.event in MARKING and webhook.message is not None:
            messages.set_status(self._state, webhook.message, "failed", webhook.error)

    async def _sent(self, http: httpx2.AsyncClient, webhook: Webhook) -> str:
        """The one delivery; '' or why it failed."""
        where = urlsplit(webhook.url)
        if self.habits.refuse_private:
            return f"Hostname '{where.hostname}' has no public ip addresses"
        try:
            with trio.fail_after(self.habits.timeout):
                answer = await http.post(webhook.url, content=webhook.raw, headers=webhook.headers)
        except trio.TooSlowError:
            return "Net::ReadTimeout with #<TCPSocket:(closed)>"
        except httpx2.ConnectError:
            return f"Failed to open TCP connection to {where.netloc} (Connection refused - connect(2))"
        except httpx2.HTTPError:
            return "end of file reached"
        webhook.status = answer.status_code
        return "" if answer.is_success else f"{answer.status_code} {HTTPStatus(answer.status_code).phrase}"

    def _headers(self, webhook: Webhook) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "X-Chatwoot-Delivery": str(uuid4()),
        }
        if webhook.secret and self.habits.sign:
            moment = int(self._state.now() - self.habits.age)
            secret = "another secret" if self.habits.wrong_secret else webhook.secret
            headers |= signature(secret, moment, webhook.raw)
        return headers


def signature(secret: str, moment: int, raw: bytes) -> dict[str, str]:
    """The two headers that sign a body (source: Chatwoot's lib/webhooks/trigger.rb)."""
    digest = hmac.new(secret.encode(), b"%d.%b" % (moment, raw), hashlib.sha256).hexdigest()
    return {"X-Chatwoot-Timestamp": str(moment), "X-Chatwoot-Signature": f"sha256={digest}"}


def encoded(body: Json, *, escape: bool = True) -> bytes:
    """A body as Rails writes it."""
    text = msgspec.json.encode(body).decode()
    return (text.translate(_ESCAPES) if escape else text).encode()
