"""How numbers are, told in the conversation of the integration of a fake Chatwoot."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from tests.chatwoot_desk import Desk, a_desk
from wagate.errors import AccountStoppedError, Postpone, Retry
from wagate.events import Event, SessionStatus
from wagate.testing import make_event
from wagate.testing.chatwoot import Message
from wagate.testing.server import Fault, Reply
from wagate_chatwoot.agents.asks import STATUS_SOURCE
from wagate_chatwoot.agents.status import SETTLED, duration


def state(desk: Desk, status: str, *, account: str = "main", age: float = SETTLED, **extra: Any) -> Event:
    """An event of the account's state, ``age`` seconds old."""
    desk.fakes.sessions.put(
        account,
        status,
        message=extra.get("message", ""),
        qr=extra.get("qr", ""),
        percent=extra.get("percent"),
    )
    created = desk.fakes.clock.now() - timedelta(seconds=age)
    return make_event(
        kind="session.status",
        type="status",
        account=account,
        chat="",
        created_at=created,
        extra={"status": status, **extra},
    )


def alert(kind: str, **about: Any) -> Event:
    since = make_event().created_at - timedelta(hours=3)
    told = {
        "connector": "webhook",
        "target": "w1",
        "failing_since": msgspec.to_builtins(since),
        "last_error": "no",
    } | about
    return make_event(kind=kind, account="", chat="", extra={"webhook": told})


def board(desk: Desk) -> list[Message]:
    """What stands in the status conversation, without the welcome."""
    return [each for each in desk.server.posted(STATUS_SOURCE) if each.source_id != "wagate/welcome"]


def texts(desk: Desk) -> list[str]:
    return [each.content or "" for each in board(desk)]


async def test_a_state_is_told_in_a_conversation_that_is_made_once() -> None:
    async with a_desk() as desk:
        await desk.handle(desk.arrives(state(desk, SessionStatus.SESSION_CONNECTED)))
        await desk.handle(desk.arrives(state(desk, SessionStatus.ERROR, message="The engine broke")))
        assert [(each.message_type, each.private) for each in board(desk)] == [("incoming", False)] * 2
        assert texts(desk)[0] == "✅ main: connected +5511888888888"
        assert texts(desk)[1].startswith("❌ main: The engine broke\n")
        [contact] = desk.server.state.contacts
        assert (contact.name, contact.identifier) == ("WhatsApp integration", STATUS_SOURCE)
        assert len(desk.server.state.conversations) == 1


async def test_each_inbox_of_a_chatwoot_has_its_own_conversation_with_the_same_contact() -> None:
    async with a_desk() as desk:
        other = desk.server.state.contacts
        await desk.handle(desk.arrives(state(desk, SessionStatus.SESSION_CONNECTED)))
        # Another inbox made the contact: this one has no contact_inbox of it.
        desk.server.state.contact_inboxes.clear()
        desk.server.state.conversations.clear()
        await desk.app.ledger.drop_place("", STATUS_SOURCE)
        await desk.handle(desk.arrives(state(desk, SessionStatus.ERROR, message="x")))
        assert len(other) == 1
        assert len(desk.server.state.contact_inboxes) == 1


async def test_what_passes_within_ten_seconds_is_not_told() -> None:
    async with a_desk() as desk:
        await desk.handle(desk.arrives(state(desk, SessionStatus.SESSION_CONNECTED)))
        lost = desk.arrives(state(desk, SessionStatus.SESSION_NOT_CONNECTED, age=0))
        with pytest.raises(Postpone):
            await desk.handle(lost)
        back = desk.arrives(state(desk, SessionStatus.SESSION_CONNECTED, age=0))
        for each in (lost, back):
            await desk.handle(each)
        assert len(board(desk)) == 1


async def test_what_lasts_is_told_when_it_has_lasted() -> None:
    async with a_desk() as desk:
        lost = desk.arrives(state(desk, SessionStatus.SESSION_NOT_CONNECTED, age=0, message="Phone is off"))
        waited = 0.0
        while not board(desk):
            try:
                await desk.handle(lost)
            except Postpone as error:
                waited += error.after
                desk.fakes.clock.shift(error.after)
        assert waited == pytest.approx(SETTLED)
        assert texts(desk)[0].startswith("🔌 main: not connected. Phone is off\n")


async def test_the_same_state_again_is_not_told_again() -> None:
    async with a_desk() as desk:
        for percent in (10, 50):
            await desk.handle(desk.arrives(state(desk, SessionStatus.LOADING, percent=percent)))
        assert texts(desk) == ["⏳ main: loading, 10%"]


