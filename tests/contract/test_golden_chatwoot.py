"""What Chatwoot is asked when something happens on WhatsApp: golden file chatwoot."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from tests.chatwoot_desk import CHAT, Desk, a_desk
from tests.contract.test_golden_outgoing import hoisted, request_of
from tests.golden_files import check
from wagate.events import Event, Media, SessionStatus
from wagate.events.acks import ack_extra
from wagate.hooks import OutMessage
from wagate.testing import FakeFile, make_event
from wagate_chatwoot import pull
from wagate_chatwoot.agents import answers
from wagate_chatwoot.handler import IN
from wagate_chatwoot.ledger import Entry, Handed
from wagate_chatwoot.to_chatwoot import notices

GROUP = "12036304@g.us"
FILE = Media(mimetype="image/jpeg", filename="pot.jpg")
CARD = {"name": {"formatted_name": "Jan Visser"}, "phones": [{"phone": "+15550000204", "type": "CELL"}]}
TEXT: dict[str, dict[str, Any]] = {
    "the first message": {"contact_name": "Ana"},
    "the next message": {"content": "*Bold* and _italic_", "contact_name": "Ana"},
    "a reply": {"content": "Yes", "reply_to": "wamid.1"},
    "a message in a group": {"chat": GROUP, "contact_name": "Ana", "extra": {"group_name": "Team"}},
    "an image": {"type": "image", "content": "Look", "media": FILE},
    "a voice message": {"type": "voice", "content": "", "media": Media(mimetype="audio/ogg", filename="a.ogg")},
    "a file that is gone": {"type": "image", "content": "Look", "media": FILE},
    "a location": {"type": "location", "content": "", "extra": {"location": {"latitude": 52.5, "longitude": 13.4}}},
    "a contact card": {"type": "contacts", "content": "", "extra": {"contacts": [CARD]}},
    "a message of ours": {"kind": "message.any", "from_me": True, "content": "From the phone"},
    "an edit": {
        "kind": "message.edited",
        "message_id": "wamid.1",
        "content": "Hello!",
        "extra": {"editedMessageId": "wamid.1"},
    },
    "a reaction": {
        "kind": "message.reaction",
        "message_id": "wamid.1",
        "type": "reaction",
        "content": "👍",
        "extra": {"reaction": {"text": "👍", "messageId": "wamid.1"}},
    },
    "a deletion": {"kind": "message.revoked", "message_id": "wamid.1", "type": "revoked", "content": ""},
    **{
        f"a call {what}": {"kind": f"call.{what}", "type": "call", "content": "", "extra": {"call": {"id": "1"}}}
        for what in ("received", "accepted", "rejected")
    },
    "the file that was gone comes late": {
        "kind": "media.arrived",
        "message_id": "wamid.7",
        "type": "image",
        "content": "",
        "media": FILE,
        "extra": {"media_id": "late"},
    },
}
"""What happens, in this order, in one inbox."""

RESULTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "it was read": ("message.ack", "sent", ack_extra("read")),
    "a note on it": (notices.NOTE, "sent", {}),
    "it could not be handed over": (notices.FAILED, "sent", {}),
    "it waits": (notices.WAITS, "queued", {}),
    "it may have been sent": (notices.DOUBT, "unknown", {}),
    "it shows as failed, and is not": (notices.AGAIN, "sent", {}),
    "it failed": ("message.failed", "failed", {"error": {"code": "131026", "reason": "not on WhatsApp"}}),
}
"""What becomes of an agent's message: kind of the event, status of the message, what else the event says."""


class Noted:
    """Handles events, and notes what was asked of Chatwoot for each."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.made: dict[str, Any] = {}
        self.kinds: set[str] = set()

    async def happens(self, case: str, event: Event) -> None:
        start = len(self.desk.server.seen)
        await self.desk.handle(self.desk.arrives(event))
        self.made[case] = [request_of(seen) for seen in self.desk.server.seen[start:]]
        assert self.made[case], case
        self.kinds.add(event.kind)

    async def messages(self) -> None:
        for number, (case, fields) in enumerate(TEXT.items(), 1):
            event = make_event(**{"message_id": f"wamid.{number}"} | fields)
            if event.media is not None and case != "a file that is gone":
                held = FakeFile(b"file", event.media.mimetype, event.media.filename)
                self.desk.fakes.media.files[event.extra.get("media_id", event.id)] = held
            await self.happens(case, event)

    async def agents_messages(self) -> None:
        """An agent's message for each of `RESULTS`, and what became of it."""
        desk, talk = self.desk, self.desk.server.conversation(CHAT)
        for case, (kind, status, extra) in RESULTS.items():
            message = desk.server.agent.writes(talk, "Hello")
            sent = await desk.fakes.messages.send(OutMessage(chat=CHAT, type="text", text="Hello"), client_id=1)
            desk.fakes.messages.rows[sent.id] = replace(sent, status=status)
            entry = Entry(
                message=message.id,
                conversation=talk.id,
                direction="out",
                account="main",
                chat=CHAT,
                whatsapp=(f"wamid.{case}",),
                parts=(sent.id,),
            )
            await desk.app.ledger.write(entry)
            await desk.app.ledger.hand(message.id, Handed(parts=(sent.id,)))
            about = {"inbox": "support", "message": message.id, "conversation": talk.id, "part": 0, "retry": 0}
            origin = {"source": "chatwoot", "id": sent.id, "metadata": about}
            fields: dict[str, Any] = {"chat": CHAT, "from_me": True, "message_id": f"wamid.{case}"}
            await self.happens(case, make_event(kind=kind, content="Away", **fields, extra=origin | extra))

    async def integration(self) -> None:
        """What agents read about numbers and webhooks."""
        desk = self.desk
        for status, more in ((SessionStatus.QR_GENERATED, {"qr": "2@abc"}), (SessionStatus.SESSION_CONNECTED, {})):
            desk.fakes.sessions.put("main", status, message="", qr=more.get("qr", ""), percent=None)
            created = desk.fakes.clock.now() - timedelta(seconds=60)
            extra = {"status": status, **more}
            event = make_event(kind="session.status", type="status", chat="", created_at=created, extra=extra)
            await self.happens(f"a session: {status}", event)
        since = msgspec.to_builtins(make_event().created_at - timedelta(hours=3))
        about = {"connector": "webhook", "target": "w1", "failing_since": since, "last_error": "no"}
        for kind in ("webhook.failing", "webhook.disabled"):
            await self.happens(kind, make_event(kind=kind, account="", chat="", extra={"webhook": about}))
        answer = make_event(kind=answers.KIND, account="", content="main: connected", extra={"answer": {}})
        await self.happens("an answer to a command", answer)

    async def history(self) -> None:
        old = make_event(message_id="wamid.old", content="From last week", chat="15550000299@c.us")
        self.desk.fakes.archive.stored.append(old)
        await self.happens("an old message", make_event(kind=pull.HISTORY, chat=old.chat, extra={pull.EVENT: old.id}))
        await self.happens(
            "a contact", make_event(kind=pull.CONTACT, chat="15550000298@c.us", contact_name="Bo", content="")
        )


async def test_what_chatwoot_is_asked_is_in_its_golden_file() -> None:
    async with a_desk() as desk:
        noted = Noted(desk)
        await noted.messages()
        await noted.agents_messages()
        await noted.integration()
        await noted.history()
    check("chatwoot", hoisted(msgspec.to_builtins(noted.made)))
    assert noted.kinds == set(IN), "a kind of event without a case"
