"""Which events become jobs, and how a job reads: the engine's own format, word for word."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from wagate.config import convert_settings
from wagate.errors import ConfigError
from wagate.events import Media
from wagate.hooks import Target
from wagate.testing import fake_context, make_event
from wagate_n8n import plugin
from wagate_n8n.answers import address, payload_of
from wagate_n8n.queue import Settings


def settings(**table: Any) -> Settings:
    return convert_settings(plugin.settings_type(), table, key="plugins.n8n")


def targets(event: dict[str, Any], **table: Any) -> list[Target]:
    [handler] = plugin.register_handlers(fake_context("n8n", settings=settings(**table)).context)
    assert handler.pull
    assert handler.name == "n8n"
    return list(handler.targets(make_event(**event)))


def payload(**fields: Any) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(msgspec.json.encode(payload_of(make_event(**fields))))
    return decoded


def test_a_message_becomes_a_job_in_its_clients_queue_for_a_day() -> None:
    assert targets({"client_id": 7}) == [Target(id="7", expires=86400.0)]


@pytest.mark.parametrize("kind", ["message.any", "message.ack", "session.status", "webhook.failing", "group.join"])
def test_nothing_but_messages_becomes_a_job_unless_asked_for(kind: str) -> None:
    assert targets({"kind": kind}) == []


def test_other_events_become_jobs_when_they_are_named() -> None:
    assert targets({"kind": "message.ack"}, events=["message", "message.ack"])
    assert targets({"kind": "group.join"}, events=["group.*"])
    assert targets({"kind": "message"}, events=["message.ack"]) == []


def test_only_the_named_clients_have_a_queue() -> None:
    assert targets({"tenant": "acme"}, clients=["acme"])
    assert targets({"tenant": "other"}, clients=["acme"]) == []


def test_jobs_may_live_for_ever() -> None:
    assert targets({}, expires="0")[0].expires is None
    assert targets({}, expires="90m")[0].expires == 5400.0


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"events": ["mesage"]}, "did you mean message?"),
        ({"expires": "soon"}, "is not a duration"),
        ({"client": ["acme"]}, "did you mean plugins.n8n.clients?"),
    ],
)
def test_a_wrong_setting_is_named_with_its_cure(table: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=r"plugins\.n8n") as caught:
        settings(**table)
    assert words in str(caught.value)


def test_a_payload_has_the_fields_of_the_specification() -> None:
    found = payload(
        chat="1234567890@c.us",
        sender="1234567890@c.us",
        content="Hello, I need help with my order",
        tenant="whappstream",
        contact_name="John Doe",
    )
    assert {name: found[name] for name in ("from", "message", "tenant_id", "contact_name", "timestamp")} == {
        "from": "+1234567890",
        "message": "Hello, I need help with my order",
        "tenant_id": "whappstream",
        "contact_name": "John Doe",
        "timestamp": "2025-09-10T10:30:00Z",
    }
    assert (found["to"], found["message_id"], found["type"]) == ("+5511888888888", "wamid.1", "text")


def test_the_message_is_always_text_and_the_object_is_beside_it() -> None:
    sent = {"image": {"url": "https://cdn.example/a.jpg", "caption": "Look"}}
    found = payload(type="image", content="Look", extra={"message": sent})
    assert (found["message"], found["content"]) == ("Look", sent)


@pytest.mark.parametrize("extra", [{}, {"message": "Session is ready"}])
def test_without_an_object_the_content_is_the_text(extra: dict[str, Any]) -> None:
    assert payload(content="Hi", extra=extra)["content"] == {"text": "Hi"}


def test_what_a_kind_brings_is_in_the_details() -> None:
    media = Media(mimetype="audio/ogg", url="https://cdn.example/v.ogg")
    found = payload(kind="message.ack", media=media, extra={"ack": 3, "inline_file": "data.media"})
    assert found["details"] == {"ack": 3}
    assert found["media"] == {"mimetype": "audio/ogg", "url": "https://cdn.example/v.ogg"}


def test_whoever_a_message_of_ours_does_not_name_is_filled_in() -> None:
    found = payload(from_me=True, sender="", recipient="")
    assert (found["from"], found["to"]) == ("+5511888888888", "+5511999999999")


@pytest.mark.parametrize(
    ("chat", "written"),
    [
        ("1234567890@c.us", "+1234567890"),
        ("12036304@g.us", "12036304@g.us"),
        ("US.1349@user", "US.1349"),
        ("99@lid", "99@lid"),
        ("", ""),
    ],
)
def test_a_number_is_written_with_a_plus(chat: str, written: str) -> None:
    assert address(chat) == written
