"""What agents tell wagate in a fake Chatwoot, and what it answers."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import trio.testing

from tests.chatwoot_desk import Desk, a_desk
from wagate.errors import AccountStoppedError, Postpone
from wagate.events import SessionStatus
from wagate.testing import make_delivery, make_event
from wagate.testing.chatwoot import Message
from wagate.testing.context import _waiting
from wagate_chatwoot.agents import commands
from wagate_chatwoot.agents.asks import STATUS_SOURCE
from wagate_chatwoot.inboxes import PAUSED_AGAIN, App, ring_resumed
from wagate_chatwoot.to_whatsapp import outgoing
from wagate_chatwoot.to_whatsapp.actions import Command, Send, Where
from wagate_chatwoot.to_whatsapp.webhook import ACTION

CUSTOMER = "5511999999999@c.us"


async def write_answers(desk: Desk) -> list[Message]:
    """Do what was stored for Chatwoot; what stands there then, but the welcome."""
    waiting = [each for each in desk.fakes.deliveries.rows if each.status == "pending"]
    desk.fakes.deliveries.rows = [each for each in desk.fakes.deliveries.rows if each not in waiting]
    for each in waiting:
        if each.target == desk.app.incoming:
            await desk.handle(make_delivery(each.event, target=each.target))
    return [each for each in desk.server.posted() if each.source_id != "wagate/welcome"]


async def says(desk: Desk, text: str, *, email: str = "bia@shop.example", where: Where | None = None) -> Message:
    """An agent writes a command; the answer."""
    where = where or Where(conversation=9, source=STATUS_SOURCE)
    number = len(desk.fakes.emitted) + 500
    command = Command(where=where, message=number, text=text, author="Bia", email=email)
    event = make_event(kind="chatwoot.message", extra={ACTION: msgspec.to_builtins(command)})
    await outgoing.handle(desk.app, make_delivery(event, target=desk.app.outgoing))
    return (await write_answers(desk))[-1]


async def answer(desk: Desk, text: str, **fields: Any) -> str:
    return (await says(desk, text, **fields)).content or ""


async def test_help_names_every_command() -> None:
    async with a_desk() as desk:
        said = await answer(desk, "help")
        for name in ("status [account]", "qr", "restart", "logout", "queue status", "queue pause", "queue resume"):
            assert f"`{name}" in said
        assert said == await answer(desk, "")
        assert said in await answer(desk, "good morning")


async def test_status_tells_of_every_number_of_the_inbox() -> None:
    async with a_desk() as desk:
        assert await answer(desk, "status") == "main (+5511888888888): connected"
        desk.fakes.sessions.put("main", SessionStatus.AUTH_FAILURE, message="Logged out by the phone")
        said = "main (+5511888888888): login no longer valid (Logged out by the phone)"
        assert await answer(desk, "status main") == said
        desk.fakes.sessions.change("main", linked=False)
        assert "no device to link" in await answer(desk, "status")


async def test_an_inbox_of_all_numbers_asks_which_one_is_meant() -> None:
    async with a_desk(accounts=[]) as desk:
        accounts = desk.fakes.accounts.accounts
        accounts["other"] = msgspec.structs.replace(accounts["main"], name="other", phone="")
        assert await answer(desk, "restart") == "Which number? main, other"
        assert await answer(desk, "restart other") == "other is restarting."
        assert await answer(desk, "restart none") == "This inbox has no number none. It has: main, other"
        assert (await answer(desk, "status")).splitlines() == ["main (+5511888888888): connected", "other: connected"]
        desk.fakes.sessions.change("main", linked=False)
        assert await answer(desk, "logout") == "other is logged out. Write qr other to link it again."
        assert desk.fakes.sessions.controlled == [("other", "restart"), ("other", "logout")]


@pytest.mark.parametrize("name", ["start", "stop", "restart", "logout"])
async def test_a_session_is_controlled_through_its_provider(name: str) -> None:
    async with a_desk() as desk:
        await answer(desk, name)
        assert desk.fakes.sessions.controlled == [("main", name)]


async def test_what_a_provider_can_not_do_or_does_not_take_is_said() -> None:
    async with a_desk() as desk:
        desk.fakes.sessions.fails = AccountStoppedError("WAHA answered 401")
        assert await answer(desk, "restart") == "That failed: WAHA answered 401"
        desk.fakes.sessions.change("main", actions=())
        assert await answer(desk, "restart") == "main can't do that: its provider (meta) doesn't support it."


async def test_a_qr_code_comes_as_a_picture_when_there_is_one() -> None:
    async with a_desk() as desk:
        none = await says(desk, "qr")
        desk.fakes.sessions.put("main", SessionStatus.QR_GENERATED, qr="2@one")
        some = await says(desk, "qr")
        assert (none.content, none.attachments) == ("main has no code to scan: connected.", [])
        assert some.attachments[0].content.startswith(b"\x89PNG")


async def test_only_agents_who_are_named_may() -> None:
    async with a_desk(commands={"agents": ["Ada@shop.example"]}) as desk:
        refused = "You may not use this command; ask whoever set up wagate."
        assert await answer(desk, "restart") == refused
        assert await answer(desk, "restart", email="") == refused
        assert await answer(desk, "restart", email="ada@SHOP.example") == "main is restarting."


async def test_commands_that_are_off_are_not_heeded() -> None:
    async with a_desk(commands={"enabled": False}) as desk:
        await commands.run(desk.app, Command(where=Where(conversation=9), message=1, text="wa/restart"))
        assert (desk.fakes.emitted, desk.fakes.sessions.controlled) == ([], [])


async def test_a_command_in_a_customers_conversation_is_answered_in_a_private_note() -> None:
    async with a_desk() as desk:
        customer = await desk.takes(content="hello")
        there = Where(conversation=customer.conversation.id, source=CUSTOMER)
        note = await says(desk, "wa/status", where=there)
        assert (note.private, note.message_type, note.conversation) == (True, "outgoing", customer.conversation)
        assert note.content == "main (+5511888888888): connected"


async def test_an_answer_is_in_the_conversation_of_the_integration() -> None:
    async with a_desk() as desk:
        shown = await says(desk, "status")
        assert (shown.private, shown.message_type) == (False, "incoming")
        assert shown.conversation.contact_inbox.source_id == STATUS_SOURCE


async def test_a_command_that_is_done_twice_answers_once() -> None:
    async with a_desk() as desk:
        command = Command(where=Where(conversation=9, source=STATUS_SOURCE), message=77, text="status")
        for _ in range(2):
            await commands.run(desk.app, command)
        keys = {each.provider_id for each, _ in desk.fakes.emitted}
        assert keys == {"support/command/77"}


async def test_a_paused_inbox_holds_messages_in_both_directions_but_not_commands() -> None:
    async with a_desk() as desk:
        assert (await answer(desk, "queue pause")).startswith("⏸ Messages wait")
        assert (await answer(desk, "queue pause")).startswith("⏸ The queue is already paused")
        send = Send(where=Where(conversation=3, source=CUSTOMER), message=9, content="hi")
        out = make_event(kind="chatwoot.message", extra={ACTION: msgspec.to_builtins(send)})
        for held in (desk.arrives(), make_delivery(out, target=desk.app.outgoing)):
            with pytest.raises(Postpone) as caught:
                await desk.handle(held)
            assert caught.value.after == PAUSED_AGAIN
        assert "paused" in await answer(desk, "queue status")
        assert (await answer(desk, "queue resume")).startswith("▶️ Messages are being delivered again")
        assert (await desk.takes(content="hello")).content == "hello"


async def test_a_pause_outlasts_the_process_and_others_learn_of_its_end() -> None:
    async with a_desk() as desk:
        await answer(desk, "queue pause")
        desk.restart()
        with pytest.raises(Postpone):
            await desk.handle(desk.arrives())
        await desk.fakes.store.delete("support/paused")  # by another process
        desk.fakes.clock.shift(5.0)
        assert (await desk.takes(content="hello")).content == "hello"


async def test_resuming_calls_the_first_delivery_of_each_chat() -> None:
    async with a_desk() as desk:
        events = [make_event(chat=chat) for chat in ("1@c.us", "2@c.us", "1@c.us")]
        [target] = desk.handler.targets(events[0])
        rows = [_waiting("chatwoot", target, event) for event in events]
        desk.fakes.deliveries.rows = list(rows)
        assert await desk.app.pause.ring(target.id, client_id=1) == 2
        assert sorted(desk.fakes.deliveries.retried) == sorted(each.id for each in rows[:2])


@pytest.mark.parametrize("paused", [True, False])
async def test_who_resumes_does_not_wait_for_the_calls_and_only_what_was_paused_is_called(paused: bool) -> None:
    async with a_desk() as desk, trio.open_nursery() as nursery:
        event = make_event()
        [target] = desk.handler.targets(event)
        row = _waiting("chatwoot", target, event)
        desk.fakes.deliveries.rows = [row]
        await desk.app.pause.put(paused=paused)
        await commands.run(desk.app, Command(where=Where(conversation=9), message=1, text="queue resume"))
        assert desk.fakes.deliveries.retried == []
        nursery.start_soon(ring_resumed, desk.apps)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert (row.id in desk.fakes.deliveries.retried) is paused
        nursery.cancel_scope.cancel()


async def test_the_queue_is_counted() -> None:
    async with a_desk() as desk:
        events = [make_event() for _ in range(3)]
        [target] = desk.handler.targets(events[0])
        desk.fakes.deliveries.rows = [_waiting("chatwoot", target, event) for event in events]
        await commands.run(desk.app, Command(where=Where(conversation=9), message=1, text="queue status"))
        [(event, _)] = desk.fakes.emitted
        assert event.content.splitlines() == ["To Chatwoot: 3 waiting, running", "To WhatsApp: 0 waiting, running"]


async def test_pulls_begin_with_what_was_asked() -> None:
    asked: list[tuple[str, float]] = []

    async def pull(_app: App, what: str, since: float) -> str:
        asked.append((what, since))
        return f"{what}: begun"

    async with a_desk() as desk:
        for number, text in enumerate(("contacts pull", "messages pull --since 2d", "help")):
            await commands.run(desk.app, Command(where=Where(conversation=9), message=number, text=text), pull=pull)
        said = [event.content for event, _ in desk.fakes.emitted]
        assert said[:2] == ["contacts: begun", "messages: begun"]
        assert "messages pull [--since 7d]" in said[2]
        assert asked == [("contacts", 0.0), ("messages", 172_800.0)]


async def test_without_pulls_they_are_not_offered() -> None:
    async with a_desk() as desk:
        await commands.run(desk.app, Command(where=Where(conversation=9), message=1, text="contacts pull"))
        [(event, _)] = desk.fakes.emitted
        assert event.content.startswith("I don't know contacts pull.")
        assert "messages pull" not in event.content
