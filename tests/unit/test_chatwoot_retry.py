"""Agents delete, press Retry, and processes die: nothing is lost, and nothing leaves twice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from tests.chatwoot_agents import (
    CHAT,
    CONVERSATION,
    PDF,
    PNG,
    Office,
    arrive,
    body_of,
    fail,
    message,
    office,
    sent,
    shown_as,
    updated,
)
from wagate.errors import (
    AccountStoppedError,
    NotSentError,
    OutcomeUnknownError,
    Postpone,
    Retry,
    SendError,
    SendRefusedError,
)
from wagate.hooks import Target
from wagate.http import TimedOutError
from wagate.testing import FakeHttp, answered, make_delivery, make_event
from wagate.testing.context import _waiting
from wagate_chatwoot.ledger import Entry
from wagate_chatwoot.to_chatwoot import incoming, notices
from wagate_chatwoot.to_whatsapp import deletes


class CrashError(Exception):
    """The process dies here."""


async def test_a_message_deleted_before_its_turn_is_never_sent() -> None:
    desk = office()
    gone = updated(content_attributes={"deleted": True})
    await arrive(desk, message(), gone)
    await desk.run()
    assert (desk.fakes.messages.submitted, desk.told()) == ([], [])


async def test_a_deletion_may_come_before_the_message() -> None:
    desk = office()
    await arrive(desk, updated(content_attributes={"deleted": True}))
    await desk.run()
    await arrive(desk, message())
    await desk.run()
    assert desk.fakes.messages.submitted == []


async def test_a_deleted_message_that_is_queued_still_is_taken_back() -> None:
    desk = office()
    await arrive(desk, message())
    await desk.run()
    [part] = desk.fakes.messages.rows
    queued = make_event(kind="message.send", message_id=part, chat=CHAT)
    desk.fakes.deliveries.rows.append(_waiting("outbound", Target(id="main"), queued))
    await arrive(desk, updated(content_attributes={"deleted": True}))
    with pytest.raises(Postpone):
        await desk.run()
    assert len(desk.fakes.deliveries.cancelled) == 1
    desk.fakes.messages.becomes = "failed"
    await desk.fakes.messages.wait(part, client_id=1, seconds=1)
    await desk.run()
    assert desk.told() == []
    await fail(desk)
    assert (desk.fakes.http.sent, desk.fakes.messages.revoked) == ([], [])


async def deleted_after_sending(status: str = "sent") -> Office:
    """An agent deletes a message of three parts that were sent; that is not handled yet."""
    desk = office()
    await arrive(desk, message(content="look", attachments=[PNG, PDF]))
    await desk.run()
    desk.fakes.messages.becomes = status
    for part in list(desk.fakes.messages.rows):
        await desk.fakes.messages.wait(part, client_id=1, seconds=1)
    await arrive(desk, updated(content_attributes={"deleted": True}))
    return desk


def told_too_late(desk: Office) -> bool:
    told = [(event.kind, event.content) for event in desk.told()]
    assert told in ([], [(notices.NOTE, desk.app.texts("outgoing.deleted_too_late"))])
    return bool(told)


async def test_every_part_of_a_deleted_message_that_was_sent_is_revoked() -> None:
    desk = await deleted_after_sending()
    await desk.run()
    assert desk.fakes.messages.revoked == list(desk.fakes.messages.rows)
    assert not told_too_late(desk)


@pytest.mark.parametrize("reason", ["the provider can't", "the provider refuses", "nobody knows if it was sent"])
async def test_a_deletion_that_can_not_be_done_on_whatsapp_is_said_to_be_once(reason: str) -> None:
    desk = await deleted_after_sending("unknown" if reason.startswith("nobody") else "sent")
    if reason == "the provider can't":
        desk.fakes.messages.cannot = {"revoke"}
    elif reason == "the provider refuses":
        desk.fakes.messages.becomes = SendRefusedError("too old")
    await desk.run()
    assert told_too_late(desk)
    assert desk.fakes.messages.revoked == []


@pytest.mark.parametrize("error", [NotSentError("starting", slow="account", after=7), AccountStoppedError("wrong key")])
async def test_a_deletion_waits_for_an_account_that_does_not_work_and_not_for_ever(error: SendError) -> None:
    desk = await deleted_after_sending()
    desk.fakes.messages.becomes = error
    with pytest.raises(Postpone) as caught:
        await desk.run()
    assert caught.value.after == (7 if isinstance(error, NotSentError) else deletes.AGAIN)
    assert caught.value.own, "the account is away, which says nothing about the inbox"
    assert not told_too_late(desk)
    desk.fakes.clock.shift(deletes.LONGEST)
    await desk.run()
    assert told_too_late(desk)


async def test_a_deletion_of_which_nobody_knows_is_tried_as_often_as_a_delivery_is() -> None:
    desk = await deleted_after_sending()
    desk.fakes.messages.becomes = OutcomeUnknownError("500")
    with pytest.raises(Retry):
        await desk.run()
    assert not told_too_late(desk)
    await desk.run(attempt=desk.app.context.max_retries)
    assert told_too_late(desk)


async def test_a_deletion_waits_for_what_is_just_being_sent() -> None:
    desk = await deleted_after_sending("sending")
    with pytest.raises(Postpone):
        await desk.run()
    desk.fakes.messages.rows = {
        key: msgspec.structs.replace(row, status="sent", message_id="wamid.1")
        for key, row in desk.fakes.messages.rows.items()
    }
    await desk.run()
    assert len(desk.fakes.messages.revoked) == 3
    assert not told_too_late(desk)


async def test_what_whatsapp_says_of_an_agents_own_deletion_is_not_written() -> None:
    desk = await deleted_after_sending()
    await desk.run()
    entry = await desk.app.ledger.by_message(700)
    assert entry is not None
    await desk.app.ledger.write(msgspec.structs.replace(entry, whatsapp=("wamid.1",)))
    revoked = make_event(kind="message.revoked", message_id="wamid.1", chat=CHAT, from_me=True)
    await incoming.HANDLES["message.revoked"](desk.app, make_delivery(revoked, target=desk.app.incoming))
    assert desk.fakes.http.sent == []


async def failed_once(http: FakeHttp) -> Office:
    desk = office(http=http, error_notes=False)
    await arrive(desk, message())
    await desk.run()
    [part] = desk.fakes.messages.rows
    desk.fakes.messages.becomes = SendRefusedError("not on WhatsApp")
    await desk.fakes.messages.wait(part, client_id=1, seconds=1)
    desk.fakes.messages.becomes = "sent"
    await fail(desk)
    return desk


async def test_retry_sends_once_though_two_updates_come() -> None:
    desk = await failed_once(shown_as("sent"))
    await arrive(desk, updated(content_attributes={"external_error": None}), updated(), updated())
    await desk.run()
    assert sent(desk) == [("text", "Hello"), ("text", "Hello")]
    assert {each["retry"] for each in desk.fakes.messages.metadata.values()} == {0, 1}


async def test_a_second_update_that_comes_when_it_has_failed_again_sends_nothing() -> None:
    desk = await failed_once(shown_as("sent"))
    await arrive(desk, updated())
    await desk.run()
    desk.fakes.http.script = [answered(200, body_of({"payload": [{"id": 700, "status": "failed"}]}))]
    await fail(desk, retry=1)
    await arrive(desk, updated())
    await desk.run()
    assert len(desk.fakes.messages.submitted) == 2


async def test_retry_may_be_pressed_again_and_again() -> None:
    desk = await failed_once(shown_as("sent"))
    for retry in (1, 2, 3):
        await arrive(desk, updated())
        await desk.run()
        part = list(desk.fakes.messages.rows)[-1]
        desk.fakes.messages.becomes = SendRefusedError("not on WhatsApp")
        await desk.fakes.messages.wait(part, client_id=1, seconds=1)
        await fail(desk, retry=retry)
    assert [each["retry"] for each in desk.fakes.messages.metadata.values()] == [0, 1, 2, 3]


async def test_our_own_writing_of_a_status_never_sends_again() -> None:
    desk = await failed_once(shown_as("sent"))
    for error in ("not on WhatsApp", None, ""):
        await arrive(desk, updated(content_attributes={"external_error": error}))
    await desk.run()
    assert len(desk.fakes.messages.submitted) == 1


async def test_an_update_of_a_message_that_did_not_fail_sends_nothing() -> None:
    desk = office(http=shown_as("sent"))
    await arrive(desk, message())
    await desk.run()
    await arrive(desk, updated())
    await desk.run()
    assert len(desk.fakes.messages.submitted) == 1


async def test_retry_sends_only_the_parts_that_failed_with_the_quote_they_had() -> None:
    desk = office(http=shown_as("sent"), error_notes=False)
    quoted = Entry(
        message=690, conversation=CONVERSATION, direction="in", account="main", chat=CHAT, whatsapp=("wamid.Q",)
    )
    await desk.app.ledger.write(quoted)
    reply = {"in_reply_to": 690}
    await arrive(desk, message(content="look", attachments=[PNG, PDF], content_attributes=reply))
    await desk.run()
    text, picture, paper = desk.fakes.messages.rows
    await desk.fakes.messages.wait(picture, client_id=1, seconds=1)
    desk.fakes.messages.becomes = SendRefusedError("too large")
    for part in (text, paper):
        await desk.fakes.messages.wait(part, client_id=1, seconds=1)
    await fail(desk, part=2)
    await arrive(desk, updated(content="look", attachments=[PNG, PDF]))
    await desk.run()
    assert sent(desk)[3:] == [("text", "look"), ("document", "")]
    assert desk.fakes.messages.submitted[3].reply_to == "wamid.Q"
    handed = await desk.app.ledger.handed(700)
    assert handed is not None
    assert (handed.parts[1], handed.retry) == (picture, 1)


async def test_retry_brings_a_message_whose_webhook_never_came() -> None:
    desk = office(http=shown_as("sent"))
    await arrive(desk, updated(), updated())
    await desk.run()
    assert sent(desk) == [("text", "Hello")]


@pytest.mark.parametrize("status", ["failed", "read", "delivered"])
async def test_an_unknown_message_is_sent_only_when_chatwoot_waits_for_it(status: str) -> None:
    desk = office(http=shown_as(status))
    await arrive(desk, updated())
    await desk.run()
    assert desk.fakes.messages.submitted == []


async def test_history_is_never_sent_again() -> None:
    desk = office(http=shown_as("sent"))
    await arrive(desk, updated(created_at="2025-09-01T10:00:00Z"))
    await desk.run()
    assert desk.fakes.messages.submitted == []


async def test_retry_waits_while_chatwoot_can_not_be_asked() -> None:
    desk = await failed_once(FakeHttp(200))
    desk.fakes.http.script = [TimedOutError(sent=False)]
    await arrive(desk, updated())
    with pytest.raises(Retry):
        await desk.run()
    assert len(desk.fakes.messages.submitted) == 1


class Mortal:
    """Lets a process die at its nth step that changes anything, before the step or right after it."""

    def __init__(self, desk: Office, at: int, *, after: bool) -> None:
        self.left = at
        self.after = after
        store, messages = desk.fakes.store, desk.fakes.messages
        for owner, names in ((store, ("set", "set_all", "delete")), (messages, ("send",))):
            for name in names:
                setattr(owner, name, self._wrapped(getattr(owner, name)))
        desk.app.context.__dict__["emit"] = self._wrapped(desk.app.context.emit)

    def _wrapped(self, step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def taken(*arguments: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left == 0 and not self.after:
                raise CrashError
            done = await step(*arguments, **named)
            if self.left == 0:
                raise CrashError
            return done

        return taken


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 26))
async def test_a_crash_at_any_step_loses_nothing_and_sends_nothing_twice(at: int, after: bool) -> None:
    """Webhooks that were not answered are shown as failed by Chatwoot: the agent presses Retry, here at once."""
    desk = office(http=shown_as("sent"), mark_read=False)
    desk.fakes.messages.cannot = {"location"}
    place = {"file_type": "location", "coordinates_lat": 1.5, "coordinates_long": 2.5}
    documents = [message(700, "one", attachments=[PNG, place]), message(701, "two"), message(702, "three")]
    Mortal(desk, at, after=after)
    for document in documents:
        try:
            await arrive(desk, document)
        except CrashError:
            desk.fakes.http.script = [answered(200, body_of({"payload": [{"id": document["id"], "status": "sent"}]}))]
            await arrive(desk, document | {"event": "message_updated"})
    for _ in range(3):
        try:
            await desk.run()
        except CrashError:
            continue
    assert sorted(sent(desk)) == sorted([("image", ""), ("text", "one"), ("text", "two"), ("text", "three")])
    refused = {(each.kind, each.extra["metadata"]["part"]) for each in desk.told()}
    assert refused == {(notices.FAILED, 2)}
    assert await desk.app.ledger.waiting(CONVERSATION) == []
    for number in (700, 701, 702):
        handed = await desk.app.ledger.handed(number)
        assert handed is not None
        assert handed.retry == 0


async def test_a_failure_that_comes_before_its_row_is_told_when_the_row_is_there() -> None:
    desk = office(http=FakeHttp(200), error_notes=False)
    with pytest.raises(Postpone):
        await fail(desk)
    await arrive(desk, message())
    await desk.run()
    await fail(desk)
    assert [each.method for each in desk.fakes.http.sent] == ["PATCH"]
