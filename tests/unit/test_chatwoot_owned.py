"""An inbox that goes to another client brings nothing of the one before."""

from __future__ import annotations

import pytest

from tests.chatwoot_agents import office
from wagate.errors import Reject
from wagate.hooks import ClientView
from wagate.testing.events import make_delivery, make_event
from wagate.testing.fakes import FakeAccounts
from wagate_chatwoot.handler import make_handler
from wagate_chatwoot.inboxes import make_apps
from wagate_chatwoot.ledger import Place

CHAT = "5511999999999@c.us"
PLACE = Place(contact=1, source_id="shop/x", conversation=7)


async def test_places_and_conversations_of_one_client_are_not_the_next_ones() -> None:
    desk = office()
    await desk.app.ledger.put_place("main", CHAT, PLACE)
    desk.app.memory.put("main", CHAT, PLACE)
    await desk.app.ledger.wait(7, 1, {"content": "to the old one's customer"})
    assert await desk.app.ledger.chat_of(7) == ("main", CHAT)
    desk.fakes.clock.shift(1)
    again = make_apps(desk.fakes.context)["shop"]
    assert await again.ledger.chat_of(7) == ("main", CHAT), "a restart forgets nothing"

    become(desk.fakes.accounts, 77)
    assert await desk.app.ledger.chat_of(7) is None
    assert await desk.app.ledger.place("main", CHAT) is None
    assert await desk.app.ledger.waiting(7) == []
    assert desk.app.memory.place("main", CHAT) is None
    await desk.app.ledger.put_place("main", CHAT, PLACE)
    assert await again.ledger.chat_of(7) == ("main", CHAT), "what the new one remembers stays"


async def test_what_still_waits_for_the_inbox_of_another_client_is_not_shown_there() -> None:
    desk = office()
    become(desk.fakes.accounts, 77)
    delivery = make_delivery(make_event(kind="message", client_id=1, account="main"), target=desk.app.incoming)
    with pytest.raises(Reject, match="another client"):
        await make_handler(desk.fakes.context, desk.apps).handle(delivery)


def become(accounts: FakeAccounts, client_id: int) -> None:
    """The slug ``default`` is another client's: the first was deleted, and this one made."""
    accounts.owners = {client_id: ClientView(id=client_id, slug="default", name="")}
