"""Contacts: one for each person, under all their names, whatever races."""

from __future__ import annotations

import pytest
import trio

from tests.chatwoot_office import ANA, KEY, Office, office
from wagate.testing.chatwoot import Contact
from wagate.testing.server import Fault, Reply, Seen
from wagate_chatwoot.to_chatwoot import contacts
from wagate_waha import profile as waha_profile

LID = "4444000011@lid"
PHONE = "+19990000000"
GROUP = "120363000000000001@g.us"
PICTURE = "https://pps.example/1.jpg"


async def comes_by_lid(here: Office, text: str) -> str:
    """The same person writes under their LID, and WAHA tells the number beside it."""
    info = {"Chat": LID, "Sender": LID, "SenderAlt": ANA.replace("@c.us", "@s.whatsapp.net")}
    body = here.waha.incoming(text, sender=LID) | {"_data": {"Info": info}, "timestamp": here.now()}
    await here.waha_says(here.waha.webhook("message", body, key=KEY))
    return str(body["id"])


async def test_two_first_messages_of_one_person_by_phone_and_by_lid_make_one_contact() -> None:
    async with office() as here:
        here.chatwoot.latency = 0.02
        async with trio.open_nursery() as nursery:
            nursery.start_soon(here.comes, "by phone")
            nursery.start_soon(comes_by_lid, here, "by lid")
        await here.chatwoot.until_posted(2)
        assert len(here.chatwoot.state.contacts) == 1
        assert here.chatwoot.state.contacts[0].phone_number == PHONE
        assert {message.content for message in here.chatwoot.posted()} == {"by phone", "by lid"}


async def test_a_contact_that_somebody_else_makes_meanwhile_is_taken_over() -> None:
    async with office() as here:
        fake = here.chatwoot

        def rival() -> None:
            contact = Contact(id=4000, account=fake.account, name="Ana of the CRM", phone_number=PHONE)
            fake.state.contacts.append(contact)

        # Right before ours is made: ours is refused with "already taken".
        fake.meanwhile.append(("/contacts", rival))
        fake.meanwhile.append(("/contacts", lambda: None))
        await here.comes("hello")
        await here.gateway.passes_until(lambda: len(fake.posted()) == 1, step=5, most=120)
        [message] = fake.posted()
        assert [contact.id for contact in fake.state.contacts] == [4000]
        assert message.conversation.contact.name == "Ana of the CRM"


async def test_a_contact_is_made_after_the_search_and_before_ours() -> None:
    async with office() as here:
        fake = here.chatwoot

        def rival() -> None:
            if any(seen.method == "POST" and seen.path.endswith("/contacts") for seen in fake.seen):
                if not fake.state.contacts:
                    fake.state.contacts.append(Contact(id=4000, account=fake.account, phone_number=PHONE))
            else:
                fake.meanwhile.append(("/contacts", rival))

        fake.meanwhile.append(("/contacts", rival))
        await here.comes("hello")
        await here.gateway.passes_until(lambda: len(fake.posted()) == 1, step=5, most=120)
        assert [contact.id for contact in fake.state.contacts] == [4000]


async def test_merged_contacts_go_on_in_the_one_that_is_left() -> None:
    async with office() as here:
        talk = await here.talk()
        fake = here.chatwoot
        other = Contact(id=4000, account=fake.account, name="Ana of the CRM")
        fake.state.contacts.append(other)
        fake.agent.merges(other, talk.contact)
        await here.comes("after the merge")
        await here.gateway.passes_until(lambda: len(fake.posted()) == 2, step=5, most=120)
        assert [contact.id for contact in fake.state.contacts] == [4000]
        assert here.sources() == here.written[ANA]


async def test_a_group_is_one_contact_and_says_who_writes() -> None:
    async with office() as here:
        group = "120363000000000001@g.us"
        for sender in ("18880000001@c.us", "18880000002@c.us"):
            info = {"Chat": group, "Sender": sender, "IsGroup": True, "PushName": f"Member {sender[:11]}"}
            await here.comes("hi", group, participant=sender, _data={"Info": info})
        await here.chatwoot.until_posted(2)
        assert len(here.chatwoot.state.contacts) == 1
        contact = here.chatwoot.state.contacts[0]
        assert "(Group)" in contact.name
        assert contact.phone_number is None
        first, second = (message.content or "" for message in here.chatwoot.posted())
        assert first != second
        assert first.endswith("hi")


async def test_a_groups_name_and_everybodys_picture_come_from_waha(monkeypatch: pytest.MonkeyPatch) -> None:
    # A message waits a few seconds for them and goes without; here it waits, however slow the machine is.
    monkeypatch.setattr(contacts, "PATIENCE", 60.0)
    monkeypatch.setattr(waha_profile, "SECONDS", 60.0)
    async with office() as here:
        here.waha.names[GROUP] = "Family"
        here.waha.pictures |= {GROUP: PICTURE, ANA: f"{PICTURE}?ana"}
        for _ in range(2):
            await here.comes("hi", GROUP, participant=ANA)
            await here.comes("hello")
        await here.chatwoot.until_posted(4)
        found = {each.identifier: (each.name, each.avatar_url) for each in here.chatwoot.state.contacts}
        assert found[GROUP] == ("Family (Group)", PICTURE)
        assert found[ANA][1] == f"{PICTURE}?ana"
        assert len([seen for seen in here.waha.seen if seen.path.endswith("/picture")]) == 2


async def test_contacts_are_made_while_waha_tells_nothing_about_them() -> None:
    def fails(seen: Seen) -> Fault | None:
        if seen.path.endswith("/picture"):
            return Fault(reply=Reply(status=500))
        return Fault(drop=True) if "/groups/" in seen.path else None

    async with office() as here:
        here.waha.chance = fails
        await here.comes("hi", GROUP, participant=ANA)
        await here.comes("hello")
        await here.chatwoot.until_posted(2)
        names = {each.identifier: each.name for each in here.chatwoot.state.contacts}
        assert names[GROUP] == "120363000000000001 (Group)"
        assert not any(each.avatar_url for each in here.chatwoot.state.contacts)


async def test_an_inbox_without_profiles_asks_waha_nothing() -> None:
    async with office(profiles=False) as here:
        await here.comes("hi", GROUP, participant=ANA)
        await here.chatwoot.until_posted(1)
        assert not [seen.path for seen in here.waha.seen if seen.path.endswith("/picture") or "/groups/" in seen.path]


async def test_many_first_messages_at_once_of_many_people_make_one_contact_each() -> None:
    async with office() as here:
        here.chatwoot.latency = 0.01
        async with trio.open_nursery() as nursery:
            for number in range(10):
                for text in ("a", "b", "c"):
                    nursery.start_soon(here.comes, text, f"1777000{number:04}@c.us")
        await here.chatwoot.until_posted(30)
        state = here.chatwoot.state
        assert len(state.contacts) == len(state.conversations) == len(state.contact_inboxes) == 10
