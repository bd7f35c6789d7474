"""Chatwoot's API answers: the fake's have the shape of every sample, and what we read of them is there."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.chatwoot_site import SOURCE, Site, site
from tests.contract.test_chatwoot_fake_webhooks import assert_same_shape
from tests.corpus import SAMPLES

FOLDER = SAMPLES / "chatwoot_api"
READ = {
    "contact_created": ("payload.contact.id", "payload.contact_inbox.source_id"),
    "contact_found_by_source": ("id", "contact_inboxes"),
    "contacts_filtered": ("meta", "payload"),
    "contact_updated": ("payload.id",),
    "contact_inbox_added": ("source_id",),
    "conversation_created": ("id", "status"),
    "conversation_status_toggled": ("payload.current_status",),
    "conversations_of_contact": ("payload",),
    "message_created": ("id", "conversation_id", "source_id", "status"),
    "messages": ("meta", "payload"),
    "message_status_changed": ("id", "status"),
    "inbox": ("id", "webhook_url", "lock_to_single_conversation"),
    "profile": ("id", "access_token", "accounts"),
    "error_taken": ("message", "attributes"),
    "error_not_found": ("error",),
    "error_unauthorized": ("error",),
}
"""Which fields of each are read."""


def sample(name: str) -> Any:
    return msgspec.json.decode((FOLDER / f"{name}.json").read_bytes())


async def walk(here: Site) -> dict[str, Any]:
    """Every act of which there is a sample; its name → the answer."""
    made = await here.contact(identifier="ida")
    contact = made["payload"]["contact"]["id"]
    phone = {"attribute_key": "phone_number", "filter_operator": "equal_to", "values": ["+19990000000"]}
    rows = {"payload": [{**phone, "query_operator": None}]}
    by_source = {"inbox_id": 7, "source_id": SOURCE}
    talk = await here.ask("POST", "conversations", json={**by_source, "contact_id": contact})
    messages = f"conversations/{talk['id']}/messages"
    body = {"content": "Hello", "message_type": "incoming", "source_id": "WA1"}
    message = await here.ask("POST", messages, json=body)
    status = {"status": "failed", "external_error": "131047: closed"}
    profile = await here.http.get(f"{here.fake.url}/api/v1/profile")
    stranger = await here.http.get("contacts/1", headers={"api_access_token": "x"})
    return {
        "contact_created": made,
        "contact_found_by_source": await here.ask("POST", "contact_inboxes/filter", json=by_source),
        "contacts_filtered": await here.ask("POST", "contacts/filter", json=rows),
        "contact_updated": await here.ask("PUT", f"contacts/{contact}", json={"name": "Ida"}),
        "contact_inbox_added": await here.ask(
            "POST", f"contacts/{contact}/contact_inboxes", json={"inbox_id": 7, "source_id": "other"}
        ),
        "conversation_created": talk,
        "conversations_of_contact": await here.ask("GET", f"contacts/{contact}/conversations"),
        "message_created": message,
        "messages": await here.ask("GET", messages),
        "message_status_changed": await here.ask("PATCH", f"{messages}/{message['id']}", json=status),
        "conversation_status_toggled": await here.ask(
            "POST", f"conversations/{talk['id']}/toggle_status", json={"status": "resolved"}
        ),
        "inbox": await here.ask("GET", "inboxes/7"),
        "profile": profile.json(),
        "error_taken": await here.contact(422, source_id="another"),
        "error_not_found": await here.ask("GET", "contacts/90210", 404),
        "error_unauthorized": stranger.json(),
    }


async def test_every_answer_of_the_fake_has_the_shape_of_its_sample() -> None:
    async with site() as here:
        answers = await walk(here)
    assert answers.keys() == READ.keys()
    for name, answer in answers.items():
        assert_same_shape(answer, sample(name))


@pytest.mark.parametrize("name", READ)
def test_a_sample_has_what_is_read_of_it(name: str) -> None:
    for path in READ[name]:
        found = sample(name)
        for part in path.split("."):
            found = found[part]
        assert found is not None, path


def test_every_sample_is_expected_here() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(READ)
