"""What agents read about messages that could not be sent, or were sent after all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chatwoot_agents import CHAT, CONVERSATION, Office, body_of, office
from wagate.errors import Postpone, Retry
from wagate.events.acks import failure_of
from wagate.hooks import Target
from wagate.http import TimedOutError
from wagate.testing import FakeHttp, answered, make_delivery, make_event
from wagate.testing.context import _waiting
from wagate_chatwoot.handler import make_handler
from wagate_chatwoot.inboxes import make_apps
from wagate_chatwoot.ledger import Entry, Handed
from wagate_chatwoot.to_chatwoot import notices, results

MADE = answered(200, body_of({"id": 800, "conversation_id": CONVERSATION}))
PATCH_PATH = f"https://chat.example/api/v1/accounts/3/conversations/{CONVERSATION}/messages/700"
NOTES_PATH = f"https://chat.example/api/v1/accounts/3/conversations/{CONVERSATION}/messages"


async def desk_with(entry: dict[str, Any] | None = None, handed: Handed | None = None, **changes: Any) -> Office:
    """An inbox where message 700 was handed on as one part."""
    desk = office(http=changes.pop("http", FakeHttp(MADE)), **changes)
    desk.app.memory.started -= 60  # What is handed over came while this process ran.
    about: dict[str, Any] = {"message": 700, "conversation": CONVERSATION, "direction": "out", "chat": CHAT}
    await desk.app.ledger.write(Entry(**about | (entry or {})))
    await desk.app.ledger.hand(700, handed or Handed(parts=("m-1",)))
    return desk


def failure(
    reason: str = "not on WhatsApp", code: str = "131026", kind: str = "message.failed", **metadata: Any
) -> Any:
    about = {"inbox": "shop", "message": 700, "conversation": CONVERSATION, "part": 0, "retry": 0} | metadata
    extra = {"source": "chatwoot", "id": "m-1", "metadata": about}
    if kind == "message.failed":
        extra["error"] = {"code": code, "reason": reason}
    return make_event(kind=kind, chat=CHAT, from_me=True, content=reason, extra=extra)


async def handle(desk: Office, event: Any, *, attempt: int = 1) -> None:
    await results.handle(desk.app, make_delivery(event, target=desk.app.incoming, attempt=attempt))


def asked(desk: Office) -> list[tuple[str, str]]:
    return [(each.method, each.url) for each in desk.fakes.http.sent]


async def test_a_failed_message_shows_its_reason_and_a_note_leads_to_the_job() -> None:
    desk = await desk_with()
    job = _waiting("outbound", Target(id="main"), make_event(kind="message.send", message_id="m-1"))
    desk.fakes.deliveries.rows.append(job)
    await handle(desk, failure())
    assert asked(desk) == [("PATCH", PATCH_PATH), ("POST", NOTES_PATH)]
    status, note = (each.json for each in desk.fakes.http.sent)
    assert status == {"status": "failed", "external_error": "Not sent: not on WhatsApp"}
    assert note["private"] is True
    assert note["content_attributes"] == {"in_reply_to": 700}
    assert f"https://gateway.example/api/jobs/{job.id}" in note["content"]
    entry = await desk.app.ledger.by_message(700)
    assert entry is not None
    assert (entry.status, entry.error, entry.retries) == ("failed", "Not sent: not on WhatsApp", 0)


async def test_without_notes_only_the_status_is_told() -> None:
    desk = await desk_with(error_notes=False)
    await handle(desk, failure())
    assert asked(desk) == [("PATCH", PATCH_PATH)]


async def test_outside_the_window_agents_read_that_a_template_is_needed() -> None:
    desk = await desk_with(error_notes=False)
    event = failure("Re-engagement message", "131047")
    event.extra["error"] |= failure_of("131047", "Re-engagement message", window=True)
    await handle(desk, event)
    assert desk.fakes.http.sent[0].json["external_error"] == desk.app.texts("outgoing.window_closed")
    assert "template" in desk.fakes.http.sent[0].json["external_error"]


async def test_what_was_refused_before_it_left_shows_its_reason_as_it_is() -> None:
    desk = await desk_with(error_notes=False)
    await handle(desk, failure("waha can't send a template", kind=notices.FAILED))
    assert desk.fakes.http.sent[0].json["external_error"] == "waha can't send a template"


async def test_several_parts_that_fail_are_one_failure() -> None:
    desk = await desk_with(handed=Handed(parts=("m-1", "m-2")))
    await handle(desk, failure())
    await handle(desk, failure(part=1))
    assert [method for method, _ in asked(desk)] == ["PATCH", "POST"]


async def test_a_failure_of_a_try_before_the_last_one_is_old_news() -> None:
    desk = await desk_with(handed=Handed(parts=("m-2",), retry=1))
    await handle(desk, failure(retry=0))
    assert asked(desk) == []


async def test_the_last_try_may_fail_as_the_first_one_did() -> None:
    entry = {"status": "failed", "retries": 0}
    desk = await desk_with(entry, Handed(parts=("m-2",), retry=1), error_notes=False)
    await handle(desk, failure(retry=1))
    assert asked(desk) == [("PATCH", PATCH_PATH)]
    now = await desk.app.ledger.by_message(700)
    assert now is not None
    assert (now.status, now.retries) == ("failed", 1)


async def test_a_failure_waits_for_the_row_of_its_try() -> None:
    desk = await desk_with()
    with pytest.raises(Postpone):
        await handle(desk, failure(retry=1))


async def test_a_deleted_message_fails_in_silence() -> None:
    desk = await desk_with(handed=Handed(parts=("m-1",), deleted=True))
    await handle(desk, failure())
    assert asked(desk) == []


async def test_other_inboxes_and_other_senders_are_not_told_here() -> None:
    desk = await desk_with()
    by_api = make_event(kind="message.failed", extra={"source": "api", "id": "x", "metadata": {}})
    for event in (failure(inbox="other"), by_api, make_event(kind="message.failed")):
        assert not results.concerns(desk.app, event)
        await handle(desk, event)
    assert asked(desk) == []
    assert results.concerns(desk.app, failure())


async def test_an_interrupted_failure_is_told_again_and_its_note_is_not_written_twice() -> None:
    desk = await desk_with(http=FakeHttp(MADE, TimedOutError(), 200, 200))
    with pytest.raises(Exception, match="Connection timeout"):
        await handle(desk, failure())
    entry = await desk.app.ledger.by_message(700)
    assert entry is not None
    assert entry.status == ""
    source_id = desk.fakes.http.sent[1].json["source_id"]
    there = answered(200, body_of({"payload": [{"id": 801, "source_id": source_id}]}))
    desk.fakes.http.script = [MADE, there]
    await handle(desk, failure(), attempt=2)
    assert [method for method, _ in asked(desk)] == ["PATCH", "POST", "PATCH", "GET"]
    entry = await desk.app.ledger.by_message(700)
    assert entry is not None
    assert entry.status == "failed"


@pytest.mark.parametrize("notes", [True, False])
async def test_a_conversation_that_is_gone_needs_no_word(notes: bool) -> None:
    desk = await desk_with(http=FakeHttp(404), error_notes=notes)
    await handle(desk, failure())
    assert asked(desk) == [("PATCH", PATCH_PATH), ("POST", NOTES_PATH)][: 1 + notes]


async def test_a_server_that_knows_no_statuses_still_gets_the_note() -> None:
    desk = await desk_with(http=FakeHttp(404, MADE))
    await handle(desk, failure())
    assert "not on WhatsApp" in desk.fakes.http.sent[1].json["content"]


async def test_a_wrong_token_stops_the_inbox_and_spends_no_attempt() -> None:
    desk = await desk_with(http=FakeHttp(401))
    handler = make_handler(desk.fakes.context, make_apps(desk.fakes.context))
    assert handler.handle is not None
    with pytest.raises(Retry) as caught:
        await handler.handle(make_delivery(failure(), target=desk.app.incoming))
    assert caught.value.down


async def test_a_note_is_written_as_it_is() -> None:
    desk = await desk_with()
    await handle(desk, failure("It stands in WhatsApp still.", kind=notices.NOTE))
    [sent] = desk.fakes.http.sent
    assert (sent.json["content"], sent.json["private"]) == ("It stands in WhatsApp still.", True)


async def test_what_works_after_all_is_said_in_a_note() -> None:
    desk = await desk_with({"status": "failed"})
    entry = await desk.app.ledger.by_message(700)
    assert entry is not None
    await results.recovered(desk.app, entry, make_delivery(make_event(kind="message.ack")))
    [sent] = desk.fakes.http.sent
    assert sent.json["content"] == desk.app.texts("outgoing.recovered_note")


async def test_after_a_kill_a_note_is_looked_for_although_the_try_was_not_counted() -> None:
    desk = await desk_with()
    desk.app.memory.started += 120  # The process that tried it before is dead.
    there = {"id": 900, "source_id": "wagate/700/failed/0", "content_attributes": {}}
    desk.fakes.http.answer(MADE, answered(200, body_of({"payload": [there]})))
    await handle(desk, failure())
    assert [method for method, _ in asked(desk)] == ["PATCH", "GET"]
