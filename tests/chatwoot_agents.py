"""What agents do in Chatwoot, as its webhooks tell it, and an inbox over fakes."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any

import msgspec

from wagate.hooks import AccountView, Duration, Target
from wagate.testing import NOW, FakeHttp, Fakes, answered, fake_context, make_delivery, make_event
from wagate.testing.context import _waiting
from wagate_chatwoot.inboxes import App, Apps, make_apps
from wagate_chatwoot.settings import Inbox, Settings
from wagate_chatwoot.signals import Signals
from wagate_chatwoot.to_chatwoot import results
from wagate_chatwoot.to_whatsapp import outgoing
from wagate_chatwoot.to_whatsapp.decode import decode
from wagate_chatwoot.to_whatsapp.webhook import accept

SECRET = "inbox-secret-for-tests-1"
CHAT = "34600111222@c.us"
SOURCE = CHAT
CONVERSATION, INBOX, ACCOUNT = 41, 6, 3
AGENT = {"id": 9, "name": "Rosa", "email": "rosa@shop.example", "type": "user"}


def inbox(**changes: Any) -> Inbox:
    made: dict[str, Any] = {
        "url": "https://chat.example",
        "account_id": ACCOUNT,
        "token": "agent-token",
        "inbox_id": INBOX,
        "accounts": ("main",),
        "secret": SECRET,
        "reorder": Duration("0s"),
    }
    return Inbox(**(made | changes))


def conversation(**changes: Any) -> dict[str, Any]:
    """As it stands in webhooks. Its last message is always another one than the event's."""
    return {
        "id": CONVERSATION,
        "inbox_id": INBOX,
        "channel": "Channel::Api",
        "contact_inbox": {"id": 5, "contact_id": 8, "inbox_id": INBOX, "source_id": SOURCE},
        "messages": [{"id": 999_999, "content": "another message", "message_type": 1, "status": "sent"}],
        "meta": {"sender": {"id": 8, "phone_number": "+34600111222", "identifier": None, "type": "contact"}},
        "status": "open",
    } | changes


def message(number: int = 700, content: str | None = "Hello", **changes: Any) -> dict[str, Any]:
    """``message_created`` of an agent."""
    return {
        "event": "message_created",
        "id": number,
        "account": {"id": ACCOUNT, "name": "Shop"},
        "inbox": {"id": INBOX, "name": "WhatsApp"},
        "additional_attributes": {},
        "content": content,
        "content_attributes": {},
        "content_type": "text",
        "conversation": conversation(),
        "created_at": NOW.isoformat(),
        "message_type": "outgoing",
        "private": False,
        "sender": AGENT,
        "source_id": None,
    } | changes


def attachment(name: str, content_type: str, file_type: str = "file", **changes: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "file_type": file_type,
        "content_type": content_type,
        "extension": name.rpartition(".")[2],
        "data_url": f"https://chat.example/rails/active_storage/blobs/redirect/abc--sig/{name}",
    } | changes


def updated(number: int = 700, **changes: Any) -> dict[str, Any]:
    """``message_updated`` as *Retry* leaves it, unless ``changes`` say otherwise."""
    return message(number, event="message_updated", **changes)


def body_of(document: Any) -> bytes:
    return msgspec.json.encode(document)


def signed(body: bytes, *, at: float, secret: str = SECRET, delivery: str = "d-1") -> dict[str, str]:
    timestamp = str(int(at))
    mac = hmac.digest(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hex()
    return {
        "X-Chatwoot-Delivery": delivery,
        "X-Chatwoot-Timestamp": timestamp,
        "X-Chatwoot-Signature": f"sha256={mac}",
        "Content-Type": "application/json",
    }


@dataclass
class Office:
    """An inbox ``shop`` over fakes, and the ways into it."""

    fakes: Fakes
    apps: Apps
    signals: Signals
    app: App
    handled: int = field(default=0)
    """Deliveries from Chatwoot that were handled."""

    async def run(self, *, at_most: int | None = None, attempt: int = 1) -> None:
        """Handle what was emitted for the way out, in order, each once."""
        waiting = [row for row in self.fakes.deliveries.rows if row.target == self.app.outgoing][self.handled :]
        for row in waiting[:at_most]:
            await outgoing.handle(self.app, make_delivery(row.event, target=row.target, attempt=attempt))
            self.handled += 1

    def told(self) -> list[Any]:
        """Events that Chatwoot is to be told of, oldest first."""
        return [row.event for row in self.fakes.deliveries.rows if row.target == self.app.incoming]

    def customer_writes(self, message_id: str) -> None:
        """The event of a message that came in is in the log."""
        event = make_event(chat=CHAT, message_id=message_id)
        self.fakes.deliveries.rows.append(
            msgspec.structs.replace(_waiting("chatwoot", Target(id=self.app.incoming), event), status="delivered")
        )


def office(*, http: FakeHttp | None = None, **changes: Any) -> Office:
    fakes = fake_context("chatwoot", settings=Settings(inboxes={"shop": inbox(**changes)}), http=http)
    fakes.accounts.accounts["second"] = AccountView(
        name="second", client_id=1, provider="waha", phone="15550002222", metadata={}
    )
    apps = make_apps(fakes.context)
    # What was missed before the process began is another matter: see tests/flow/test_chatwoot_outgoing.py.
    apps["shop"].memory.look(CONVERSATION)
    return Office(fakes=fakes, apps=apps, signals=Signals(fakes.context), app=apps["shop"])


PNG, OGG, PDF = (
    attachment("a.png", "image/png", "image"),
    attachment("voice.ogg", "audio/ogg", "audio"),
    attachment("bill.pdf", "application/pdf"),
)


async def arrive(desk: Office, *documents: dict[str, Any]) -> None:
    for number, document in enumerate(documents):
        action = decode(body_of(document), desk.app.inbox)
        await accept(desk.app, desk.signals, action, delivery=f"d-{len(desk.fakes.emitted)}-{number}")


def sent(desk: Office) -> list[tuple[str, str]]:
    return [(each.type, each.text) for each in desk.fakes.messages.submitted]


def shown_as(status: str, number: int = 700) -> FakeHttp:
    """A Chatwoot that shows a message so."""
    return FakeHttp(answered(200, body_of({"payload": [{"id": number, "status": status}]})))


async def fail(desk: Office, number: int = 700, **metadata: Any) -> None:
    """What the core tells when a message failed, handled."""
    about = {"inbox": "shop", "message": number, "conversation": CONVERSATION, "part": 0, "retry": 0} | metadata
    extra = {"source": "chatwoot", "id": "m-1", "metadata": about, "error": {"code": "1", "reason": "not on WhatsApp"}}
    event = make_event(kind="message.failed", chat=CHAT, from_me=True, extra=extra)
    await results.handle(desk.app, make_delivery(event, target=desk.app.incoming))
