"""Each kind of Meta's webhooks as events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tests.meta import OURS, PHONE, THEM, account, events, one, request, webhook
from wagate.errors import BadRequestError
from wagate.events import Media
from wagate_meta.parse import parse

BSUID = "US.900000000000001"
FILE = {"id": "77", "mime_type": "image/jpeg", "sha256": "x"}


def test_a_text_says_who_wrote_what_when_and_to_which_number() -> None:
    event = one({"type": "text", "text": {"body": "Hi"}})
    assert (event.kind, event.type, event.content) == ("message", "text", "Hi")
    assert (event.chat, event.sender, event.recipient, event.number) == (THEM, THEM, f"{OURS}@c.us", "100000000000001")
    assert (event.provider_id, event.message_id, event.dedupe_kind) == ("wamid.1", "wamid.1", "message")
    assert event.timestamp == datetime.fromtimestamp(1750000000, UTC)
    assert (event.contact_name, event.from_me, event.reply_to) == ("Ana", False, None)


@pytest.mark.parametrize(
    ("message", "kind", "content"),
    [
        ({"type": "image", "image": FILE | {"caption": "A photo"}}, "image", "A photo"),
        ({"type": "video", "video": FILE}, "video", ""),
        ({"type": "audio", "audio": FILE | {"voice": True}}, "voice", ""),
        ({"type": "audio", "audio": FILE | {"voice": False}}, "audio", ""),
        ({"type": "document", "document": FILE | {"filename": "a.pdf"}}, "document", ""),
        ({"type": "sticker", "sticker": FILE | {"animated": True}}, "sticker", ""),
        ({"type": "location", "location": {"latitude": 1.5, "longitude": 2, "name": "Cafe"}}, "location", ""),
        ({"type": "location", "location": {"latitude": 1.5, "longitude": 2, "address": "1 Rd"}}, "location", ""),
        ({"type": "contacts", "contacts": [{"name": {"formatted_name": "Bo"}}, {}]}, "contacts", ""),
        ({"type": "button", "button": {"payload": "p", "text": "Yes"}}, "interactive", "Yes"),
        ({"type": "order", "order": {"text": "Quick!", "product_items": []}}, "order", "Quick!"),
        ({"type": "order", "order": {"product_items": [{"product_retailer_id": "sku"}]}}, "order", "1 × sku"),
        ({"type": "system", "system": {"body": "Changed"}}, "system", "Changed"),
        ({"type": "poll", "poll": {"name": "Which?"}}, "unknown", "Which?"),
        ({"type": "unsupported", "errors": [{"code": 131051, "title": "Unknown type"}]}, "unknown", "Unknown type"),
        ({"type": "interactive", "errors": [{"error_data": {"details": "Why"}}]}, "interactive", "Why"),
        ({"type": "text"}, "text", ""),
        ({}, "unknown", ""),
    ],
)
def test_a_message_has_our_word_for_its_type_and_a_text_to_read(
    message: dict[str, Any], kind: str, content: str
) -> None:
    event = one(message)
    assert (event.kind, event.type, event.content) == ("message", kind, content)


def test_a_file_is_kept_by_its_id_and_direct_url() -> None:
    document = FILE | {"caption": "c", "filename": "a.pdf", "url": "https://lookaside.fbsbx.com/x"}
    assert one({"type": "document", "document": document}).media == Media(
        mimetype="image/jpeg", filename="a.pdf", url="https://lookaside.fbsbx.com/x", provider_id="77", caption="c"
    )


@pytest.mark.parametrize(
    ("reply", "content"),
    [
        ({"type": "button_reply", "button_reply": {"id": "b", "title": "Yes"}}, "Yes"),
        ({"type": "list_reply", "list_reply": {"id": "b", "title": "Fast", "description": "1 day"}}, "Fast"),
        ({"type": "nfm_reply", "nfm_reply": {"body": "Sent", "response_json": '{"a":"1","flow_token":"t"}'}}, "a: 1"),
        ({"type": "nfm_reply", "nfm_reply": {"body": "Sent", "response_json": "no json"}}, "Sent"),
        ({"type": "payment", "payment": {"title": "Paid"}}, "Paid"),
    ],
)
def test_a_choice_reads_as_its_title_and_a_form_as_its_answers(reply: dict[str, Any], content: str) -> None:
    event = one({"type": "interactive", "interactive": reply, "context": {"id": "wamid.0"}})
    assert (event.content, event.reply_to) == (content, "wamid.0")
    assert event.extra["interactive"]["type"] == reply["type"]


def test_a_place_and_cards_are_in_extra() -> None:
    place = one({"type": "location", "location": {"latitude": 1.5, "longitude": 2, "name": "Cafe", "url": "u"}})
    assert place.extra["location"] == {"latitude": 1.5, "longitude": 2, "name": "Cafe", "url": "u"}
    card = {"name": {"formatted_name": "Bo"}, "phones": [{"phone": "+1 555", "wa_id": "1555"}]}
    cards = one({"type": "contacts", "contacts": [card]})
    assert cards.extra["contacts"] == [card]
    assert "FN:Bo" in cards.extra["vcards"][0]
    assert "waid=1555" in cards.extra["vcards"][0]


@pytest.mark.parametrize(
    ("reaction", "emoji"), [({"emoji": "👍"}, "👍"), ({"emoji": ""}, ""), ({}, "")], ids=["given", "empty", "absent"]
)
def test_a_reaction_is_an_emoji_and_none_takes_it_back(reaction: dict[str, str], emoji: str) -> None:
    event = one({"type": "reaction", "reaction": {"message_id": "wamid.0", **reaction}})
    assert (event.kind, event.content, event.message_id, event.provider_id) == (
        "message.reaction",
        emoji,
        "wamid.0",
        "wamid.1",
    )
    assert event.extra["reaction"] == {"text": emoji, "messageId": "wamid.0"}


def test_an_edit_has_the_new_text_and_a_deletion_the_old_id() -> None:
    inner = {"type": "text", "text": {"body": "New"}}
    edit = one({"type": "edit", "edit": {"original_message_id": "wamid.0", "message": inner}})
    assert (edit.kind, edit.type, edit.content, edit.message_id) == ("message.edited", "text", "New", "wamid.0")
    assert edit.extra["editedMessageId"] == "wamid.0"
    gone = one({"type": "revoke", "revoke": {"original_message_id": "wamid.0"}})
    assert (gone.kind, gone.type, gone.message_id) == ("message.revoked", "revoked", "wamid.0")
    assert gone.extra["revokedMessageId"] == "wamid.0"


def test_forwarding_products_and_ads_are_told() -> None:
    product = {"catalog_id": "c", "product_retailer_id": "r"}
    context = {"forwarded": True, "referred_product": product}
    event = one({"type": "text", "text": {"body": "x"}, "context": context, "referral": {"ctwa_clid": "a"}})
    assert event.extra == {"forwarded": True, "referredProduct": product, "referral": {"ctwa_clid": "a"}}


# People


def test_a_person_has_the_phone_as_key_and_the_other_ids_as_aliases() -> None:
    event = one({"type": "text", "from_user_id": BSUID}, user_id=BSUID, parent_user_id="US.ENT.1")
    assert (event.sender, event.aliases) == (THEM, (f"{BSUID}@user", "US.ENT.1@user"))


@pytest.mark.parametrize("contact", [{"user_id": BSUID}, {}])
def test_a_person_without_a_phone_is_known_by_the_business_scoped_id(contact: dict[str, str]) -> None:
    value = {
        "contacts": [{"profile": {"username": "ana"}, **contact}],
        "messages": [{"id": "wamid.1", "from_user_id": BSUID, "type": "text", "text": {"body": "x"}}],
    }
    [event] = events(webhook(value))
    assert (event.kind, event.chat, event.sender, event.aliases) == ("message", f"{BSUID}@user", f"{BSUID}@user", ())


def test_contacts_are_matched_by_id_and_not_by_place() -> None:
    contacts = [{"profile": {"name": "Bo"}, "wa_id": "15550003333"}, {"profile": {"name": "Ana"}, "wa_id": PHONE}]
    messages = [
        {"from": PHONE, "id": "1", "type": "text"},
        {"from": "15550003333", "id": "2", "type": "text"},
        {"from": "15550004444", "id": "3", "type": "text"},
    ]
    found = events(webhook({"contacts": contacts, "messages": messages}))
    assert [event.contact_name for event in found] == ["Ana", "Bo", None]


def test_a_new_number_is_an_alias_of_the_old_one() -> None:
    system = {"body": "Changed", "type": "user_changed_number", "wa_id": "15550009999"}
    [event] = events(webhook({"messages": [{"from": PHONE, "id": "1", "type": "system", "system": system}]}))
    assert (event.type, event.sender, event.aliases) == ("system", THEM, ("15550009999@c.us",))


def test_a_group_message_is_in_the_group_and_from_its_writer() -> None:
    event = one({"type": "text", "group_id": "Y2FwaV9n"})
    assert (event.chat, event.sender) == ("Y2FwaV9n@g.us", THEM)


def test_an_echo_is_our_own_message_to_them() -> None:
    echo = {"from": OURS, "to": PHONE, "to_user_id": BSUID, "id": "wamid.9", "type": "text", "text": {"body": "Hi"}}
    [event] = events(webhook({"message_echoes": [echo]}, field="smb_message_echoes"))
    assert (event.kind, event.dedupe_kind, event.from_me, event.content) == ("message.any", "message", True, "Hi")
    assert (event.chat, event.sender, event.recipient, event.aliases) == (THEM, f"{OURS}@c.us", THEM, ())


# Statuses


@pytest.mark.parametrize(("status", "ack"), [("sent", 1), ("delivered", 2), ("read", 3), ("played", 4), ("failed", -1)])
def test_a_status_is_an_ack_with_our_own_reference(status: str, ack: int) -> None:
    item = {
        "id": "wamid.1",
        "status": status,
        "timestamp": "1750000000",
        "recipient_id": PHONE,
        "biz_opaque_callback_data": "our-id",
    }
    [event] = events(webhook({"statuses": [item]}))
    assert (event.kind, event.variant, event.extra["ack"], event.extra["status"]) == (
        "message.ack",
        status,
        ack,
        status,
    )
    assert (event.provider_id, event.message_id, event.reference) == ("wamid.1", "wamid.1", "our-id")
    assert (event.chat, event.from_me) == (THEM, True)


def test_a_failure_tells_code_and_reason_and_the_closed_window_plainly() -> None:
    error = {"code": 131026, "title": "Undeliverable", "error_data": {"details": "No WhatsApp there"}}
    [plain] = events(webhook({"statuses": [{"id": "1", "status": "failed", "errors": [error]}]}))
    assert plain.extra["error"] == {"code": "131026", "reason": "No WhatsApp there (131026)"}
    [window] = events(webhook({"statuses": [{"id": "1", "status": "failed", "errors": [{"code": 131047}]}]}))
    assert "24 h" in window.extra["error"]["reason"]
    assert "template" in window.extra["error"]["reason"]
    assert window.extra["error"]["window"] is True


def test_participants_of_a_group_have_statuses_of_their_own() -> None:
    base = {"id": "wamid.1", "status": "read", "recipient_type": "group", "recipient_id": "Y2Fw"}
    found = events(
        webhook({"statuses": [base | {"recipient_participant_id": each} for each in (PHONE, "15550003333")]})
    )
    assert [event.variant for event in found] == [f"read/{THEM}", "read/15550003333@c.us"]
    assert {event.chat for event in found} == {"Y2Fw@g.us"}
    assert {event.extra["status"] for event in found} == {"read"}


def test_a_status_word_not_known_here_is_kept_as_unknown() -> None:
    [event] = events(webhook({"statuses": [{"id": "wamid.1", "status": "deleted", "recipient_id": PHONE}]}))
    assert (event.kind, event.message_id, event.extra["status"]) == ("unknown", "wamid.1", "deleted")


# Calls, groups, the rest


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"calls": [{"id": "c", "from": PHONE, "event": "connect", "direction": "USER_INITIATED"}]}, "call.received"),
        ({"calls": [{"id": "c", "to": PHONE, "event": "connect", "direction": "BUSINESS_INITIATED"}]}, "unknown"),
        ({"calls": [{"id": "c", "from": PHONE, "event": "terminate"}]}, "unknown"),
        ({"statuses": [{"id": "c", "type": "call", "status": "ACCEPTED", "recipient_id": PHONE}]}, "call.accepted"),
        ({"statuses": [{"id": "c", "type": "call", "status": "REJECTED", "recipient_id": PHONE}]}, "call.rejected"),
        ({"statuses": [{"id": "c", "type": "call", "status": "RINGING", "recipient_id": PHONE}]}, "unknown"),
    ],
)
def test_calls_are_told_by_event_and_status(value: dict[str, Any], kind: str) -> None:
    [event] = events(webhook(value, field="calls"))
    assert (event.kind, event.type, event.chat, event.provider_id) == (kind, "call", THEM, "c")


@pytest.mark.parametrize(
    ("field", "item", "kind"),
    [
        ("group_lifecycle_update", {"type": "group_create", "subject": "Us"}, "group.create"),
        ("group_lifecycle_update", {"type": "group_delete"}, "group.delete"),
        ("group_participants_update", {"added_participants": [{"wa_id": PHONE}]}, "group.join"),
        ("group_participants_update", {"removed_participants": [{"input": int(PHONE)}]}, "group.leave"),
        ("group_settings_update", {"type": "group_settings_update"}, "group.update"),
    ],
)
def test_groups_are_told_by_what_happened(field: str, item: dict[str, Any], kind: str) -> None:
    [event] = events(webhook({"groups": [{"group_id": "Y2Fw", "timestamp": "1750000000", **item}]}, field=field))
    assert (event.kind, event.chat) == (kind, "Y2Fw@g.us")
    assert event.extra["participants"] == ([THEM] if "participants" in field else [])


def test_a_change_of_another_kind_is_kept_once_with_what_it_says() -> None:
    change = {"field": "account_update", "value": {"event": "ACCOUNT_DELETED"}}
    document = {"entry": [{"id": "3", "time": 1750000000, "changes": [change]}]}
    [event], [again] = events(document), events(document)
    assert (event.kind, event.type, event.extra["value"]) == ("unknown", "account_update", change["value"])
    assert (event.provider_id, event.variant) == (again.provider_id, again.variant) != ("", "")
    [later] = events({"entry": [{"id": "3", "time": 1750000001, "changes": [change]}]})
    assert later.variant != event.variant


def test_an_error_of_the_number_is_kept_as_unknown() -> None:
    [event] = events(webhook({"errors": [{"code": 130429, "title": "Rate limit hit"}]}))
    assert (event.kind, event.type, event.extra["error"]["code"]) == ("unknown", "error", 130429)


# Batches


def test_every_entry_change_and_item_is_read_and_a_bad_one_costs_only_itself() -> None:
    good = {"from": PHONE, "id": "wamid.1", "type": "text", "text": {"body": "Hi"}}
    first = webhook({"messages": [good, 5, {"type": "text"}], "statuses": [{"id": "s", "status": "read"}, {}]})
    second = webhook({"messages": [good | {"id": "wamid.2"}]})
    second["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"] = "200"
    found = events({"entry": [*first["entry"], None, {"changes": [7]}, *second["entry"]]})
    kinds = ["message", "unknown", "unknown", "message.ack", "unknown", "unknown", "unknown", "message"]
    assert [event.kind for event in found] == kinds
    raws = [msgspec.json.decode(event.raw.body) for event in found if event.raw]
    assert raws[:3] == [good, 5, {"type": "text"}]
    assert raws[-1]["id"] == "wamid.2"
    assert (found[0].number, found[-1].number) == ("100000000000001", "200")


def test_a_body_without_entries_is_kept_and_one_that_is_no_object_is_refused() -> None:
    [event] = events({"object": "page"})
    assert (event.kind, event.raw and event.raw.body) == ("unknown", b'{"object":"page"}')
    assert events({"entry": []}) == []
    for body in (b"", b"[]", b"{", b"7"):
        with pytest.raises(BadRequestError):
            parse(request(body or b" "), account())


def test_what_had_to_be_mended_keeps_the_whole_body_as_it_came() -> None:
    body = msgspec.json.encode(webhook({"messages": [{"from": PHONE, "id": "1", "type": "text"}, {"from": "NUL"}]}))
    sound, mended = parse(request(body.replace(b"NUL", rb"\u0000\ud800")), account())
    assert sound.raw is not None
    assert (mended.kind, mended.raw) == ("unknown", None)
