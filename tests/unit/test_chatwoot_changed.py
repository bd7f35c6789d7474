"""An inbox whose table in config.toml changed between two starts: chats go on where they should."""

from __future__ import annotations

import msgspec
import pytest

from tests.chatwoot_agents import CHAT, CONVERSATION, arrive, conversation, message, office
from tests.chatwoot_desk import Desk, a_desk
from wagate.errors import Reject
from wagate.testing.chatwoot import Inbox
from wagate_chatwoot.handler import make_handler
from wagate_chatwoot.inboxes import make_apps
from wagate_chatwoot.ledger import Place
from wagate_chatwoot.settings import Settings
from wagate_chatwoot.signals import Signals
from wagate_chatwoot.to_whatsapp.reconcile import reconcile


def begins_again(desk: Desk, **changes: object) -> None:
    """A new process, with another table."""
    inbox = msgspec.structs.replace(desk.app.inbox, **changes)
    object.__setattr__(desk.app.context, "settings", Settings(inboxes={"support": inbox}))
    desk.restart()


async def test_a_further_number_leaves_the_contacts_and_conversations_of_the_first_where_they_are() -> None:
    async with a_desk() as desk:
        first = await desk.takes()
        begins_again(desk, accounts=("main", "second"))
        again = await desk.takes(message_id="wamid.2")
        other = await desk.takes(account="second", message_id="wamid.3")
        assert again.conversation is first.conversation
        assert other.conversation is not first.conversation
        assert len(desk.server.state.contacts) == 1
        begins_again(desk, accounts=("main",))
        last = await desk.takes(message_id="wamid.4")
        assert last.conversation is first.conversation


async def test_what_the_ledger_forgot_is_found_again_under_the_names_of_both_tables() -> None:
    async with a_desk() as desk:
        first = await desk.takes()
        begins_again(desk, accounts=("main", "second"))
        desk.fakes.store.rows.clear()
        again = await desk.takes(message_id="wamid.2")
        assert again.conversation is first.conversation
        begins_again(desk, accounts=("main",))
        desk.fakes.store.rows.clear()
        last = await desk.takes(message_id="wamid.3")
        assert last.conversation is first.conversation
        assert len(desk.server.state.contacts) == 1


async def test_another_inbox_of_chatwoots_gets_conversations_of_its_own() -> None:
    async with a_desk() as desk:
        first = await desk.takes()
        made = Inbox(
            id=8, account=desk.server.account, name="Second", webhook_url="", secret="", identifier="fakeIdentifier8"
        )
        desk.server.state.inboxes.append(made)
        begins_again(desk, inbox_id=made.id)
        again = await desk.takes(message_id="wamid.2")
        assert again.conversation is not first.conversation
        assert again.conversation.inbox is made
        assert again.conversation.contact is first.conversation.contact


async def test_what_agents_wrote_in_an_inbox_before_the_table_named_it_is_not_sent_again() -> None:
    async with a_desk() as desk:
        second = Inbox(
            id=8, account=desk.server.account, name="Second", webhook_url="", secret="", identifier="fakeIdentifier8"
        )
        desk.server.state.inboxes.append(second)
        first = desk.app.inbox.inbox_id
        await reconcile(desk.app, Signals(desk.app.context))
        begins_again(desk, inbox_id=second.id)
        talk = (await desk.takes()).conversation
        begins_again(desk, inbox_id=first)
        desk.server.agent.writes(talk, "answered by another connector")
        desk.fakes.clock.shift(60)
        begins_again(desk, inbox_id=second.id)
        assert await reconcile(desk.app, Signals(desk.app.context)) == 0
        desk.fakes.clock.shift(60)
        desk.server.agent.writes(talk, "no webhook brought this")
        assert await reconcile(desk.app, Signals(desk.app.context)) == 1


async def test_what_waited_for_an_inbox_that_is_gone_is_refused_with_its_name() -> None:
    async with a_desk() as desk:
        delivery = desk.arrives()
        object.__setattr__(desk.app.context, "settings", Settings(inboxes={}))
        handler = make_handler(desk.app.context, make_apps(desk.app.context))
        assert handler.handle is not None
        with pytest.raises(Reject, match="'support'"):
            await handler.handle(delivery)


async def test_an_inbox_that_was_given_another_number_answers_from_that_one() -> None:
    desk = office(accounts=("second",))
    place = Place(contact=8, source_id=CHAT, conversation=CONVERSATION)
    await desk.app.ledger.put_place("main", CHAT, place)
    await arrive(desk, message())
    await desk.run()
    assert [(row.account, row.chat) for row in desk.fakes.messages.rows.values()] == [("second", CHAT)]


@pytest.mark.parametrize("wrote_to", ["", "second"])
async def test_of_several_numbers_an_agents_own_contact_hears_from_one_of_the_inbox(wrote_to: str) -> None:
    desk = office(accounts=("third", "second"))
    third = msgspec.structs.replace(desk.fakes.accounts.accounts["second"], name="third")
    desk.fakes.accounts.accounts["third"] = third
    if wrote_to:
        await desk.app.ledger.put_place(wrote_to, CHAT, Place(contact=8, source_id=f"{wrote_to}/{CHAT}"))
    theirs = conversation(contact_inbox={"source_id": "0c5f8f4e-7d2b-4a41-9a83-0e4f7f1a2b3c"})
    await arrive(desk, message(conversation=theirs))
    await desk.run()
    assert [row.account for row in desk.fakes.messages.rows.values()] == [wrote_to or "third"]
