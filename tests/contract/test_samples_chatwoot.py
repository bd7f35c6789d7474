"""Every collected webhook of Chatwoot is read as what it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.chatwoot_agents import inbox
from wagate_chatwoot.to_whatsapp.actions import Assigned, Delete, Ignore, Moved, Resend, Send, Typing
from wagate_chatwoot.to_whatsapp.decode import decode
from wagate_chatwoot.to_whatsapp.pieces import parts_of
from wagate_chatwoot.to_whatsapp.signature import signature, verify

FOLDER = Path(__file__).parents[2].parent / "shared" / "samples" / "chatwoot"
MEANS: dict[str, type[Any]] = {
    "contact_updated.account_webhook_only": Ignore,
    "conversation_created": Ignore,
    "conversation_status_changed.resolved": Moved,
    "conversation_typing_on.agent": Typing,
    "conversation_updated.assignee": Assigned,
    "message_created.incoming.echo_of_our_own_post": Ignore,
    "message_created.outgoing.agent_attachments": Send,
    "message_created.outgoing.agent_reply_to_whatsapp_message": Send,
    "message_created.outgoing.agent_text": Send,
    "message_created.outgoing.echo_of_our_own_post_phone_sent": Ignore,
    "message_created.outgoing.private_note": Ignore,
    "message_updated.agent_clicked_retry_1_of_2": Ignore,
    "message_updated.deleted_by_agent": Delete,
    "message_updated.failed_external_error": Ignore,
    "message_updated.status_set_by_our_patch": Ignore,
    "webwidget_triggered": Ignore,
    "published-2022.webwidget.conversation_status_changed": Moved,
    "published-2022.webwidget.message_created": Ignore,
    "published-2022.webwidget.webwidget_triggered": Ignore,
}


@pytest.fixture
def samples() -> dict[str, Path]:
    if not FOLDER.is_dir():
        pytest.skip("../shared/samples is not here: conformance over the samples was not tested")
    found = {each.stem.removeprefix("assembled-4.15.1."): each for each in FOLDER.glob("*.json")}
    return {name: path for name, path in found.items() if name != "signature_vector"}


def read(path: Path) -> Any:
    document = json.loads(path.read_text())
    conversation = document.get("conversation") or document
    shown = document.get("inbox") or {"id": conversation.get("inbox_id") or 1}
    account = (document.get("account") or conversation.get("account") or {}).get("id", 1)
    return decode(path.read_bytes(), inbox(inbox_id=shown["id"], account_id=account))


def test_each_sample_is_what_its_name_says(samples: dict[str, Path]) -> None:
    assert {name: type(read(path)) for name, path in samples.items()} == MEANS


def test_samples_of_another_inbox_are_all_left_alone(samples: dict[str, Path]) -> None:
    shown = {name for name in samples if name.startswith(("message_", "conversation_"))}
    assert shown
    for name in shown:
        assert isinstance(decode(samples[name].read_bytes(), inbox(inbox_id=90210)), Ignore), name


def test_agents_messages_become_all_their_parts(samples: dict[str, Path]) -> None:
    parts = {
        name: [(each.type, each.text) for each in parts_of(read(path), "5511988887777@c.us")]
        for name, path in samples.items()
        if MEANS[name] is Send
    }
    assert parts["message_created.outgoing.agent_attachments"] == [("text", "veja"), ("image", ""), ("voice", "")]
    assert parts["message_created.outgoing.agent_reply_to_whatsapp_message"] == [("text", "sim!")]
    reply = read(samples["message_created.outgoing.agent_reply_to_whatsapp_message"])
    assert (reply.reply_to, reply.reply_to_source) == (990, "false_5511988887777@c.us_3EB0AAAA")


def test_the_second_update_of_retry_is_taken_for_what_it_is(samples: dict[str, Path]) -> None:
    document = json.loads(samples["message_updated.agent_clicked_retry_1_of_2"].read_text())
    body = json.dumps(document | {"content_attributes": {}}).encode()
    action = decode(body, inbox(inbox_id=document["inbox"]["id"], account_id=document["account"]["id"]))
    assert isinstance(action, Resend)
    assert action.bare


def test_the_full_size_vector_is_signed_as_chatwoot_signs(samples: dict[str, Path]) -> None:
    vector = json.loads((FOLDER / "signature_vector.json").read_text())
    headers = {name.lower(): value for name, value in vector["headers"].items()}
    body = vector["raw_body"].encode()
    assert signature(vector["secret"], headers["x-chatwoot-timestamp"], body) == headers["x-chatwoot-signature"]
    assert samples
    verify(inbox(secret=vector["secret"]), headers, "", body, now=float(headers["x-chatwoot-timestamp"]))
