"""What a number of our own is asked beyond sending, against the fake server: groups, people, channels."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
import trio
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tests.waha_operations import JPEG
from tests.whatsapp_site import ANA, BOB, OURS, Site, of_kind, site
from wagate.errors import NotSentError, SendRefusedError
from wagate.hooks import OutFile
from wagate.hooks import asks as wanted
from wagate.hooks.answers import ChannelMessage
from wagate.hooks.asks import Ask
from wagate.testing.whatsapp import Arrived
from wagate.testing.whatsapp.profiles import Post
from wagate.testing.whatsapp.protobuf import pack, unpack
from wagate.testing.whatsapp.shared import PUSH_NAME

OURSELVES, ANAS, BOBS = f"{OURS}@c.us", f"{ANA}@c.us", f"{BOB}@c.us"
NOBODY = "5511900000000@c.us"
CONTEXT, BUTTON, PIN, EVENT = 35, 43, 63, 75
"""Fields of WhatsApp's ``Message``."""


async def ask(here: Site, what: Ask) -> Any:
    found = await here.provider.answers[type(what)](what, here.account)
    if what.answer is None:
        assert found is None
    return found


async def test_groups_are_made_changed_and_left(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        assert await ask(here, wanted.ListGroups()) == ()
        made = await ask(here, wanted.CreateGroup(subject="Team", members=(ANAS, NOBODY)))
        server = here.fake.server
        group = server.groups[made.chat.removesuffix("@g.us")]
        assert group.members == (OURS, ANA)
        assert (made.subject, made.owner) == ("Team", OURSELVES)
        assert [(each.chat, each.role) for each in made.members] == [(OURSELVES, "owner"), (ANAS, "member")]
        assert made.members[1].lid == f"{server.person(ANA).lid}@lid"
        assert abs(made.created_at - group.created) < 200  # the library tells it as a float of 32 bits

        failed = await ask(here, wanted.ChangeMembers(chat=made.chat, change="add", members=(BOBS, ANAS, NOBODY)))
        assert failed == {ANAS: 409, NOBODY: 404}
        assert await ask(here, wanted.ChangeMembers(chat=made.chat, change="promote", members=(BOBS,))) == {}
        change = wanted.ChangeGroup(
            chat=made.chat, subject="Crew", description="Who sails", only_admins_write=True, only_admins_edit=True
        )
        await ask(here, change)
        seen = await ask(here, wanted.ReadGroup(chat=made.chat))
        assert (seen.subject, seen.description, seen.only_admins_write, seen.only_admins_edit) == (
            *("Crew", "Who sails"),
            *(True, True),
        )
        assert {each.chat: each.role for each in seen.members} == {OURSELVES: "owner", ANAS: "member", BOBS: "admin"}
        await ask(here, wanted.ChangeGroup(chat=made.chat, description="", only_admins_write=False))
        assert (group.description, group.announcement, group.locked) == ("", False, True)
        assert await ask(here, wanted.ListGroups()) == (await ask(here, wanted.ReadGroup(chat=made.chat)),)

        code = await ask(here, wanted.InviteCode(chat=made.chat))
        assert code == group.invite
        assert await ask(here, wanted.InviteCode(chat=made.chat, renew=True)) == group.invite != code
        picture = tmp_path / "a.jpg"
        picture.write_bytes(base64.b64decode(JPEG))
        file = OutFile(mimetype="image/jpeg", filename="a.jpg", size=picture.stat().st_size, path=picture)
        await ask(here, wanted.SetPicture(chat=made.chat, file=file))
        assert group.picture == picture.read_bytes()

        await ask(here, wanted.LeaveGroup(chat=made.chat))
        assert OURS not in group.members
        with pytest.raises(SendRefusedError, match="not participating"):
            await ask(here, wanted.ReadGroup(chat=made.chat))
        with pytest.raises(SendRefusedError, match="is not valid"):
            await ask(here, wanted.ReadInvite(code=code))
        assert (await ask(here, wanted.ReadInvite(code=group.invite))).subject == "Crew"
        assert await ask(here, wanted.JoinGroup(code=group.invite)) == made.chat
        assert OURS in group.members
        with pytest.raises(SendRefusedError, match="403"):
            await ask(here, wanted.ChangeMembers(chat=made.chat, change="remove", members=(ANAS,)))


async def test_people_the_number_itself_and_channels_are_asked_of_whatsapp(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        server, profiles = here.fake.server, here.fake.server.profiles
        assert await ask(here, wanted.FindNumber(phone=ANA)) == ANAS
        assert await ask(here, wanted.FindNumber(phone="5511900000000")) == ""
        assert await ask(here, wanted.FindLid(chat=BOBS)) == f"{server.person(BOB).lid}@lid"
        profiles.abouts[ANA] = "At sea"
        assert await ask(here, wanted.ReadAbout(chat=ANAS)) == "At sea"
        assert await ask(here, wanted.ReadAbout(chat=BOBS)) == ""
        await ask(here, wanted.BlockPerson(chat=ANAS, on=True))
        assert profiles.blocked == {ANA}
        await ask(here, wanted.BlockPerson(chat=ANAS, on=False))
        assert profiles.blocked == set()
        await ask(here, wanted.SetOwnAbout(text="Open"))
        assert profiles.abouts[OURS] == "Open"
        await ask(here, wanted.RejectCall(chat=ANAS, call_id="call-1"))
        await server.until(lambda: server.rejected == ["call-1"])

        mine = profiles.channel("News", owner=ANA)
        assert await ask(here, wanted.ListChannels()) == ()
        await ask(here, wanted.MarkChannel(chat=mine.id, mark="follow"))
        (seen,) = await ask(here, wanted.ListChannels())
        assert (seen.chat, seen.name, seen.role, seen.subscribers) == (mine.id, "News", "subscriber", 1)
        await ask(here, wanted.MarkChannel(chat=mine.id, mark="mute"))
        assert mine.muted_by == {OURS}
        await ask(here, wanted.MarkChannel(chat=mine.id, mark="unmute"))
        assert (await ask(here, wanted.ReadChannel(chat=mine.id))) == seen
        assert (await ask(here, wanted.ReadChannel(chat=mine.invite))).role == "guest"
        assert await ask(here, wanted.ReadChannelMessages(chat=mine.id, limit=10)) == ()
        photo = {3: {2: "image/jpeg", 3: "At sea"}}
        mine.posts += [Post(pack({1: "One"})), Post(pack({1: "Two"}), 7, {"👍": 3}), Post(pack(photo)), Post(pack({}))]
        seen_there = await ask(here, wanted.ReadChannelMessages(chat=mine.invite, limit=3))
        two = ChannelMessage(id="101", type="text", text="Two", views=7, reactions={"👍": 3})
        assert seen_there == (two, ChannelMessage(id="102", type="image", text="At sea", has_media=True))
        await ask(here, wanted.MarkChannel(chat=mine.id, mark="unfollow"))
        assert mine.followers == mine.muted_by == set()
        with pytest.raises(SendRefusedError, match="this channel does not exist"):
            await ask(here, wanted.ReadChannel(chat="120363990099@newsletter"))
        with pytest.raises(SendRefusedError, match="this channel does not exist"):
            await ask(here, wanted.ReadChannelMessages(chat="120363990099@newsletter", limit=1))
        assert server.errors == []


async def test_presence_and_our_name_need_what_the_phone_shares(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        server = here.fake.server
        with pytest.raises(NotSentError, match="not shared"):
            await ask(here, wanted.SetOnline(on=True))
        with pytest.raises(NotSentError, match="keys"):
            await ask(here, wanted.SetOwnName(name="New"))
        await here.world.share("Our shop")
        with trio.fail_after(60):
            while not server.shown:
                await trio.sleep(0.05)
                with contextlib.suppress(NotSentError):
                    await ask(here, wanted.SetOnline(on=True))
        await server.until(lambda: server.shown == "available")
        await ask(here, wanted.SetOnline(on=False))
        await server.until(lambda: server.shown == "unavailable")
        await ask(here, wanted.WatchPresence(chat=ANAS))
        await inlet.until(lambda: bool(of_kind(inlet, "presence.update")))
        (seen,) = of_kind(inlet, "presence.update")
        assert (seen.chat, seen.extra["presences"]) == (
            ANAS,
            [{"participant": ANAS, "lastKnownPresence": "offline", "lastSeen": 1_700_000_000}],
        )
        await ask(here, wanted.SetOwnName(name="New name"))
        assert server.shared(OURS).told["setting_pushName",][PUSH_NAME] == [b"\n\x08New name"]
        assert server.errors == []


async def test_polls_invitations_buttons_pins_and_stories_go_out(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        server, secret = here.fake.server, os.urandom(32)
        poll = await here.world.poll(ANA, "When?", "Now", "Later", secret=secret)
        await inlet.until(lambda: bool(of_kind(inlet, "message")))
        (asked,) = of_kind(inlet, "message")
        await ask(here, wanted.VotePoll(chat=ANAS, message_id=asked.message_id, options=("Later",)))
        await server.until(lambda: len(server.messages) == 1)
        assert vote_of(here, server.messages[0], poll, secret) == [hashlib.sha256(b"Later").digest()]
        with pytest.raises(SendRefusedError, match="unknown here"):
            await ask(here, wanted.VotePoll(chat=ANAS, message_id=f"false_{ANAS}_3EB0FF", options=("Later",)))

        invited = wanted.PostEvent(
            chat=ANAS, name="Party", start=1_900_000_000, place="Here", reply_to=asked.message_id
        )
        ident = await ask(here, invited)
        assert ident.startswith(f"true_{ANAS}_")
        await ask(here, wanted.PressButton(chat=ANAS, button_id="b1", text="Yes", reply_to=asked.message_id))
        await ask(here, wanted.PinMessage(chat=ANAS, message_id=asked.message_id, seconds=86400))
        await ask(here, wanted.PinMessage(chat=ANAS, message_id=asked.message_id, seconds=0))
        await server.until(lambda: len(server.messages) == 5)
        event, pressed, pinned, unpinned = (each.fields for each in server.messages[1:])
        assert unpack(event[EVENT][0])[3] == [b"Party"]
        assert len(unpack(event[CONTEXT][0])[3][0]) == 32
        assert unpack(pressed[BUTTON][0])[1] == [b"b1"]
        assert (unpack(pinned[PIN][0])[2], unpack(unpinned[PIN][0])[2]) == ([1], [2])
        assert unpack(pinned[CONTEXT][0])[5] == [86400]
        assert unpack(unpack(pinned[PIN][0])[1][0])[3] == [poll.encode()]

        await here.world.share(contacts=(ANA,))
        # Who is in the address book comes some time after the scan; until then a story reaches nobody but us.
        with trio.fail_after(60):
            while len(server.messages) == 5:
                story = await ask(here, wanted.PostStory(type="text", text="Open", background="#38b42f"))
        shown = unpack(server.messages[5].fields[6][0])
        assert (server.messages[5].to, shown[1], shown[8]) == (ANA, [b"Open"], [b"\x2f\xb4\x38\xff"])
        await ask(here, wanted.DeleteStory(message_id=story))
        await server.until(lambda: len(server.messages) == 7)
        assert server.messages[6].edit == "7"
        with pytest.raises(SendRefusedError, match="on the phone"):
            await ask(here, wanted.PostStory(type="text", text="Open", to=(ANAS,)))
        assert await ask(here, wanted.ListLabels()) == ()
        assert server.errors == []


def vote_of(here: Site, arrived: Arrived, poll: str, secret: bytes) -> list[bytes]:
    """What a vote of ours in a poll of Ana's chooses."""
    box = unpack(unpack(arrived.fields[50][0])[2][0])
    writer, voter = (f"{here.fake.server.person(each).lid}@lid" for each in (ANA, OURS))
    key = HKDF(hashes.SHA256(), 32, None, f"{poll}{writer}{voter}Poll Vote".encode()).derive(secret)
    return unpack(AESGCM(key).decrypt(box[2][0], box[1][0], f"{poll}\0{voter}".encode()))[1]
