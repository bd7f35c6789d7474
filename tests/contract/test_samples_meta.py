"""Every sample webhook of Meta's and 360dialog's parses to what its name says; samples of requests are what we send."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.meta import account, outgoing, request
from wagate.events import NewEvent
from wagate.hooks import OutFile, OutLocation, OutReaction
from wagate.parsing.jsonbody import read_object
from wagate_dialog360.settings import Dialog360Settings
from wagate_dialog360.webhook import parse as parse_dialog360
from wagate_meta.bodies import message_body
from wagate_meta.parse import parse

SAMPLES = Path(__file__).parents[2].parent / "shared" / "samples"
ABSENT = "../shared/samples is not here: conformance over the samples was not tested"
LISTS = ("messages", "message_echoes", "statuses", "calls", "groups", "errors")

MESSAGE = {
    "adapted_text_bsuid_only_no_phone": ("text", "Does it come in another color?"),
    "oas_button_message": ("interactive", "Unsubscribe"),
    "oas_contact_sharing_message": ("contacts", ""),
    "oas_image_message": ("image", "Taj Mahal"),
    "oas_interactive_button_reply_message": ("interactive", "Cancel"),
    "oas_interactive_list_reply_message": ("interactive", "Priority Mail Express"),
    "oas_location_message": ("location", ""),
    "oas_order_message": ("order", "2 × di9ozbzfi4, 1 × nqryix03ez"),
    "oas_system_message": ("system", "User Sheena Nelson changed from 16505551234 to 12195555358"),
    "oas_text_message": ("text", "Does it come in another color?"),
    "oas_text_message_from_click_to_whatsapp_ad": ("text", "Hello! Can I get more info on this?"),
    "oas_text_message_with_context_product_inquiry": ("text", "Is this still available?"),
    "oas_unsupported_message": ("unknown", "Message type is currently not supported."),
    "pywa_animated_sticker": ("sticker", ""),
    "pywa_audio": ("audio", ""),
    "pywa_callback_button_button": ("interactive", "title"),
    "pywa_callback_button_quick_reply": ("interactive", "title"),
    "pywa_callback_selection_callback": ("interactive", "title"),
    "pywa_contacts": ("contacts", ""),
    "pywa_document": ("document", "caption"),
    "pywa_flow_completion_completion": (
        "interactive",
        "comment_text: Comment Text\ndelivery_rating: 4\npurchase_rating: 2\nrecommend_radio: 0\ncs_rating: 0",
    ),
    "pywa_forwarded": ("text", "forwarded text"),
    "pywa_reply": ("text", "replied text"),
    "pywa_system_identity_change": ("system", "User identity changed"),
    "pywa_unsupported_with_type": ("unknown", "Message type is currently not supported."),
    "metashape_image_message": ("image", "Taj Mahal"),
    "metashape_interactive_button_reply_message": ("interactive", "Cancel"),
    "metashape_text_message": ("text", "Does it come in another color?"),
}
"""Messages: type and content."""
KINDS = {
    "oas_group_create_message": "group.create",
    "oas_group_remove_participants": "group.leave",
    "oas_group_settings_update": "group.update",
    "oas_reaction_message": "message.reaction",
    "pywa_unreaction_empty": "message.reaction",
    "pywa_call_connect_business_initiated": "unknown",
    "pywa_call_connect_user_initiated": "call.received",
    "pywa_call_status_call_status": "unknown",
    "pywa_deleted_message_revoke": "message.revoked",
    "pywa_edited_message_image": "message.edited",
    "pywa_outgoing_message_delete": "message.revoked",
    "pywa_outgoing_message_text": "message.any",
    "pywa_template_status_update_approved": "unknown",
}
STATUS = {
    "adapted_status_failed_131047": "failed",
    "pywa_status_delivered": "delivered",
    "pywa_status_failed": "failed",
    "pywa_status_read": "read",
    "pywa_status_sent": "sent",
    "metashape_status_delivered": "delivered",
}


def samples() -> dict[str, Path]:
    """The samples by name; none when they are not here."""
    found = [*SAMPLES.glob("meta/*.json"), *SAMPLES.glob("dialog360/*.json")]
    return {path.stem: path for path in found}


def webhooks() -> list[str]:
    return [name for name, path in samples().items() if "entry" in msgspec.json.decode(path.read_bytes())]


def bytes_of(name: str) -> bytes:
    if name not in samples():
        pytest.skip(ABSENT)
    return samples()[name].read_bytes()


def parsed(name: str) -> list[NewEvent]:
    body = bytes_of(name)
    if name.startswith("metashape"):
        return list(parse_dialog360(request(body), account(Dialog360Settings(api_key="k", phone_number_id="1"))))
    return parse(request(body), account())


def items(document: dict[str, Any]) -> Iterator[Any]:
    """What each event of a webhook is made of."""
    for entry in document["entry"]:
        for change in entry["changes"]:
            found = [item for name in LISTS for item in change["value"].get(name, ())]
            yield from found or [change]


def test_every_webhook_among_the_samples_is_expected_here() -> None:
    if not samples():
        pytest.skip(ABSENT)
    expected = {*MESSAGE, *KINDS, *STATUS, "adapted_batch_2entries_2msgs_3statuses"}
    others = {name for name in webhooks() if name.startswith("pywa_account_update")}
    assert set(webhooks()) == expected | others
    assert len(others) > 10


@pytest.mark.parametrize("name", MESSAGE)
def test_a_sample_of_a_message_has_its_type_and_text(name: str) -> None:
    [event] = parsed(name)
    assert (event.kind, event.type, event.content) == ("message", *MESSAGE[name])
    assert event.chat
    assert event.chat == event.sender
    assert event.message_id


@pytest.mark.parametrize("name", KINDS)
def test_a_sample_of_another_kind_is_of_that_kind(name: str) -> None:
    [event] = parsed(name)
    assert event.kind == KINDS[name]


@pytest.mark.parametrize("name", STATUS)
def test_a_sample_of_a_status_is_an_ack(name: str) -> None:
    [event] = parsed(name)
    assert (event.kind, event.variant, event.chat) == ("message.ack", STATUS[name], "972987654321@c.us")
    assert ("error" in event.extra) == (STATUS[name] == "failed")


@pytest.mark.parametrize("name", webhooks() or [pytest.param("", marks=pytest.mark.skip(ABSENT))])
def test_nothing_of_a_sample_is_lost_and_parsed_again_it_is_the_same(name: str) -> None:
    events, document = parsed(name), read_object(bytes_of(name))
    assert [msgspec.json.decode(event.raw.body) for event in events if event.raw] == list(items(document))
    keys = [(event.dedupe_kind or event.kind, event.provider_id, event.variant) for event in events]
    assert keys == [(event.dedupe_kind or event.kind, event.provider_id, event.variant) for event in parsed(name)]
    assert all(provider_id for _, provider_id, _ in keys)


def test_the_batch_has_all_of_both_entries_in_order() -> None:
    events = parsed("adapted_batch_2entries_2msgs_3statuses")
    found = [(event.kind, event.variant) for event in events]
    acks = [("message.ack", word) for word in ("delivered", "read", "delivered")]
    assert found == [("message", ""), ("message", ""), *acks]


@pytest.mark.parametrize(
    ("name", "media_id", "message"),
    [
        ("oas_send_text_request", "", {"text": "text-message-content", "preview_url": False}),
        (
            "oas_send_reply_request",
            "",
            {"text": "<TEXT_MSG_CONTENT>", "preview_url": False, "reply_to": "<MSGID_OF_PREV_MSG>"},
        ),
        ("oas_send_image_id_request", "<IMAGE_OBJECT_ID>", {"type": "image"}),
        (
            "oas_send_image_url_request",
            "",
            {"type": "image", "file": OutFile(mimetype="", filename="", url="http(s)://image-url")},
        ),
        (
            "oas_send_document_url_request",
            "",
            {
                "type": "document",
                "text": "<DOCUMENT-CAPTION-TEXT>",
                "file": OutFile(mimetype="", filename="", url="<http(s)://document-url>"),
            },
        ),
        (
            "oas_send_reaction_request",
            "",
            {"type": "reaction", "reaction": OutReaction(message_id="wamid.HBgLM...", emoji="😀")},
        ),
        (
            "oas_send_location_request",
            "",
            {
                "type": "location",
                "location": OutLocation(
                    latitude=37.758056,
                    longitude=-122.425332,
                    name="META HQ",
                    address="1 Hacker Way, Menlo Park, CA 94025",
                ),
            },
        ),
        ("oas_send_template_request", "", {"type": "template"}),
        ("oas_send_contact_request", "", {"type": "contacts"}),
        ("oas_send_buttons_request", "", {"type": "interactive"}),
        ("oas_send_list_request", "", {"type": "interactive"}),
    ],
)
def test_what_we_send_is_the_sample_with_our_reference(name: str, media_id: str, message: dict[str, Any]) -> None:
    sample = msgspec.json.decode(bytes_of(name))
    for given in ("template", "contacts", "interactive"):
        if message.get("type") == given:
            message = message | {given: tuple(sample[given]) if given == "contacts" else sample[given]}
    out = outgoing(account(), **message)
    body = message_body(out, media_id=media_id)
    assert body.pop("biz_opaque_callback_data") == out.id
    # Optional, and left out in one of the samples.
    assert body.pop("recipient_type") == sample.pop("recipient_type", "individual")
    assert body | {"to": sample["to"]} == sample
