"""WAHA's webhooks as events: every engine's way of saying the same."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.effort import examples
from tests.waha_site import account, posted
from wagate.errors import BadRequestError
from wagate.events import NewEvent
from wagate_waha.parse import parse

ME = {"id": "15550000001@c.us", "lid": "777@lid", "jid": "15550000001:3@s.whatsapp.net"}
THEM, GROUP = "19990000000@c.us", "12036300000000@g.us"


def event(name: str, payload: Any, **envelope: Any) -> NewEvent:
    document = {"event": name, "session": "default", "me": ME, "payload": payload} | envelope
    [found] = parse(posted(document), account())
    return found


def text(**fields: Any) -> dict[str, Any]:
    return {"id": f"false_{THEM}_AA", "timestamp": 1700000000, "from": THEM, "fromMe": False, "body": "hi"} | fields


def test_a_text_says_who_wrote_what_to_whom_and_when() -> None:
    found = event("message", text(source="app", _data={"Info": {"PushName": "Ana"}}))
    assert (found.kind, found.dedupe_kind, found.type, found.content) == ("message", "message", "text", "hi")
    assert (found.chat, found.sender, found.recipient) == (THEM, THEM, "15550000001@c.us")
    assert (found.provider_id, found.message_id, found.contact_name) == (f"false_{THEM}_AA",) * 2 + ("Ana",)
    assert found.timestamp == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    data = {"Info": {"PushName": "Ana"}}
    assert (found.number, found.extra, found.from_me) == ("default", {"source": "app", "_data": data}, False)


@pytest.mark.parametrize("name", ["message", "message.any"])
def test_an_own_message_is_message_any_in_its_chat_on_every_engine(name: str) -> None:
    own = {"id": f"true_{THEM}_BB", "fromMe": True, "body": "hello", "timestamp": 1700000000}
    gows = event(name, own | {"from": THEM, "to": None})
    webjs = event(name, own | {"from": ME["id"], "to": THEM})
    for found in (gows, webjs):
        assert (found.kind, found.dedupe_kind, found.from_me) == ("message.any", "message", True)
        assert (found.chat, found.sender, found.recipient) == (THEM, ME["id"], THEM)
        assert found.provider_id == f"true_{THEM}_BB"


def test_in_a_group_the_sender_is_the_participant() -> None:
    found = event("message", text(id=f"false_{GROUP}_AA_{THEM}", participant=THEM, to=THEM, **{"from": GROUP}))
    assert (found.chat, found.sender, found.recipient) == (GROUP, THEM, ME["id"])
    bare = event("message", text(id=f"false_{GROUP}_AA_{THEM}", **{"from": GROUP}))
    assert bare.sender == THEM


@pytest.mark.parametrize(
    "data",
    [
        {"Info": {"Sender": "4444@lid", "SenderAlt": "19990000000@s.whatsapp.net"}},
        {"key": {"remoteJid": "4444@lid", "remoteJidAlt": "19990000000@s.whatsapp.net"}},
        {"key": {"remoteJid": "4444@lid", "senderPn": "19990000000@s.whatsapp.net"}},
    ],
)
def test_a_person_known_by_lid_and_phone_is_the_phone_and_the_lid_is_an_alias(data: dict[str, Any]) -> None:
    found = event("message", text(id="false_4444@lid_AA", _data=data, **{"from": "4444@lid"}))
    assert (found.chat, found.sender, found.aliases) == (THEM, THEM, ("4444@lid",))
    assert found.message_id == "false_4444@lid_AA"


def test_a_phone_with_its_lid_told_has_the_lid_as_alias_also_in_a_group() -> None:
    direct = event("message", text(_data={"Info": {"SenderAlt": "4444@lid"}}))
    assert (direct.chat, direct.aliases) == (THEM, ("4444@lid",))
    data = {"key": {"participant": "4444@lid", "participantAlt": "19990000000@s.whatsapp.net"}}
    many = event("message", text(id=f"false_{GROUP}_AA_4444@lid", participant="4444@lid", _data=data))
    assert (many.chat, many.sender, many.aliases) == (GROUP, THEM, ("4444@lid",))


def test_a_lid_without_a_phone_stays_a_lid() -> None:
    found = event("message", text(id="false_4444@lid_AA", **{"from": "4444@lid"}))
    assert (found.chat, found.sender, found.aliases) == ("4444@lid", "4444@lid", ())


def test_an_echo_of_ours_has_the_id_that_the_send_was_answered_with() -> None:
    lid_in_group = event("message.any", text(id=f"true_{GROUP}_BB_777@lid", fromMe=True, **{"from": GROUP}))
    assert lid_in_group.message_id == f"true_{GROUP}_BB_15550000001@c.us"
    data = {"Info": {"RecipientAlt": "19990000000@s.whatsapp.net"}}
    lid_chat = event("message.any", text(id="true_4444@lid_BB", fromMe=True, _data=data, **{"from": "4444@lid"}))
    assert (lid_chat.message_id, lid_chat.chat) == (f"true_{THEM}_BB", THEM)
    assert lid_chat.aliases == ("777@lid",)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"hasMedia": True, "media": {"mimetype": "image/jpeg", "url": "http://x/api/files/a.jpg"}}, "image"),
        ({"media": {"mimetype": "video/mp4", "url": None}}, "video"),
        ({"hasMedia": True, "media": {"mimetype": "audio/ogg; codecs=opus"}}, "voice"),
        ({"hasMedia": True, "media": {"mimetype": "audio/mpeg"}}, "audio"),
        ({"hasMedia": True, "media": {"mimetype": "image/webp"}}, "sticker"),
        ({"hasMedia": True, "media": {"mimetype": "application/pdf", "filename": "a.pdf"}}, "document"),
        ({"hasMedia": True}, "document"),
        ({"_data": {"Message": {"audioMessage": {"PTT": True, "mimetype": "audio/mp4"}}}}, "voice"),
        ({"_data": {"message": {"ephemeralMessage": {"message": {"imageMessage": {}}}}}}, "image"),
        ({"hasMedia": True, "_data": {"type": "ptt"}}, "voice"),
        ({"location": {"latitude": "52.5", "longitude": 13.4, "description": "Home"}}, "location"),
        ({"vCards": ["BEGIN:VCARD\nEND:VCARD"]}, "contacts"),
        ({"_data": {"Message": {"pollCreationMessageV3": {"name": "?"}}}}, "poll"),
        ({"vCards": [], "location": None, "media": None}, "text"),
    ],
)
def test_the_type_is_told_by_the_engines_data_or_the_file(fields: dict[str, Any], kind: str) -> None:
    found = event("message", text(**fields))
    assert found.type == kind
    assert (found.media is not None) == (kind in {"image", "video", "audio", "voice", "sticker", "document"})


def test_a_file_that_waha_did_not_download_can_be_asked_for_again() -> None:
    proto = {
        "Message": {
            "documentWithCaptionMessage": {
                "message": {
                    "documentMessage": {"mimetype": "application/pdf", "fileName": "bill.pdf", "fileLength": "1234"}
                }
            }
        }
    }
    found = event("message", text(hasMedia=True, media={"url": None, "error": {"code": 9}}, _data=proto))
    assert found.media is not None
    assert (found.media.mimetype, found.media.filename, found.media.size) == ("application/pdf", "bill.pdf", 1234)
    assert (found.media.url, found.media.provider_id, found.media.caption) == (None, f"false_{THEM}_AA", "hi")
    assert found.extra["media_error"] == {"code": 9}


def test_a_place_and_cards_are_kept_without_their_thumbnail_as_text() -> None:
    place = event("message", text(location={"latitude": "52.5", "longitude": 13.4, "description": "Home"}))
    assert (place.content, place.extra["location"]) == ("", {"latitude": 52.5, "longitude": 13.4, "name": "Home"})
    moving = {"liveLocationMessage": {"degreesLatitude": 1, "degreesLongitude": 2, "caption": "On my way"}}
    live = event("message", text(body=None, _data={"Message": moving}))
    assert (live.type, live.content) == ("location", "On my way")
    card = "BEGIN:VCARD\nFN:Ana\nTEL;waid=1999:+1 999\nEND:VCARD"
    extra = event("message", text(vCards=[card])).extra
    assert extra["vcards"] == [card]
    [contact] = extra["contacts"]
    assert (contact["name"]["formatted_name"], contact["phones"]) == ("Ana", [{"phone": "+1 999", "wa_id": "1999"}])


@pytest.mark.parametrize(
    ("quoted", "expected"),
    [
        ({"id": "QQ", "participant": THEM}, f"false_{THEM}_QQ"),
        ({"id": "QQ", "participant": ME["id"]}, f"true_{THEM}_QQ"),
        ({"id": "QQ", "participant": ME["lid"]}, f"true_{THEM}_QQ"),
        ({"id": "QQ"}, "QQ"),
        ({"id": f"true_{THEM}_QQ", "participant": THEM}, f"true_{THEM}_QQ"),
        (None, None),
    ],
)
def test_an_answer_names_the_whole_id_of_what_it_answers(quoted: Any, expected: str | None) -> None:
    assert event("message", text(replyTo=quoted)).reply_to == expected


def test_in_a_group_the_quoted_id_names_its_writer() -> None:
    payload = text(id=f"false_{GROUP}_AA_{THEM}", replyTo={"id": "QQ", "participant": THEM}, participant=THEM)
    assert event("message", payload).reply_to == f"false_{GROUP}_QQ_{THEM}"


@pytest.mark.parametrize(
    ("ack", "status"), [(-1, "failed"), (0, "pending"), (1, "sent"), (2, "delivered"), (3, "read"), (4, "played")]
)
def test_acks_say_how_far_a_message_got(ack: int, status: str) -> None:
    found = event(
        "message.ack", {"id": f"true_{THEM}_BB", "from": THEM, "fromMe": True, "ack": ack}, timestamp=1700000000000
    )
    assert (found.kind, found.message_id, found.variant) == ("message.ack", f"true_{THEM}_BB", str(ack))
    assert (found.extra["status"], found.extra["ack"], found.chat) == (status, ack, THEM)
    assert found.timestamp == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


@pytest.mark.parametrize("name", ["message.ack", "message.ack.group"])
def test_group_acks_are_told_apart_by_who_read(name: str) -> None:
    def ack(participant: str) -> NewEvent:
        payload = {"id": f"true_{GROUP}_BB_{ME['id']}", "from": GROUP, "participant": participant, "ack": 3}
        return event(name, payload)

    assert ack(THEM).kind == "message.ack"
    assert ack(THEM).variant != ack("18880000000@c.us").variant
    assert ack(THEM).extra["participant"] == THEM


def test_an_ack_that_says_nothing_is_kept_as_unknown() -> None:
    assert event("message.ack", {"id": f"true_{THEM}_BB", "ack": None}).kind == "unknown"


@pytest.mark.parametrize(
    "side", [{"from": THEM, "to": None}, {"from": ME["id"], "to": THEM}, {"from": THEM, "to": THEM}]
)
def test_a_reaction_is_about_another_message_wherever_the_chat_stands(side: dict[str, Any]) -> None:
    reaction = {"text": "🙏", "messageId": f"true_{THEM}_BB"}
    payload = {"id": f"false_{THEM}_RR", "timestamp": 1710481111.853, "fromMe": False, "reaction": reaction} | side
    found = event("message.reaction", payload)
    assert (found.chat, found.sender, found.content, found.message_id) == (THEM, THEM, "🙏", f"true_{THEM}_BB")
    assert found.extra["reaction"] == reaction
    no_id = event("message.reaction", {**payload, "id": None, "from": "18880000000@c.us", "to": ME["id"]})
    assert (no_id.chat, no_id.provider_id) == ("18880000000@c.us", f"true_{THEM}_BB/18880000000@c.us")


def test_a_reaction_taken_back_and_given_again_are_three() -> None:
    def variant(emoji: str, moment: int) -> str:
        reaction = {"text": emoji, "messageId": f"true_{THEM}_BB"}
        return event("message.reaction", {"id": f"false_{THEM}_RR", "timestamp": moment, "reaction": reaction}).variant

    assert len({variant("👍", 1700000001), variant("", 1700000002), variant("👍", 1700000003)}) == 3


def test_an_edit_is_about_the_message_and_has_its_own_id() -> None:
    found = event("message.edited", text(id=f"false_{THEM}_EE", editedMessageId="AA", body="new"))
    assert (found.provider_id, found.message_id) == (f"false_{THEM}_EE", f"false_{THEM}_AA")
    assert (found.kind, found.content, found.extra) == ("message.edited", "new", {"editedMessageId": "AA"})
    assert found.media is None


def test_an_edit_that_brings_its_file_has_it_by_the_edited_messages_id() -> None:
    file = {"url": "http://localhost:3000/api/files/a.jpg", "mimetype": "image/jpeg", "filename": None}
    found = event("message.edited", text(id=f"false_{THEM}_EE", editedMessageId="AA", hasMedia=True, media=file))
    assert found.media is not None
    assert (found.type, found.media.url, found.media.provider_id) == ("image", file["url"], f"false_{THEM}_AA")


@pytest.mark.parametrize(
    "payload",
    [
        {"after": text(id=f"false_{THEM}_RR"), "before": None, "revokedMessageId": "AA"},
        {"after": text(id=f"false_{THEM}_RR"), "before": text()},
        {"after": None, "before": text()},
        {"after": text(), "before": None},
    ],
)
def test_a_revoke_is_about_the_message_in_each_of_its_forms(payload: dict[str, Any]) -> None:
    found = event("message.revoked", payload)
    assert (found.kind, found.message_id, found.provider_id) == ("message.revoked", *[f"false_{THEM}_AA"] * 2)
    assert (found.chat, found.extra["revokedMessageId"]) == (THEM, "AA")


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("STOPPED", "session_not_connected"),
        ("STARTING", "connecting"),
        ("SCAN_QR_CODE", "qr_generated"),
        ("PASSKEY_REQUIRED", "connecting"),
        ("PASSKEY_CONFIRMATION_REQUIRED", "connecting"),
        ("WORKING", "session_connected"),
        ("FAILED", "error"),
    ],
)
def test_a_session_status_changes_the_accounts_state(word: str, status: str) -> None:
    found = event("session.status", {"name": "default", "status": word, "statuses": []}, id="evt_1")
    assert found.session is not None
    assert (found.kind, found.session.status, found.extra["status"]) == ("session.status", status, status)
    assert (found.extra["name"], found.extra["state"], found.session.qr) == ("main", word, None)


def test_a_status_of_tomorrow_changes_nothing() -> None:
    found = event("session.status", {"status": "DANCING"})
    assert (found.kind, found.session, found.extra["state"]) == ("session.status", None, "DANCING")


@pytest.mark.parametrize("name", ["call.received", "call.accepted", "call.rejected"])
def test_calls_keep_their_names(name: str) -> None:
    found = event(name, {"id": "C1", "from": THEM, "timestamp": 1700000000, "isVideo": True, "isGroup": False})
    assert (found.kind, found.chat, found.provider_id) == (name, THEM, "C1")
    assert found.extra["call"] == {"id": "C1", "from": THEM, "isVideo": True, "isGroup": False}


def test_groups_and_presence_keep_what_they_tell() -> None:
    payload = {"type": "join", "group": {"id": GROUP, "subject": "Us"}, "participants": [{"id": THEM}, 7]}
    joined = event("group.v2.participants", payload, id="evt_1")
    assert (joined.kind, joined.chat, joined.provider_id) == ("group.v2.participants", GROUP, "evt_1")
    assert (joined.extra["type"], joined.extra["participants"]) == ("join", [THEM])
    present = event("presence.update", {"id": THEM, "presences": [{"lastKnownPresence": "typing"}]})
    assert (present.kind, present.extra["presences"]) == ("presence.update", [{"lastKnownPresence": "typing"}])


@pytest.mark.parametrize(
    ("name", "payload", "chat"),
    [
        ("message.waiting", text(), THEM),
        ("label.chat.added", {"labelId": "6", "chatId": THEM}, THEM),
        ("chat.archive", {"id": THEM, "archived": True}, THEM),
        ("label.upsert", {"id": "10", "name": "L"}, ""),
        ("engine.event", {"event": "messages.upsert", "data": {}}, ""),
        ("tomorrow", "text", ""),
    ],
)
def test_all_else_is_kept_as_unknown_in_its_chat(name: str, payload: Any, chat: str) -> None:
    found = event(name, payload, id="evt_9")
    assert (found.kind, found.chat, found.extra["event"], found.provider_id) == ("unknown", chat, name, "evt_9")


def test_envelopes_of_2024_have_neither_id_nor_time() -> None:
    document = {"event": "message", "session": "default", "me": None, "payload": text(), "engine": "WEBJS"}
    [found] = parse(posted(document), account())
    assert (found.kind, found.recipient) == ("message", "15550000001@c.us")


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"{", b"{}", b'{"event": ""}', b'{"event": 3}'])
def test_what_is_no_envelope_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequestError):
        parse(posted(body), account())


INSIDE = [
    "Info",
    "key",
    "Message",
    "message",
    "id",
    "mimetype",
    "url",
    "SenderAlt",
    "remoteJidAlt",
    "text",
    "messageId",
]
keys = st.sampled_from([*INSIDE, "imageMessage", "audioMessage", "viewOnceMessage", "latitude", "lid", "participant"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(keys | st.text(), children, max_size=4),
    max_leaves=12,
)
FIELDS = ["id", "from", "to", "fromMe", "body", "media", "location", "vCards", "replyTo", "_data", "ack", "reaction"]
MORE = ["timestamp", "participant", "editedMessageId", "revokedMessageId", "before", "after", "status", "group", "vote"]
NAMES = ["message", "message.any", "message.ack", "message.reaction", "message.edited", "message.revoked"]
OTHERS = ["session.status", "call.received", "presence.update", "group.v2.join", "poll.vote", "chat.archive", "?"]
payloads = st.dictionaries(st.sampled_from(FIELDS + MORE), json_values | st.dictionaries(keys, json_values))


@examples(3)
@given(name=st.sampled_from(NAMES + OTHERS), payload=payloads | json_values, me=json_values, stamp=json_values)
def test_any_payload_is_one_event_that_can_be_stored(name: str, payload: Any, me: Any, stamp: Any) -> None:
    document = {"event": name, "session": "default", "me": me, "timestamp": stamp, "payload": payload}
    [found] = parse(posted(msgspec.json.encode(document)), account())
    msgspec.json.encode(found.extra)
    assert len(found.provider_id) <= 255
    assert len(found.variant) <= 255


@given(body=st.binary(max_size=60) | json_values.map(msgspec.json.encode))
def test_any_bytes_are_events_or_a_bad_request(body: bytes) -> None:
    with contextlib.suppress(BadRequestError):
        assert len(parse(posted(body), account())) == 1
