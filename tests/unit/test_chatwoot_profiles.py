"""Names of groups and pictures of contacts: asked for once, when a contact is made, and never worth a message."""

from __future__ import annotations

import pytest
import trio

from tests.chatwoot_desk import CHAT, Desk, a_desk
from wagate.config import convert_settings
from wagate.errors import NotSentError, OutcomeUnknownError
from wagate.hooks import Profile
from wagate.testing import fake_context
from wagate.testing.chatwoot import FakeChatwoot
from wagate.testing.server import Fault, Reply, Seen
from wagate_chatwoot.inboxes import make_apps
from wagate_chatwoot.pull import CONTACT
from wagate_chatwoot.settings import Settings
from wagate_chatwoot.to_chatwoot import contacts
from wagate_chatwoot.to_chatwoot.people import Who

GROUP, CHANNEL = "120363000000000001@g.us", "120363000000000002@newsletter"
PICTURE = "https://pps.example/1.jpg"


def shown(desk: Desk, chat: str, name: str = "", picture: str = PICTURE) -> None:
    """WhatsApp shows this of the chat."""
    desk.fakes.sessions.profiles[chat] = Profile(name=name, picture=picture)


@pytest.mark.parametrize(("chat", "name"), [(GROUP, "Team (Group)"), (CHANNEL, "Team (Channel)")])
async def test_a_group_is_made_with_its_name_and_picture_and_asked_about_once(chat: str, name: str) -> None:
    async with a_desk() as desk:
        shown(desk, chat, " Team\n")
        message = await desk.takes(chat=chat)
        contact = message.conversation.contact
        assert (contact.name, contact.avatar_url) == (name, PICTURE)
        desk.restart()
        await desk.takes(chat=chat, message_id="wamid.2")
        assert desk.fakes.sessions.profiled == [("main", chat)]


async def test_a_name_that_the_message_brings_goes_first() -> None:
    async with a_desk() as desk:
        shown(desk, GROUP, "Old name")
        shown(desk, CHAT, "In the address book")
        group = await desk.takes(chat=GROUP, extra={"group_name": "Team"})
        person = await desk.takes(message_id="wamid.2", contact_name="Ana")
        contacts = [group.conversation.contact, person.conversation.contact]
        assert [(each.name, each.avatar_url) for each in contacts] == [("Team (Group)", PICTURE), ("Ana", PICTURE)]


async def test_somebody_to_whom_we_write_first_has_the_name_that_whatsapp_shows() -> None:
    async with a_desk() as desk:
        shown(desk, CHAT, "Ana")
        ours = {"kind": "message.any", "from_me": True, "extra": {"source": "api", "id": "m0"}}
        contact = (await desk.takes(**ours)).conversation.contact
        assert contact.name == "Ana"
        await desk.takes(message_id="wamid.2", contact_name="Ana B.")
        assert contact.name == "Ana"


async def test_a_groups_name_is_followed_from_what_whatsapp_showed() -> None:
    async with a_desk() as desk:
        shown(desk, GROUP, "Team")
        contact = (await desk.takes(chat=GROUP)).conversation.contact
        await desk.takes(chat=GROUP, message_id="wamid.2", extra={"group_name": "The team"})
        assert contact.name == "The team (Group)"
        contact.name = "Sales"
        await desk.takes(chat=GROUP, message_id="wamid.3", extra={"group_name": "A team"})
        assert contact.name == "Sales"


@pytest.mark.parametrize("error", [NotSentError("WAHA is away"), OutcomeUnknownError("the provider's code failed")])
async def test_a_provider_that_fails_costs_the_name_and_no_message(error: NotSentError | OutcomeUnknownError) -> None:
    async with a_desk() as desk:
        desk.fakes.sessions.fails = error
        contact = (await desk.takes(chat=GROUP)).conversation.contact
        assert (contact.name, contact.avatar_url) == ("120363000000000001 (Group)", "")
        await desk.takes(chat=GROUP, message_id="wamid.2", extra={"group_name": "Team"})
        assert contact.name == "Team (Group)"


async def test_a_provider_that_says_nothing_is_waited_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contacts, "PATIENCE", 0.05)
    async with a_desk() as desk:
        desk.fakes.sessions.silent = True
        contact = (await desk.takes(chat=GROUP)).conversation.contact
        assert contact.name == "120363000000000001 (Group)"


async def test_the_moment_is_five_seconds(autojump_clock: trio.testing.MockClock) -> None:
    table = {"inboxes": {"support": FakeChatwoot().settings(url="https://chat.example")}}
    fakes = fake_context("chatwoot", settings=convert_settings(Settings, table, key="plugins.chatwoot"))
    fakes.sessions.silent = True
    who, before = Who(account="main", chat=GROUP, name="1 (Group)"), trio.current_time()
    assert await contacts.look_up(make_apps(fakes.context)["support"], who) == (who, "")
    assert trio.current_time() - before == pytest.approx(5.0)


async def test_an_inbox_that_wants_none_asks_for_none() -> None:
    async with a_desk(profiles=False) as desk:
        shown(desk, GROUP, "Team")
        contact = (await desk.takes(chat=GROUP)).conversation.contact
        assert (contact.name, contact.avatar_url) == ("120363000000000001 (Group)", "")
        assert desk.fakes.sessions.profiled == []


async def test_nobody_is_asked_about_contacts_that_are_there_and_about_lists() -> None:
    async with a_desk() as desk:
        await desk.app.chatwoot.create_contact("made-by-an-agent", name="Ana of sales", phone_number="+5511999999999")
        await desk.takes(contact_name="Ana")
        await desk.takes(chat="status@broadcast", message_id="wamid.2")
        assert desk.fakes.sessions.profiled == []


async def test_a_picture_that_chatwoot_refuses_is_left_out() -> None:
    def refuses(seen: Seen) -> Fault | None:
        refused = seen.path.endswith("/contacts") and "avatar_url" in seen.json
        return Fault(reply=Reply(status=422, json={"message": "Avatar is invalid"})) if refused else None

    async with a_desk() as desk:
        desk.server.chance = refuses
        shown(desk, GROUP, "Team")
        contact = (await desk.takes(chat=GROUP)).conversation.contact
        assert (contact.name, contact.avatar_url) == ("Team (Group)", "")
        assert desk.requests().count("POST contacts") == 2


async def test_a_number_that_is_taken_and_not_to_be_found_costs_the_number_and_no_picture() -> None:
    taken = Reply(status=422, json={"message": "Phone number has already been taken", "attributes": ["phone_number"]})

    def refuses(seen: Seen) -> Fault | None:
        refused = seen.path.endswith("/contacts") and "phone_number" in seen.json
        return Fault(reply=taken) if refused else None

    async with a_desk() as desk:
        desk.server.chance = refuses
        shown(desk, CHAT)
        contact = (await desk.takes(contact_name="Ana")).conversation.contact
        assert (contact.name, contact.phone_number, contact.avatar_url) == ("Ana", None, PICTURE)


async def test_a_pull_of_contacts_names_groups_and_leaves_them_to_be_followed() -> None:
    async with a_desk() as desk:
        contact = (await desk.takes(chat=GROUP)).conversation.contact
        assert contact.name == "120363000000000001 (Group)"
        await desk.handle(desk.arrives(kind=CONTACT, chat=GROUP, extra={"group_name": "Team"}))
        assert contact.name == "Team (Group)"
        await desk.takes(chat=GROUP, message_id="wamid.2", extra={"group_name": "The team"})
        assert contact.name == "The team (Group)"
