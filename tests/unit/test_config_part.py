"""Parts of the configuration: commands read what they need, and miss no secret of the gateway."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.fake_gateway import TOKEN, fake_gateway
from wagate.cli import app
from wagate.config import load, load_part
from wagate.errors import ConfigError

SECRETIVE = """
[server]
public_url = "https://wa.example.org"
[database]
url = "env:ABSENT_DATABASE"
[redis]
url = "file:absent/redis"
[auth]
secret_key = "file:absent/key"
[accounts.main]
provider = "meta"
token = "env:ABSENT_TOKEN"
[plugins.chatwoot.inboxes.desk]
token = "file:absent/token"
[plugins.webhook]
"""


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="wg") as short:
        monkeypatch.chdir(short)
        for name in ("DATABASE_URL", "WAGATE_SECRET_KEY", "WAGATE_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("WAGATE_ADMIN_TOKEN", TOKEN)
        (Path(short) / "config.toml").write_text(SECRETIVE)
        (Path(short) / "data").mkdir()
        yield Path(short)


def test_a_part_needs_no_secret_of_the_rest(folder: Path) -> None:
    with pytest.raises(ConfigError, match="ABSENT_TOKEN is not set"):
        load(None, {})
    assert load_part(None, ["data.dir"], {}).data.dir == folder.resolve() / "data"
    assert load_part(None, ["server"], {}).server.public_url == "https://wa.example.org"
    assert load_part(None, ["accounts.*.provider"], {}).accounts == {"main": {"provider": "meta"}}
    assert list(load_part(None, ["plugins.*."], {}).plugins) == ["chatwoot", "webhook"]
    assert load_part(None, [], {}).database.url == ""


def test_what_is_wrong_in_a_part_is_said(folder: Path) -> None:
    for key in ("accounts.main", "accounts"):
        with pytest.raises(ConfigError, match=r"accounts\.main\.token: the environment variable ABSENT_TOKEN"):
            load_part(None, [key], {})
    with pytest.raises(ConfigError, match=r"server\.port: must be a whole number"):
        load_part(None, ["server.port"], {"WAGATE_SERVER__PORT": "x"})


def test_commands_to_a_running_gateway_need_no_secret_in_the_shell(folder: Path) -> None:
    with fake_gateway(folder / "data") as fake:
        fake.answers["GET /api/jobs"] = (200, {"data": [], "next_cursor": None})
        fake.answers["GET /api/doctor"] = (200, {"data": []})
        fake.answers["POST /api/clients"] = (201, {"id": 2, "slug": "acme", "token": "wga_x"})
        fake.answers["POST /messages/send"] = (200, {"status": "sent", "message_id": "wamid.1", "id": "m-1"})
        fake.answers["POST /api/whatsapp/webhook/demo"] = (202, {})
        fake.answers["POST /plugins/chatwoot/pulls"] = (200, {"state": "running", "done": 0})
        for command in (
            ["jobs", "list"],
            ["doctor"],
            ["client", "add", "acme"],
            ["send", "main", "+15551234567", "Hello"],
            ["simulate", "ready"],
            ["chatwoot", "pull", "contacts"],
            ["plugins", "list"],
        ):
            result = CliRunner().invoke(app, command)
            assert result.exit_code == 0, result.output


def test_a_given_token_needs_none_of_the_configuration(folder: Path) -> None:
    (folder / "config.toml").write_text('[auth]\nadmin_token = "file:absent"\n')
    with fake_gateway(folder / "data") as fake:
        fake.answers["GET /api/jobs"] = (200, {"data": [], "next_cursor": None})
        assert "absent" in CliRunner().invoke(app, ["jobs", "list"]).stderr
        result = CliRunner().invoke(app, ["--token", TOKEN, "jobs", "list"])
        assert result.exit_code == 0, result.output
