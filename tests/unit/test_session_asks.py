"""What a session engine is asked beyond sending, against the fake engine, judged by its document."""

from __future__ import annotations

from typing import Any

import pytest

from tests.strict_fakes import strict_sessions
from tests.unit.test_session_send import engine
from wagate.errors import SendRefusedError
from wagate.hooks import asks
from wagate.hooks.answers import Member
from wagate.testing.providers.session import OURS, FakeSessions
from wagate.testing.providers.session_asks import EngineGroup

ANA, BOB, NOBODY = "5511988880001@c.us", "5511988880002@c.us", "5511988880003@c.us"
GROUP = "120363000000000001@g.us"


def site() -> FakeSessions:
    fake = strict_sessions(FakeSessions(api_key="k"))
    fake.phone.registered = {ANA.partition("@")[0], BOB.partition("@")[0]}
    return fake


async def ask(fake: FakeSessions, *wanted: asks.Ask) -> list[Any]:
    async with engine(fake, api_key="k") as (provider, to):
        return [await provider.answers[type(each)](each, to) for each in wanted]


async def test_people_are_looked_up_and_blocked() -> None:
    fake = site()
    fake.phone.lids[ANA], fake.phone.abouts[ANA] = "77@lid", "At sea"
    found = await ask(
        fake,
        asks.FindNumber(phone="5511988880001"),
        asks.FindNumber(phone="5511988880003"),
        asks.FindLid(chat=ANA),
        asks.FindLid(chat=BOB),
        asks.ReadAbout(chat=ANA),
        asks.ReadAbout(chat=BOB),
        asks.BlockPerson(chat=BOB, on=True),
    )
    assert found == [ANA, "", "77@lid", "", "At sea", "", None]
    assert fake.phone.blocked == {BOB}
    await ask(fake, asks.BlockPerson(chat=BOB, on=False))
    assert fake.phone.blocked == set()


async def test_chats_messages_and_the_number_itself_are_changed() -> None:
    fake = site()
    marks: list[asks.ChatMark] = ["archive", "unarchive", "unread", "delete", "clear"]
    await ask(
        fake,
        *(asks.MarkChat(chat=ANA, mark=mark) for mark in marks),
        asks.MarkChat(chat=ANA, mark="read"),
        asks.StarMessage(chat=ANA, message_id=f"false_{ANA}_AB", on=True),
        asks.StarMessage(chat=ANA, message_id=f"false_{ANA}_AB", on=False),
        asks.SetOnline(on=True),
        asks.SetOnline(on=False),
        asks.SetOwnName(name="Shop"),
        asks.SetOwnAbout(text="Open"),
    )
    assert fake.phone.done == [
        *((mark, ANA) for mark in marks),
        ("star", ANA, "AB"),
        ("unstar", ANA, "AB"),
        ("online",),
        ("offline",),
        ("name", "Shop"),
        ("about", "Open"),
    ]
    assert fake.signals == [("/chat/sendSeen", ANA)]


async def test_a_group_is_made_changed_and_left() -> None:
    fake = site()
    [made] = await ask(fake, asks.CreateGroup(subject="Team", members=(ANA,)))
    group = fake.phone.groups[made.chat]
    assert (made.subject, made.owner, made.created_at) == ("Team", OURS, 1_795_225_481)
    assert made.members == (Member(chat=OURS, role="owner"), Member(chat=ANA))
    change = asks.ChangeGroup(
        chat=made.chat, subject="Crew", description="Who sails", only_admins_write=True, only_admins_edit=True
    )
    [failed, promoted, _, seen, listed, old, new, joined] = await ask(
        fake,
        asks.ChangeMembers(chat=made.chat, change="add", members=(BOB, NOBODY)),
        asks.ChangeMembers(chat=made.chat, change="promote", members=(BOB,)),
        change,
        asks.ReadGroup(chat=made.chat),
        asks.ListGroups(),
        asks.InviteCode(chat=made.chat),
        asks.InviteCode(chat=made.chat, renew=True),
        asks.JoinGroup(code="AbCdEfGhIjKlMnOpQr0001"),
    )
    assert (failed, promoted) == ({NOBODY: 404}, {})
    assert (seen.subject, seen.description) == ("Crew", "Who sails")
    assert seen.only_admins_write
    assert seen.only_admins_edit
    assert seen.members[2] == Member(chat=BOB, role="admin")
    assert listed == (seen,)
    assert (old, new, joined) == ("AbCdEfGhIjKlMnOpQrStUv", group.code, made.chat)
    gone = asks.ChangeMembers(chat=made.chat, change="remove", members=(BOB,))
    await ask(fake, gone, asks.LeaveGroup(chat=made.chat))
    assert group.people == {ANA: ""}


async def test_what_whatsapp_refuses_says_so() -> None:
    fake = site()
    fake.phone.groups[GROUP] = EngineGroup(subject="Theirs", people={ANA: "superadmin", OURS: ""})
    refused: list[tuple[asks.Ask, str]] = [
        (asks.ChangeGroup(chat=GROUP, subject="Ours"), "admin"),
        (asks.InviteCode(chat=GROUP), "admin"),
        (asks.ReadGroup(chat="120363000000000009@g.us"), "no such group"),
        (asks.LeaveGroup(chat="120363000000000009@g.us"), "not a group"),
    ]
    async with engine(fake, api_key="k") as (provider, to):
        for wanted, why in refused:
            with pytest.raises(SendRefusedError, match=why):
                await provider.answers[type(wanted)](wanted, to)
    assert fake.phone.groups[GROUP].subject == "Theirs"
