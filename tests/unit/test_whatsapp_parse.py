"""Lines of the engine as events: pure, without an engine."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagate.errors import SendRefusedError
from wagate.events import NewEvent
from wagate.plugins.values import held_to
from wagate_whatsapp.content import content_of
from wagate_whatsapp.ids import Key, jid_of, key_of
from wagate_whatsapp.parse import HEARD, parse, read_elsewhere
from wagate_whatsapp.people import Us

US = Us(jid="15550000001:3@s.whatsapp.net", lid="900000000000001:3@lid")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


def line(message: dict[str, Any], **fields: Any) -> dict[str, Any]:
    base = {
        "event": "Message",
        "n": 1,
        "chat": "100000000000007@lid",
        "chat_alt": "15550000007@s.whatsapp.net",
        "sender": "100000000000007@lid",
        "sender_alt": "15550000007@s.whatsapp.net",
        "from_me": False,
        "group": False,
        "id": "3EB0AA",
        "time": 1_795_958_065_000,
        "name": "Ana",
        "message": message,
    }
    return base | fields


def one(told: dict[str, Any]) -> NewEvent:
    [event] = parse(told, US)
    return held_to(NewEvent, event)


PHONES = {"100000000000007@lid": "15550000007@s.whatsapp.net"}


def in_group(message: dict[str, Any], **fields: Any) -> dict[str, Any]:
    group = {"chat": "1203630@g.us", "chat_alt": "", "group": True}
    return line(message, **group | fields)


def test_a_person_known_by_lid_is_the_phone_and_the_lid_an_alias() -> None:
    event = one(line({"conversation": "hello"}))
    assert (event.chat, event.sender, event.recipient) == ("15550000007@c.us", "15550000007@c.us", "15550000001@c.us")
    assert event.aliases == ("100000000000007@lid",)
    assert event.message_id == "false_15550000007@c.us_3EB0AA"


def test_a_lid_without_a_phone_stays() -> None:
    event = one(line({"conversation": "hello"}, chat_alt="", sender_alt=""))
    assert (event.chat, event.aliases) == ("100000000000007@lid", ())


def test_in_a_group_the_writer_stands_in_the_id() -> None:
    event = one(in_group({"conversation": "hello"}))
    assert (event.chat, event.sender) == ("1203630@g.us", "15550000007@c.us")
    assert event.message_id == "false_1203630@g.us_3EB0AA_15550000007@c.us"
    own = one(in_group({"conversation": "hi"}, from_me=True, sender="900000000000001:3@lid", sender_alt=""))
    assert own.message_id == "true_1203630@g.us_3EB0AA_15550000001@c.us"


@pytest.mark.parametrize(
    ("message", "type_", "text"),
    [
        ({"extendedTextMessage": {"text": "see https://a.example", "matchedText": "https://a.example"}}, "text", "see https://a.example"),
        ({"viewOnceMessageV2": {"message": {"imageMessage": {"caption": "c"}}}}, "image", "c"),
        ({"ephemeralMessage": {"message": {"conversation": "soon gone"}}}, "text", "soon gone"),
        ({"documentWithCaptionMessage": {"message": {"documentMessage": {"caption": "c"}}}}, "document", "c"),
        ({"audioMessage": {"PTT": True, "mimetype": "audio/ogg"}}, "voice", ""),
        ({"audioMessage": {"mimetype": "audio/mpeg"}}, "audio", ""),
        ({"ptvMessage": {"mimetype": "video/mp4"}}, "video", ""),
        ({"stickerMessage": {"mimetype": "image/webp"}}, "sticker", ""),
        ({"liveLocationMessage": {"degreesLatitude": 1.0, "degreesLongitude": 2.0}}, "location", ""),
        ({"contactMessage": {"displayName": "Bo", "vcard": "BEGIN:VCARD\nFN:Bo\nEND:VCARD"}}, "contacts", ""),
        ({"pollCreationMessageV3": {"name": "Lunch?", "options": [{"optionName": "yes"}]}}, "poll", "Lunch?"),
        ({"buttonsResponseMessage": {"selectedDisplayText": "Yes", "selectedButtonID": "1"}}, "interactive", "Yes"),
        ({"listResponseMessage": {"title": "Tea", "singleSelectReply": {"selectedRowID": "t"}}}, "interactive", "Tea"),
        ({"eventMessage": {"name": "Party"}}, "event", "Party"),
        ({"orderMessage": {"message": "two of these"}}, "order", "two of these"),
        ({"videoMessage": {"caption": "c", "mimetype": "video/mp4"}}, "video", "c"),
        ({"locationMessage": {"degreesLatitude": 1.0, "degreesLongitude": 2.0}}, "location", ""),
        ({"contactsArrayMessage": {"contacts": [{"vcard": "BEGIN:VCARD\nFN:Bo\nEND:VCARD"}]}}, "contacts", ""),
        ({"productMessage": {"body": "a lamp"}}, "order", "a lamp"),
        ({"templateButtonReplyMessage": {"selectedDisplayText": "Call", "selectedID": "2"}}, "interactive", "Call"),
        ({"interactiveResponseMessage": {"body": {"text": "Book"}}}, "interactive", "Book"),
        ({"associatedChildMessage": {"message": {"imageMessage": {"caption": "c"}}}}, "image", "c"),
        ({"pollCreationMessageV4": {"message": {"pollCreationMessageV3": {"name": "Tea?"}}}}, "poll", "Tea?"),
        ({"somethingNew": {"a": 1}}, "unknown", ""),
    ],
)  # fmt: skip
def test_every_content_has_a_type_and_its_text(message: dict[str, Any], type_: str, text: str) -> None:
    event = one(line(message))
    assert (event.kind, event.type, event.content) == ("message", type_, text)


@pytest.mark.parametrize(
    "message",
    [
        {"senderKeyDistributionMessage": {"groupID": "1"}},
        {"albumMessage": {"expectedImageCount": 3}},
        {"protocolMessage": {"type": "EPHEMERAL_SETTING"}},
        {"protocolMessage": {"type": "APP_STATE_SYNC_KEY_SHARE"}},
        {},
    ],
)
def test_what_is_the_protocols_own_is_no_event(message: dict[str, Any]) -> None:
    assert parse(line(message), US) == []


def test_keys_of_other_messages_are_read_as_their_writer_means_them() -> None:
    theirs = {"reactionMessage": {"key": {"remoteJID": "x", "fromMe": True, "ID": "3EB0BB"}, "text": "👍"}}
    ours = {"reactionMessage": {"key": {"remoteJID": "x", "fromMe": False, "ID": "3EB0BB"}, "text": "👍"}}
    assert one(line(theirs)).message_id == "false_15550000007@c.us_3EB0BB"
    assert one(line(ours)).message_id == "true_15550000007@c.us_3EB0BB"
    by_us = {"chat": "100000000000007@lid", "from_me": True, "sender": "900000000000001@lid", "sender_alt": ""}
    assert one(line(theirs, **by_us)).message_id == "true_15550000007@c.us_3EB0BB"
    assert one(line(ours, **by_us)).message_id == "false_15550000007@c.us_3EB0BB"


def changed(kind: str, key: dict[str, Any]) -> dict[str, Any]:
    return {"protocolMessage": {"type": kind, "key": key, "editedMessage": {"conversation": "forged"}}}


@pytest.mark.parametrize("kind", ["REVOKE", "MESSAGE_EDIT"])
def test_nobody_changes_a_message_of_somebody_else(kind: str) -> None:
    ours = one(line(changed(kind, {"fromMe": False, "ID": "3EB0BB"})))
    writer = {"fromMe": False, "ID": "3EB0BB", "participant": "15550000009@s.whatsapp.net"}
    theirs = one(in_group(changed(kind, writer)))
    assert [(each.kind, each.content) for each in (ours, theirs)] == [("unknown", "")] * 2
    assert ours.extra == {"event": "forged_change", "about": "true_15550000007@c.us_3EB0BB"}
    assert theirs.message_id == "false_1203630@g.us_3EB0AA_15550000007@c.us"
    own = {"fromMe": True, "ID": "3EB0BB", "participant": "100000000000007@lid"}
    for told in (line(changed(kind, own)), in_group(changed(kind, own))):
        assert one(told).kind in {"message.revoked", "message.edited"}


def test_an_admin_takes_back_what_others_wrote_and_edits_nothing() -> None:
    key = {"fromMe": False, "ID": "3EB0BB", "participant": "15550000009@s.whatsapp.net"}
    taken = one(in_group(changed("REVOKE", key), edit="8"))
    assert (taken.kind, taken.message_id) == (
        "message.revoked",
        "false_1203630@g.us_3EB0BB_15550000009@c.us",
    )
    assert one(in_group(changed("MESSAGE_EDIT", key), edit="8")).kind == "unknown"
    assert one(line(changed("REVOKE", {"fromMe": False, "ID": "3EB0BB"}), edit="8")).kind == "unknown"


def test_a_quote_in_a_group_names_who_wrote_it() -> None:
    context = {"stanzaID": "3EB0CC", "participant": "900000000000001@lid", "isForwarded": True}
    event = one(in_group({"extendedTextMessage": {"text": "yes", "contextInfo": context}}))
    assert event.reply_to == "true_1203630@g.us_3EB0CC_15550000001@c.us"
    assert event.extra["forwarded"] is True


def test_what_is_special_about_a_message_is_told() -> None:
    gif = one(line({"videoMessage": {"gifPlayback": True, "mimetype": "video/mp4"}}))
    assert (gif.type, gif.extra["gif"]) == ("video", True)
    once = one(line({"viewOnceMessage": {"message": {"imageMessage": {"viewOnce": True}}}}, ephemeral=True))
    assert (once.type, once.extra["view_once"], once.extra["ephemeral"]) == ("image", True, True)
    context = {"externalAdReply": {"title": "Lamps", "sourceURL": "https://a.example"}, "mentionedJID": ["1@lid"]}
    ad = one(line({"extendedTextMessage": {"text": "how much?", "contextInfo": context}}))
    assert (ad.extra["ad"]["title"], ad.extra["mentions"]) == ("Lamps", ["1@lid"])


@pytest.mark.parametrize(("media", "state"), [(1, "typing"), (2, "recording")])
def test_who_types_or_records_is_told(media: int, state: str) -> None:
    event = one(line({}, event="ChatPresence", state=1, media=media))
    assert event.kind == "presence.update"
    assert event.extra["presences"] == [{"participant": "15550000007@c.us", "lastKnownPresence": state}]


@pytest.mark.parametrize(
    ("event", "reason", "kind"),
    [
        ("CallOffer", "", "call.received"),
        ("CallAccept", "", "call.accepted"),
        ("CallTerminate", "accepted_elsewhere", "call.accepted"),
        ("CallTerminate", "rejected_elsewhere", "call.rejected"),
        ("CallTerminate", "timeout", "call.rejected"),
        ("CallTerminate", "", "call.rejected"),
    ],
)
def test_a_call_rings_and_was_answered_or_was_not(event: str, reason: str, kind: str) -> None:
    told = one(line({}, event=event, call="CALL1", reason=reason))
    assert (told.kind, told.type, told.chat, told.provider_id) == (kind, "call", "15550000007@c.us", "CALL1")
    assert told.dedupe_kind == ("" if kind == "call.received" else "call.outcome")  # what came of it is told once


def test_a_receipt_has_one_event_for_each_message() -> None:
    told = line({}, event="Receipt", ids=["3EB01", "3EB02"], type="READ")
    events = parse(told, US)
    assert [(each.message_id, each.extra["status"]) for each in events] == [
        ("true_15550000007@c.us_3EB01", "read"),
        ("true_15550000007@c.us_3EB02", "read"),
    ]
    [in_a_group] = parse(in_group({}, event="Receipt", ids=["3EB01"], type="DELIVERED"), US)
    assert in_a_group.message_id == "true_1203630@g.us_3EB01_15550000001@c.us"
    assert in_a_group.extra["participant"] == "15550000007@c.us"
    assert [each.extra["status"] for each in parse(told | {"type": "PLAYED"}, US)] == ["played", "played"]
    assert parse(told | {"type": "SENDER"}, US) == []


def test_what_is_read_on_the_phone_is_no_event_and_names_its_chat() -> None:
    told = line({}, event="Receipt", ids=["3EB01"], type="READ", from_me=True)
    for kind in ("READ", "READ_SELF"):
        assert read_elsewhere(told | {"type": kind}, US) == "15550000007@c.us"
    assert parse(told, US) == []
    assert read_elsewhere(in_group({}, event="Receipt", type="READ", from_me=True), US) == "1203630@g.us"
    for other in ({"from_me": False}, {"type": "SENDER"}, {"type": "DELIVERED"}, {"event": "Message"}):
        assert read_elsewhere(told | other, US) == ""


def test_what_can_not_be_opened_is_kept_as_a_placeholder() -> None:
    event = one(line({}, event="UndecryptableMessage", unavailable=False))
    assert (event.kind, event.message_id) == ("unknown", "false_15550000007@c.us_3EB0AA")
    unread = one({"event": "Unread", "n": 2, "code": 17, "raw": "AAEC", "error": "boom"})
    assert (unread.kind, unread.extra["code"]) == ("unknown", 17)


def test_members_of_a_group_come_and_go() -> None:
    told = {"event": "GroupInfoEvent", "JID": "1203630@g.us", "Join": ["15550000009@s.whatsapp.net"], "Timestamp": 1.0}
    event = one(told)
    assert (event.kind, event.extra["type"], event.extra["participants"]) == (
        "group.v2.participants",
        "join",
        ["15550000009@c.us"],
    )
    more = told | {"Leave": ["100000000000007@lid"], "Name": {"Name": "Crew"}, "n": 7, "phones": PHONES}
    many = parse(more, US)
    assert [(each.kind, each.extra["type"], each.extra["participants"]) for each in many] == [
        ("group.v2.participants", "join", ["15550000009@c.us"]),
        ("group.v2.participants", "leave", ["15550000007@c.us"]),
        ("group.v2.update", "update", []),
    ]
    again = parse(more | {"n": 1, "phones": {}}, US)  # it comes again, before anybody knows her phone
    assert [(each.provider_id, each.variant) for each in again] == [(each.provider_id, each.variant) for each in many]
    unknown = one({"event": "GroupInfoEvent", "JID": "1203630@g.us", "Timestamp": "1700000000"})
    assert (unknown.kind, unknown.extra["group"]) == ("group.v2.update", {"id": "1203630@g.us"})


def test_ids_can_be_read_back() -> None:
    key = Key(chat="1203630@g.us", id="3EB0AA", from_me=True, participant="15550000001@c.us")
    assert key_of(key.whole) == key
    assert jid_of("15550000001@c.us") == "15550000001@s.whatsapp.net"
    for wrong in ("3EB0AA", "maybe_x_y", "true_nochat_3EB0"):
        with pytest.raises(SendRefusedError, match="not a message id"):
            key_of(wrong)
    with pytest.raises(SendRefusedError, match="not a WhatsApp chat"):
        jid_of("somebody@user")


@given(st.dictionaries(st.sampled_from(["imageMessage", "locationMessage", "pollCreationMessage", "x"]), JSON))
def test_any_content_can_be_read(message: dict[str, Any]) -> None:
    content_of(message)


@given(st.sampled_from(sorted(HEARD)), st.dictionaries(st.text(max_size=10), JSON, max_size=5), JSON)
def test_any_line_makes_right_events_or_none(event: str, fields: dict[str, Any], message: Any) -> None:
    known = {"chat": "1@s.whatsapp.net", "sender": "2@lid", "id": "A", "ids": ["A"], "type": "READ"}
    for made in parse({**known, **fields, "event": event, "message": message}, US):
        held_to(NewEvent, made)
