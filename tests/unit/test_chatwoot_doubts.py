"""Agents learn of messages of which nobody knows whether they were sent."""

from __future__ import annotations

from msgspec.structs import replace

from tests.chatwoot_agents import Office, arrive, body_of, fail, message, office, sent, shown_as, updated
from wagate.testing import FakeHttp, answered, make_delivery
from wagate_chatwoot.to_chatwoot import notices, results
from wagate_chatwoot.to_whatsapp.doubts import look


async def in_doubt(http: FakeHttp | None = None) -> tuple[Office, str]:
    """A message that was handed to the provider, which never answered."""
    desk = office(http=http, error_notes=False)
    await arrive(desk, message())
    await desk.run()
    [part] = desk.fakes.messages.rows
    desk.fakes.messages.becomes = "unknown"
    await desk.fakes.messages.wait(part, client_id=1, seconds=1)
    desk.fakes.messages.becomes = "sent"
    return desk, part


async def tell_all(desk: Office) -> None:
    for event in desk.told():
        await results.handle(desk.app, make_delivery(event, target=desk.app.incoming))


async def test_a_doubt_that_stays_shows_as_failed_and_says_what_to_do() -> None:
    desk, part = await in_doubt(FakeHttp(200))
    desk.fakes.clock.shift(61)
    assert await look(desk.app, set()) == {f"unknown/{part}"}
    [event] = desk.told()
    assert (event.kind, event.account, event.content) == (
        notices.DOUBT,
        "main",
        desk.app.texts("outgoing.failed_unknown"),
    )
    await tell_all(desk)
    [request] = desk.fakes.http.sent
    assert request.json == {"status": "failed", "external_error": desk.app.texts("outgoing.failed_unknown")}


async def test_each_is_told_once_after_a_while_and_not_when_it_is_history() -> None:
    desk, part = await in_doubt()
    assert await look(desk.app, set()) == set()
    desk.fakes.clock.shift(61)
    assert await look(desk.app, {f"unknown/{part}"}) == set()
    desk.fakes.clock.shift(86_400)
    assert await look(desk.app, set()) == set()
    assert desk.told() == []


async def test_messages_that_others_sent_are_not_told_here() -> None:
    desk, part = await in_doubt()
    desk.fakes.clock.shift(61)
    await desk.fakes.store.delete(f"shop/part/{part}")
    assert await look(desk.app, set()) == set()


async def test_a_doubt_that_ended_meanwhile_is_not_told() -> None:
    desk, part = await in_doubt(FakeHttp(200))
    desk.fakes.clock.shift(61)
    await look(desk.app, set())
    desk.fakes.messages.rows[part] = desk.fakes.messages._after(desk.fakes.messages.rows[part])
    await tell_all(desk)
    assert desk.fakes.http.sent == []


async def test_an_agent_who_looked_at_the_phone_may_press_retry() -> None:
    desk, _ = await in_doubt(FakeHttp(answered(200, body_of({"payload": [{"id": 700, "status": "sent"}]}))))
    desk.fakes.clock.shift(61)
    await look(desk.app, set())
    await tell_all(desk)
    await arrive(desk, updated(), updated())
    await desk.run()
    assert sent(desk) == [("text", "Hello"), ("text", "Hello")]


async def waiting(http: FakeHttp | None = None) -> tuple[Office, str]:
    """A message whose provider is away."""
    desk = office(http=http)
    await arrive(desk, message())
    await desk.run()
    [part] = desk.fakes.messages.rows
    return desk, part


async def test_a_message_that_waits_for_its_provider_says_so_without_a_note() -> None:
    desk, part = await waiting(FakeHttp(200))
    assert await look(desk.app, set()) == set()
    desk.fakes.clock.shift(21)
    assert await look(desk.app, set()) == {f"queued/{part}"}
    await tell_all(desk)
    [request] = desk.fakes.http.sent
    assert request.json == {"status": "failed", "external_error": desk.app.texts("outgoing.waits", reason="")}


async def test_what_left_meanwhile_is_not_told_to_wait() -> None:
    desk, part = await waiting()
    desk.fakes.clock.shift(21)
    assert await look(desk.app, set()) == {f"queued/{part}"}
    await desk.fakes.messages.wait(part, client_id=1, seconds=1)
    await tell_all(desk)
    assert desk.fakes.http.sent == []


async def test_what_waited_and_then_fails_or_is_in_doubt_says_that() -> None:
    for after, kind in (("unknown", notices.DOUBT), ("refused", "message.failed")):
        desk, part = await waiting(FakeHttp(*[answered(200, body_of({"id": 1}))] * 5))
        desk.fakes.clock.shift(21)
        await look(desk.app, set())
        await tell_all(desk)
        if after == "unknown":
            desk.fakes.messages.becomes = "unknown"
            await desk.fakes.messages.wait(part, client_id=1, seconds=1)
            desk.fakes.clock.shift(61)
            await look(desk.app, set())
            await tell_all(desk)
        else:
            await fail(desk)
        entry = await desk.app.ledger.by_part(part)
        assert entry is not None, kind
        assert (entry.status, entry.waits) == ("failed", False)
        assert entry.error != desk.app.texts("outgoing.waits", reason="")


async def test_retry_on_what_waits_sends_nothing_twice() -> None:
    desk, part = await waiting(shown_as("sent"))
    entry = await desk.app.ledger.by_part(part)
    assert entry is not None
    await desk.app.ledger.write(replace(entry, status="failed", waits=True))
    await arrive(desk, updated(), updated())
    await desk.run()
    assert sent(desk) == [("text", "Hello")]
    handed = await desk.app.ledger.handed(700)
    assert handed is not None
    assert (handed.parts, handed.retry) == ((part,), 0)