async def test_each_new_qr_code_comes_at_once_as_a_picture() -> None:
    async with a_desk() as desk:
        for qr in ("2@one", "2@one", "2@two"):
            await desk.handle(desk.arrives(state(desk, SessionStatus.QR_GENERATED, age=0, qr=qr)))
        await desk.handle(desk.arrives(state(desk, SessionStatus.SESSION_CONNECTED, age=0)))
        first, second, connected = board(desk)
        for each in (first, second):
            [picture] = each.attachments
            assert (picture.filename, picture.content_type) == ("qr.png", "image/png")
            assert picture.content.startswith(b"\x89PNG")
        assert first.attachments[0].content != second.attachments[0].content
        # Whoever scanned it looks at the screen: no waiting.
        assert (connected.content or "").startswith("✅")


async def test_a_code_that_only_the_provider_has_is_fetched() -> None:
    async with a_desk() as desk:
        desk.fakes.sessions.qrs["main"] = "2@provider"
        await desk.handle(desk.arrives(state(desk, SessionStatus.QR_GENERATED)))
        [message] = board(desk)
        assert len(message.attachments) == 1


async def test_a_provider_that_can_not_be_asked_for_its_code_is_no_failure_of_the_inbox() -> None:
    async with a_desk() as desk:
        desk.fakes.sessions.fails = AccountStoppedError("WAHA answered 401")
        await desk.handle(desk.arrives(state(desk, SessionStatus.QR_GENERATED)))
        assert "could not be fetched: WAHA answered 401" in texts(desk)[0]


async def test_an_old_code_and_an_old_state_are_passed_over() -> None:
    async with a_desk() as desk:
        old = desk.arrives(state(desk, SessionStatus.QR_GENERATED, qr="2@old"))
        lost = desk.arrives(state(desk, SessionStatus.SESSION_NOT_CONNECTED))
        desk.fakes.sessions.put("main", SessionStatus.QR_GENERATED, qr="2@new")
        await desk.handle(old)
        await desk.handle(lost)
        assert board(desk) == []


async def test_after_an_unclear_try_it_looks_before_it_writes_again() -> None:
    async with a_desk() as desk:
        arrived = desk.arrives(state(desk, SessionStatus.SESSION_CONNECTED))
        await desk.handle(desk.arrives(state(desk, SessionStatus.ERROR, message="x")))
        desk.fakes.sessions.put("main", SessionStatus.SESSION_CONNECTED)
        desk.server.fail(Fault(accept=True, reply=Reply(status=500), path="messages", method="POST"))
        with pytest.raises(Retry):
            await desk.handle(arrived)
        await desk.handle(replace(arrived, attempt=2))
        assert len(board(desk)) == 2


async def test_a_conversation_that_somebody_deleted_is_made_anew() -> None:
    async with a_desk() as desk:
        await desk.handle(desk.arrives(state(desk, SessionStatus.SESSION_CONNECTED)))
        desk.server.state.conversations.clear()
        await desk.handle(desk.arrives(state(desk, SessionStatus.ERROR, message="x")))
        assert texts(desk)[-1].startswith("❌")


async def test_alerts_say_what_fails_and_since_when() -> None:
    async with a_desk() as desk:
        await desk.handle(desk.arrives(alert("webhook.failing", last_error="Connection timeout")))
        await desk.handle(desk.arrives(alert("webhook.disabled")))
        await desk.handle(desk.arrives(alert("webhook.failing", connector="outbound", target="main")))
        assert texts(desk) == [
            "⚠️ Messages to webhook w1 have been failing for 3 h: Connection timeout",
            "⛔ Messages to webhook w1 are switched off after failing for 3 h: no",
            "⛔ main was stopped: no",
        ]


async def test_only_inboxes_that_show_the_number_are_told() -> None:
    async with a_desk() as desk, a_desk(status_conversation=False) as silent:

        def wanted(event: Event, of: Desk = desk) -> list[str]:
            return [each.id for each in of.handler.targets(event)]

        mine = state(desk, SessionStatus.ERROR)
        assert wanted(mine) == ["in/support"]
        assert wanted(mine, silent) == []
        assert wanted(make_event(kind="session.status", account="other", chat="")) == []
        assert wanted(make_event(kind="session.status", tenant="acme", chat="")) == []
        assert wanted(alert("webhook.failing")) == ["in/support"]
        assert wanted(alert("webhook.failing", connector="outbound", target="main")) == ["in/support"]
        assert wanted(alert("webhook.failing", connector="outbound", target="other")) == []


@pytest.mark.parametrize(("hours", "said"), [(0.2, "0 h"), (1, "1 h"), (48, "48 h"), (120, "5 d")])
def test_durations_are_whole_hours_then_days(hours: float, said: str) -> None:
    until = make_event().created_at
    assert duration(until - timedelta(hours=hours), until) == said
