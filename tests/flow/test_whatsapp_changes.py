"""What becomes of messages later: votes, edits, and receipts that settle what was in doubt; against the fake server."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import trio
from msgspec import structs

from tests.whatsapp_gateway import whole
from tests.whatsapp_site import ANA, BOB, OURS, connected, engine_pid, of_kind, send, site
from wagate.errors import OutcomeUnknownError, SendRefusedError
from wagate.hooks import Edit, OutPoll
from wagate.testing.whatsapp.protobuf import unpack


async def test_a_receipt_settles_a_send_whose_answer_was_lost(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        server, pid, ours = here.fake.server, engine_pid(), "0190aaaa-0000-7000-8000-000000000001"
        server.silent = 1

        async def send_without_an_answer() -> None:
            with pytest.raises(OutcomeUnknownError, match="engine ended"):
                await send(here, text="nobody knows", id_=ours)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_without_an_answer)
            await server.until(lambda: bool(server.messages))
            os.kill(pid, signal.SIGKILL)
        inlet.states.clear()
        await connected(inlet)
        await server.until(lambda: server.connected(OURS))
        await here.world.receipt(ANA, server.messages[0].id)
        await inlet.until(lambda: bool(of_kind(inlet, "message.ack")))
        [ack] = of_kind(inlet, "message.ack")
        assert (ack.reference, ack.extra["status"]) == (ours, "delivered")
        assert ack.message_id == f"true_{ANA}@c.us_{server.messages[0].id}"


async def test_what_whatsapp_does_not_confirm_is_in_doubt_and_its_connection_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wagate_whatsapp.send.CONFIRMED", 1.5)
    monkeypatch.setattr("wagate_whatsapp.reach.SILENCE", 1.5)
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        server, ours = here.fake.server, "0190aaaa-0000-7000-8000-000000000002"
        await send(here, text="confirmed")
        logins, server.silent, server.receipts = server.logins, 1, 0
        inlet.states.clear()
        with pytest.raises(OutcomeUnknownError, match="did not confirm it in time"):
            await send(here, text="nobody knows", id_=ours)
        await inlet.until(lambda: any("did not confirm" in each.message for each in inlet.states))
        await connected(inlet)
        assert server.logins == logins + 1
        await send(here, text="goes out again")
        [arrived] = [each for each in server.messages if each.text == "nobody knows"]
        await here.world.receipt(ANA, arrived.id)
        await inlet.until(lambda: any(each.reference == ours for each in of_kind(inlet, "message.ack")))
        assert server.errors == []


async def test_polls_go_both_ways_and_their_votes_are_opened(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        world, server = here.world, here.fake.server
        sent = await send(here, "poll", poll=OutPoll(name="Lunch?", options=("yes", "no")))
        await server.until(lambda: len(server.messages) == 1)
        [asked] = server.messages
        poll = unpack(asked.fields[64][0])
        assert (poll[2], [unpack(each)[1] for each in poll[3]], poll[4]) == ([b"Lunch?"], [[b"yes"], [b"no"]], [1])
        secret = unpack(asked.fields[35][0])[3][0]
        await world.vote(ANA, asked.id, secret, "no")
        theirs = os.urandom(32)
        about = await world.poll(ANA, "Tea?", "green", "black", secret=theirs)
        await world.vote(ANA, about, theirs, "black", ours=False)
        await world.vote(ANA, about, theirs, ours=False)
        await world.vote(ANA, about, os.urandom(32), "green", ours=False)
        await inlet.until(lambda: len([each for each in inlet.events if each.type == "poll_vote"]) == 4)
        votes = [each for each in inlet.events if each.type == "poll_vote"]
        assert [each.content for each in votes] == ["no", "black", "", ""]
        assert [each.extra["vote"].get("failed") for each in votes] == [None, None, None, True]
        assert (votes[0].kind, votes[0].reply_to, votes[0].sender) == ("message", sent.message_id, f"{ANA}@c.us")
        assert votes[1].extra["vote"] == {"selected": ["black"], "poll": f"false_{ANA}@c.us_{about}"}
        assert server.errors == []


async def test_the_past_goes_to_the_archive_as_far_back_as_is_wanted(tmp_path: Path) -> None:
    async with site(tmp_path, history="7d") as here, here.listening() as inlet:
        await here.link(inlet)
        now, day = here.clock.time(), 86_400
        await here.world.history(
            [
                (ANA, "long ago", False, now - 30 * day),
                (ANA, "last week", False, now - 6 * day),
                (ANA, "our answer", True, now - 5 * day),
                (BOB, "yesterday", False, now - day),
            ]
        )
        await inlet.until(lambda: len(inlet.archived) == 3)
        assert [(each.chat, each.content, each.from_me) for each in inlet.archived] == [
            (f"{ANA}@c.us", "last week", False),
            (f"{ANA}@c.us", "our answer", True),
            (f"{BOB}@c.us", "yesterday", False),
        ]
        assert [round((now - each.timestamp.timestamp()) / day) for each in inlet.archived if each.timestamp] == [
            6,
            5,
            1,
        ]
        assert inlet.archived[0].message_id.startswith(f"false_{ANA}@c.us_3EB0")
        assert inlet.texts == []
        assert here.fake.server.errors == []


async def test_a_sent_text_is_edited_and_the_change_is_told(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        sent, server = await send(here, text="helo"), here.fake.server
        assert here.provider.edit is not None
        edit = Edit(message_id=sent.message_id, chat=f"{ANA}@c.us", type="text", text="hello")
        await here.provider.edit(edit, here.account)
        await server.until(lambda: len(server.messages) == 2)
        protocol = unpack(unpack(unpack(server.messages[1].fields[58][0])[1][0])[12][0])
        assert (protocol[2], unpack(protocol[14][0])[1], server.messages[1].edit) == ([14], [b"hello"], "1")
        [told_of] = of_kind(inlet, "message.edited")
        assert (told_of.message_id, told_of.content, told_of.from_me) == (sent.message_id, "hello", True)
        with pytest.raises(SendRefusedError, match="captions"):
            await here.provider.edit(structs.replace(edit, type="image"), here.account)


async def test_nobody_changes_in_the_conversation_what_we_wrote() -> None:
    async with whole() as here:
        await here.link()
        await here.world.text(ANA, "lend me some")
        await here.sink.until(lambda _: here.texts == ["lend me some"])
        await here.send("I owe you 10")
        await here.fake.server.until(lambda: len(here.fake.server.messages) == 1)
        ident = here.fake.server.messages[0].id
        for mine in (False, True):
            key = {1: f"{OURS}@s.whatsapp.net", 2: mine, 3: ident}
            edited = {12: {1: key, 2: 14, 14: {1: "I owe you 1000"}, 15: 1}}
            await here.world.message(ANA, edited, attrs={"edit": "1"})
            await here.world.message(ANA, {12: {1: key, 2: 0}}, attrs={"edit": "7"})
        await here.world.text(ANA, "see?")
        await here.sink.until(lambda _: here.texts[-1] == "see?")
        answer = await here.server.http.get(f"/api/conversations/{ANA}@c.us/messages")
        [ours] = [each for each in answer.json()["data"] if each["direction"] == "outbound"]
        assert (ours["content"], ours["edited_at"], ours["revoked_at"]) == ("I owe you 10", None, None)
