"""Made-up webhooks: as real ones look, each chat in order, answers counted."""

from __future__ import annotations

import importlib.util
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.fake_gateway import TOKEN, FakeGateway, fake_gateway
from wagate.cli import app, samples
from wagate.inbound.session.events import parse_session

SESSION = "POST /api/whatsapp/webhook/demo"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGateway]:
    with tempfile.TemporaryDirectory(prefix="wg") as short:
        monkeypatch.chdir(short)
        monkeypatch.setenv("WAGATE_ADMIN_TOKEN", TOKEN)
        monkeypatch.delenv("DATABASE_URL", raising=False)
        (Path(short) / "data").mkdir()
        with fake_gateway(Path(short) / "data") as running:
            running.answers[SESSION] = (200, {"success": True})
            yield running


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["simulate", *arguments])


def test_one_message_is_posted_as_an_engine_would(fake: FakeGateway) -> None:
    result = run("message", "Where is my order?")
    assert result.exit_code == 0
    assert result.stdout.startswith("1 accepted, 0 refused, in ")
    ((call, body),) = fake.asked
    assert (call, body["event"]) == (SESSION, "message")
    assert "sessionId" not in body, "it must not pass for the session of the account's engine"
    (event,) = parse_session(body, account="demo")
    assert (event.kind, event.type, event.content) == ("message", "text", "Where is my order?")
    assert event.chat == f"{samples.chat_number(0)}@c.us"


def test_a_burst_keeps_each_chats_order(fake: FakeGateway) -> None:
    result = run("burst", "--count", "60", "--chats", "7")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("60 accepted, 0 refused")
    by_chat: dict[str, list[int]] = {}
    ids = set()
    for _, body in fake.asked:
        message = body["data"]["message"]
        ids.add(message["id"]["_serialized"])
        by_chat.setdefault(message["from"], []).append(int(message["body"].split()[-1]))
    assert (len(by_chat), len(ids)) == (7, 60)
    assert all(numbers == sorted(numbers) for numbers in by_chat.values())


def test_more_chats_than_messages_is_one_message_each(fake: FakeGateway) -> None:
    assert run("message", "--count", "3", "--chats", "50").stdout.startswith("3 accepted")
    assert len({body["data"]["message"]["from"] for _, body in fake.asked}) == 3


def test_a_rate_is_kept(fake: FakeGateway) -> None:
    result = run("message", "--count", "6", "--rate", "20")
    took = re.search(r"in ([\d.]+) s", result.stdout)
    assert took is not None
    assert float(took[1]) >= 0.25  # five gaps of 50 ms


def test_the_engines_own_form_goes_to_its_own_door(fake: FakeGateway) -> None:
    fake.answers["POST /webhook/inbound"] = (202, {"status": "accepted"})
    assert run("message", "Hi", "--form", "engine", "--tenant", "acme").exit_code == 0
    ((call, body),) = fake.asked
    assert (call, body["tenant_id"], body["message"]) == ("POST /webhook/inbound", "acme", {"text": "Hi"})
    assert body["from"] == f"+{samples.chat_number(0)}"


def test_refusals_are_counted_and_are_exit_code_1(fake: FakeGateway) -> None:
    fake.answers[SESSION] = [(200, {}), (503, {"title": "Service unavailable"})]
    result = run("message", "--count", "4")
    assert result.exit_code == 1
    assert result.stdout.startswith("1 accepted, 3 refused")
    assert result.stderr == "error: 3 × 503 Service Unavailable\n"


@pytest.mark.parametrize(
    ("command", "status"),
    [("qr", "qr_generated"), ("ready", "session_connected"), ("disconnected", "session_not_connected")],
)
def test_session_events_change_the_session(fake: FakeGateway, command: str, status: str) -> None:
    assert run(command).stdout == f"{command} of demo: accepted\n"
    ((_, body),) = fake.asked
    (event,) = parse_session(body, account="demo")
    assert event.session is not None
    assert event.session.status == status


def test_a_phone_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pywhats" else there(name))
    result = run("phone")
    assert result.exit_code == 1
    assert result.stderr == (
        'error: the fake WhatsApp server needs pywhats, which is not installed: pip install "wagate[simulate]"\n'
    )
