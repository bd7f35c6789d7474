"""``wagate pair``: what it says while it waits."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.fake_gateway import TOKEN, FakeGateway, fake_gateway
from wagate.cli import app, pair
from wagate.hooks.providers import UNOFFICIAL


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGateway]:
    with tempfile.TemporaryDirectory(prefix="wg") as short:
        monkeypatch.chdir(short)
        monkeypatch.setenv("WAGATE_ADMIN_TOKEN", TOKEN)
        monkeypatch.delenv("DATABASE_URL", raising=False)
        monkeypatch.setattr(pair, "LOOK", 0.0)
        (Path(short) / "data").mkdir()
        with fake_gateway(Path(short) / "data") as running:
            yield running


def seen(status: str, message: str, qr: str | None = None) -> tuple[int, Any]:
    connected = status == "session_connected"
    return 200, {"data": {"isConnected": connected, "status": status, "message": message, "qr": qr}}


def test_it_says_why_there_is_no_code_yet_once(fake: FakeGateway) -> None:
    lost = seen("connecting", "WhatsApp can't be reached: no such host")
    fake.answers["GET /api/accounts"] = (200, {"data": [{"name": "main", "provider": "whatsapp"}]})
    fake.answers["GET /api/whatsapp/session/status/main"] = [
        lost,
        lost,
        seen("qr_generated", "QR code generated", "2@a"),
        seen("session_connected", "Linked"),
    ]
    result = CliRunner().invoke(app, ["pair", "main"])
    assert result.exit_code == 0, result.stderr
    assert result.stderr.count("main: WhatsApp can't be reached: no such host\n") == 1
    assert "main: QR code generated" not in result.stderr
    assert f"note: {UNOFFICIAL}\n" in result.stderr
    assert result.stdout.endswith("main is linked: Linked\n")
