"""A number of our own: linked, written to, unlinked, and everything between, against the fake server."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import trio
from msgspec import structs

from tests.whatsapp_site import ANA, BOB, OURS, Site, connected, engine_pid, of_kind, send, site
from wagate.errors import AccountStoppedError, NotSentError, OutcomeUnknownError, SendRefusedError
from wagate.events import NewEvent, SessionStatus
from wagate.hooks import (
    OutFile,
    Outgoing,
    OutLocation,
    OutMedia,
    OutMessage,
    OutReaction,
    Signal,
)
from wagate.testing import FakeInlet
from wagate.testing.whatsapp.protobuf import unpack
from wagate_whatsapp.number import settings_of


def told(inlet: FakeInlet) -> tuple[SessionStatus, str]:
    return inlet.states[-1].status, inlet.states[-1].message


async def test_a_number_is_linked_written_to_and_answers(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        assert inlet.phone == OURS
        await here.world.text(ANA, "hello")
        await here.world.text(BOB, "by phone", lid=False)
        await inlet.until(lambda: inlet.texts == ["hello", "by phone"])
        event = inlet.events[0]
        lid = here.fake.server.person(ANA).lid
        assert (event.chat, event.sender, event.aliases) == (f"{ANA}@c.us", f"{ANA}@c.us", (f"{lid}@lid",))
        assert event.message_id.startswith(f"false_{ANA}@c.us_3EB0")
        assert event.contact_name == f"Person {ANA[-4:]}"
        sent = await send(here, text="hi Ana")
        await here.fake.server.until(lambda: len(here.fake.server.messages) == 1)
        [arrived] = here.fake.server.messages
        assert (arrived.text, arrived.to) == ("hi Ana", ANA)
        assert "bot" not in arrived.tags  # NEONIZE_BOT_TAG=off was there when the process began
        assert sent.message_id == f"true_{ANA}@c.us_{arrived.id}"
        acks = of_kind(inlet, "message.ack")
        await inlet.until(lambda: len(of_kind(inlet, "message.ack")) == 2)
        acks = of_kind(inlet, "message.ack")
        assert [(each.extra["status"], each.message_id) for each in acks] == [
            ("delivered", sent.message_id),
            ("read", sent.message_id),
        ]
        assert here.provider.check is not None
        [session] = [each for each in await here.provider.check(here.account) if each.what == "session"]
        assert (session.level, session.detail[:24]) == ("ok", "connected; last receipt ")
        assert here.fake.server.errors == []


async def test_what_people_do_comes_in_as_events(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        world = here.world
        theirs = await world.text(ANA, "to be edited")
        await world.edit(ANA, theirs, "edited")
        await world.revoke(ANA, theirs)
        ours = (await send(here, text="a question")).message_id
        bare = ours.rpartition("_")[2]
        await world.react(ANA, bare, "👍")
        await world.reply(ANA, "an answer", bare)
        await world.location(ANA, -23.5, -46.625)
        await world.write_by_thumb(BOB, "by thumb")
        await world.call(ANA, "CALL1")
        await world.hang_up(ANA, "CALL1")
        await world.type(ANA)
        await inlet.until(lambda: bool(of_kind(inlet, "presence.update")))
        whole = f"false_{ANA}@c.us_{theirs}"
        [edit], [revoked] = of_kind(inlet, "message.edited"), of_kind(inlet, "message.revoked")
        assert (edit.message_id, edit.content) == (whole, "edited")
        assert revoked.message_id == whole
        [reaction] = of_kind(inlet, "message.reaction")
        assert (reaction.content, reaction.message_id, reaction.sender) == ("👍", ours, f"{ANA}@c.us")
        answer = next(each for each in inlet.events if each.content == "an answer")
        assert answer.reply_to == ours
        place = next(each for each in inlet.events if each.type == "location")
        assert place.extra["location"] == {"latitude": -23.5, "longitude": -46.625, "name": "Here"}
        own = next(each for each in inlet.events if each.content == "by thumb")
        assert (own.kind, own.from_me, own.chat, own.sender) == ("message.any", True, f"{BOB}@c.us", f"{OURS}@c.us")
        assert [each.extra["call"]["id"] for each in inlet.events if each.type == "call"] == ["CALL1", "CALL1"]
        assert here.fake.server.errors == []


async def test_typing_is_shown_before_a_text_unless_it_is_off(tmp_path: Path) -> None:
    async with site(tmp_path, typing=True) as here, here.listening() as inlet:
        await here.link(inlet)
        server = here.fake.server
        await send(here, text="short")
        await server.until(lambda: len(server.messages) == 1)
        assert (server.typed, server.shown) == ([], "")  # WhatsApp shows it of those alone who are there
        await here.world.share("Our shop")
        with trio.fail_after(60):
            while not server.shown:
                await send(here, text="short")
        assert (server.typed, server.shown) == ([f"{ANA} composing"], "available")
        server.shown, before = "", len(server.messages)
        off = structs.replace(settings_of(here.account), typing=False)
        here.account = structs.replace(here.account, settings=off)
        await send(here, text="short")
        await server.until(lambda: len(server.messages) > before)
        assert (server.typed, server.shown) == ([f"{ANA} composing"], "")
        assert server.errors == []


async def test_every_type_of_message_goes_out(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        theirs = await here.world.text(ANA, "hello")
        await inlet.until(lambda: inlet.texts == ["hello"])
        about = inlet.events[0].message_id
        await send(here, text="an answer", reply_to=about)
        await send(here, "reaction", reaction=OutReaction(message_id=about, emoji="👍"))
        await send(here, "location", location=OutLocation(latitude=1.5, longitude=2.5, name="Here"))
        card = {"name": {"formatted_name": "Ana"}, "phones": [{"phone": "+15550001111"}]}
        await send(here, "contacts", contacts=(card,))
        sent = await send(here, text="to be revoked")
        assert here.provider.revoke is not None
        await here.provider.revoke(sent.message_id, f"{ANA}@c.us", here.account)
        assert here.provider.signal is not None
        chat = f"{ANA}@c.us"
        await here.provider.signal(Signal(kind="seen", chat=chat, message_ids=(about,)), here.account)
        for kind in ("typing", "recording", "paused"):
            await here.provider.signal(Signal(kind=kind, chat=chat), here.account)
        server = here.fake.server
        await server.until(lambda: len(server.messages) == 6 and len(server.typed) == 3 and bool(server.read))
        reply, reaction, place, contact, _, revoked = server.messages
        context = unpack(unpack(reply.fields[6][0])[17][0])
        assert (reply.text, context[1][0]) == ("an answer", theirs.encode())
        assert unpack(reaction.fields[46][0])[2][0].decode() == "👍"
        assert 5 in place.fields
        assert 4 in contact.fields
        key = unpack(unpack(revoked.fields[12][0])[1][0])
        assert (key[3][0].decode(), revoked.edit) == (sent.message_id.rpartition("_")[2], "7")
        assert server.typed == [f"{ANA} composing", f"{ANA} recording", f"{ANA} paused"]
        assert server.read == [theirs]
        with pytest.raises(SendRefusedError, match="not on WhatsApp"):
            await send(here, chat="5511000000000", text="nobody")
        assert server.errors == []


async def test_a_group_is_written_to_and_read(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        group = here.world.group("Friends", ANA, BOB)
        theirs = await here.world.text_in_group(ANA, group, "hello all")
        await here.world.text_in_group(ANA, group, "and again")
        await inlet.until(lambda: inlet.texts == ["hello all", "and again"])
        event = inlet.events[0]
        assert (event.chat, event.sender) == (f"{group}@g.us", f"{ANA}@c.us")
        assert event.message_id == f"false_{group}@g.us_{theirs}_{ANA}@c.us"
        assert here.provider.send is not None
        message = OutMessage(
            chat=f"{group}@g.us", type="text", text="hi @Ana", mentions=(f"{ANA}@c.us",), reply_to=event.message_id
        )
        sent = await here.provider.send(Outgoing(id="0191", message=message, account=here.account))
        server = here.fake.server
        await server.until(lambda: len(server.messages) == 2)
        assert sorted(each.to for each in server.messages) == [ANA, BOB]
        assert {each.text for each in server.messages} == {"hi @Ana"}
        context = unpack(unpack(server.messages[0].fields[6][0])[17][0])
        assert (context[1][0], context[15][0].decode()) == (theirs.encode(), f"{ANA}@s.whatsapp.net")
        assert sent.message_id == f"true_{group}@g.us_{server.messages[0].id}_{OURS}@c.us"
        await inlet.until(lambda: len(of_kind(inlet, "message.ack")) == 4)
        acks = of_kind(inlet, "message.ack")
        assert {each.message_id for each in acks} == {sent.message_id}
        assert {each.extra["participant"] for each in acks} == {f"{ANA}@c.us", f"{BOB}@c.us"}
        assert here.provider.profile is not None
        assert (await here.provider.profile(f"{group}@g.us", here.account)).name == "Friends"
        assert server.errors == []


async def test_after_ten_minutes_without_a_scan_codes_come_on_demand(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await inlet.until(lambda: bool(inlet.states) and inlet.states[-1].qr is not None)
        here.clock.shift(601)
        await inlet.until(lambda: "Nobody scanned" in told(inlet)[1])
        assert here.provider.qr is not None
        assert await here.provider.qr(here.account) == ""
        await inlet.until(lambda: inlet.states[-1].qr is not None)
        assert await here.provider.qr(here.account) == inlet.states[-1].qr


async def test_files_come_and_go_byte_by_byte(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        files = {
            "image": ("image/jpeg", 50_000),
            "audio": ("audio/ogg", 9_000),
            "document": ("application/pdf", 2_000_001),
        }
        for kind, (mimetype, size) in files.items():
            content = os.urandom(size)
            inlet.events.clear()
            await here.world.file(ANA, kind, content, mimetype, caption="look")
            await inlet.until(lambda: bool(inlet.events))
            [event] = inlet.events
            assert (event.type, event.content) == {"audio": ("voice", ""), "document": (kind, "")}.get(
                kind, (kind, "look")
            )
            assert await fetched(here, event) == content
        path = tmp_path / "picture.jpg"
        path.write_bytes(os.urandom(300_001))
        file = OutFile(mimetype="image/jpeg", filename="picture.jpg", path=path, size=300_001)
        await send(here, "image", file=file, media=OutMedia(media_id="1"), text="see")
        await here.fake.server.until(lambda: len(here.fake.server.messages) == 1)
        fields = unpack(here.fake.server.messages[0].fields[3][0])
        assert (fields[3][0], fields[5][0]) == (b"see", 300_001)
        assert len(here.fake.blobs) == 4


async def fetched(here: Site, event: NewEvent) -> bytes:
    got = bytearray()

    async def sink(part: bytes) -> None:
        got.extend(part)

    assert here.provider.fetch_media is not None
    assert event.media is not None
    await here.provider.fetch_media(event.media, here.account, sink)
    return bytes(got)


async def test_faults_are_told_in_plain_words_and_mended(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        server = here.fake.server
        await server.cut(OURS)
        await here.world.text(ANA, "while away")
        await inlet.until(lambda: inlet.texts == ["while away"])
        await connected(inlet)
        server.refuse(reason="503")
        await server.cut(OURS)
        await inlet.until(lambda: inlet.states[-1].status != SessionStatus.SESSION_CONNECTED)
        await connected(inlet)
        for attrs, words in (
            ({"reason": "402", "code": "101", "expire": "3600"}, "blocks this number until"),
            ({"reason": "405"}, "refuses this version"),
        ):
            server.refuse(**attrs)
            await server.cut(OURS)
            await inlet.until(lambda words=words: words in told(inlet)[1])
            assert told(inlet)[0] == SessionStatus.ERROR
            assert here.provider.control is not None
            await here.provider.control("restart", here.account)
            await connected(inlet)
        await server.replace(OURS)
        await inlet.until(lambda: "Replaced" in told(inlet)[1])
        with pytest.raises(AccountStoppedError, match="Replaced"):
            await send(here, text="not now")
        await here.provider.control("start", here.account)
        await connected(inlet)
        await server.log_out(OURS)
        await inlet.until(lambda: "Logged out on the phone" in told(inlet)[1])
        assert told(inlet)[0] == SessionStatus.AUTH_FAILURE
        inlet.states.clear()
        await here.provider.control("start", here.account)
        await here.link(inlet)
        await here.world.text(ANA, "linked anew")
        await inlet.until(lambda: "linked anew" in inlet.texts)


async def test_the_engine_may_die_at_any_moment(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        server, pid = here.fake.server, engine_pid()
        server.swallow = 1

        async def send_into_the_void() -> None:
            with pytest.raises(OutcomeUnknownError, match="engine ended"):
                await send(here, text="nobody knows")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_into_the_void)
            await server.until(lambda: server.swallow == 0)
            os.kill(pid, signal.SIGKILL)
        await here.world.text(ANA, "while it was dead")
        await inlet.until(lambda: inlet.texts == ["while it was dead"])
        await connected(inlet)


async def test_one_number_in_two_accounts_comes_twice_and_the_doctor_says_so(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as first:
        assert here.provider.check is not None
        await here.link(first)
        assert not [each for each in await here.provider.check(here.account) if each.what == "number"]
        here.account = structs.replace(here.account, id="0190-other", name="other")
        async with here.listening() as second:
            await here.link(second)
            [found] = [each for each in await here.provider.check(here.account) if each.what == "number"]
            assert (found.level, found.detail[:12]) == ("warn", "1 more of th")
            assert told(first)[0] == told(second)[0] == SessionStatus.SESSION_CONNECTED


async def test_a_stop_and_a_logout_by_us(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        assert here.provider.control is not None
        assert here.provider.forget is not None
        await here.provider.control("stop", here.account)
        await inlet.until(lambda: told(inlet)[1].startswith("Stopped"))
        await here.fake.server.until(lambda: not here.fake.server.connected(OURS))
        await here.provider.control("start", here.account)
        await connected(inlet)
        await here.provider.forget(here.account)
        assert here.fake.server.devices == {}
        assert not (here.folder / here.account.id).exists()


async def test_who_does_not_hold_the_number_sends_nothing(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        with pytest.raises(NotSentError, match="another gateway has the number"):
            await send(here, text="not from here")
        async with here.listening() as inlet:
            await inlet.until(lambda: bool(inlet.states))
            with pytest.raises(AccountStoppedError, match="not linked"):
                await send(here, text="not yet")


async def test_a_client_can_not_lead_the_engine_inside_by_a_proxy(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        here.account = structs.replace(here.account, trust="public")
        async with here.listening() as inlet:
            await inlet.until(lambda: bool(inlet.states))
            assert told(inlet)[1].startswith("A proxy can be set only in config.toml")
        assert here.fake.server.waiting == {}


async def test_a_number_that_can_not_be_reached_says_so_and_tries_again(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        right = here.account
        here.account = structs.replace(right, settings=structs.replace(right.settings, proxy="http://127.0.0.1:9"))
        async with here.listening() as inlet:
            await inlet.until(lambda: any("can't be reached" in each.message for each in inlet.states))
            assert told(inlet)[0] == SessionStatus.CONNECTING
            tries = len(inlet.states)
            here.clock.shift(30)
            await inlet.until(lambda: len(inlet.states) > tries)


async def test_codes_go_on_when_the_library_has_no_more(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await inlet.until(lambda: any(each.qr for each in inlet.states))
        waiting = here.fake.server.waiting
        first = next(iter(waiting.values()))
        await first.close()
        await inlet.until(lambda: len({each.qr for each in inlet.states if each.qr}) == 2)
        await here.link(inlet)


async def test_why_there_are_no_codes_is_told_and_whatsapp_is_not_dialled_in_a_loop(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        server = here.fake.server
        server.codes_each = 0
        server.refuse(reason="405")
        async with here.listening() as inlet:
            await inlet.until(lambda: any("refuses this version" in each.message for each in inlet.states))
            await server.until(lambda: server.asked_for_codes == 1)  # codes that end before one is shown
            await inlet.until(lambda: told(inlet)[1].startswith("WhatsApp can't be reached"))
            assert server.asked_for_codes == 1  # it waits
            server.codes_each = 6
            with trio.fail_after(60):
                while server.asked_for_codes == 1:
                    here.clock.shift(1)
                    await trio.sleep(0.1)
            await here.link(inlet)


async def test_a_code_can_be_typed_instead_of_a_scan(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        assert here.provider.pair_code is not None
        code = await here.provider.pair_code(OURS, here.account)
        assert len(code.replace("-", "")) == 8
        wrong = code.translate(str.maketrans("123456789", "234567891"))
        if wrong != code:
            await here.fake.server.type_code(wrong, OURS)
            await here.fake.server.until(lambda: here.fake.server.wrong_codes == 1)
            code = await here.provider.pair_code(OURS, here.account)
        await here.fake.server.type_code(code, OURS)
        await connected(inlet)
        assert inlet.phone == OURS
        await here.world.text(ANA, "hello")
        await inlet.until(lambda: inlet.texts == ["hello"])
        assert here.fake.server.errors == []
