"""init, and the example configuration that it writes."""

from __future__ import annotations

import re
import stat
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from wagate.cli import app
from wagate.cli.init import example
from wagate.config import convert_settings, load
from wagate.config.tables import Tables
from wagate.plugins.loader import installed_providers
from wagate.process.configured_accounts import AccountTable
from wagate.testing import fake_context
from wagate_chatwoot.settings import Settings as ChatwootSettings

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "WAGATE_ADMIN_TOKEN", "WAGATE_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_init_writes_a_configuration_and_secrets_for_the_owner_alone(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["init", "here/there"])
    assert result.exit_code == 0
    made = tmp_path / "here/there"
    files = sorted(path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file())
    assert files == ["config.toml", "data/admin_token", "data/secret_key"]
    assert {stat.S_IMODE((made / name).stat().st_mode) for name in files} == {0o600}
    assert result.stdout.strip() == (made / "data/admin_token").read_text().strip()


def test_init_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("# mine")
    result = CliRunner().invoke(app, ["init"])
    assert result.exit_code == 1
    assert result.stderr == "error: config.toml already exists; nothing was changed\n"
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]
    assert (tmp_path / "config.toml").read_text() == "# mine"


def test_init_keeps_secrets_that_are_there(tmp_path: Path) -> None:
    CliRunner().invoke(app, ["init"])
    token = (tmp_path / "data/admin_token").read_text()
    (tmp_path / "config.toml").unlink()
    result = CliRunner().invoke(app, ["init"])
    assert (result.exit_code, result.stdout) == (0, "")
    assert (tmp_path / "data/admin_token").read_text() == token


def test_init_says_why_it_can_not(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(app, ["init", "file/x"])
    assert (result.exit_code, result.stderr) == (1, "error: file/x/config.toml: can't be written: Not a directory\n")


def test_the_file_at_the_top_of_the_repository_is_what_init_writes() -> None:
    assert (ROOT / "config.toml").read_text("utf-8") == example()


def test_the_file_at_the_top_of_the_repository_holds_no_secret_and_no_account() -> None:
    config = load(ROOT / "config.toml", {})
    assert (config.secrets, config.accounts) == (frozenset(), {})


def test_the_example_has_every_key_and_loads_to_the_defaults_with_webhooks_alone(tmp_path: Path) -> None:
    written = tomllib.loads(example())
    for field in msgspec.structs.fields(Tables):
        if field.name not in {"accounts", "plugins"}:
            assert list(written[field.name]) == [key.name for key in msgspec.structs.fields(field.type)]
    defaults = load(None, {})
    (tmp_path / "config.toml").write_text(example())
    connectors: dict[str, Any] = {"webhook": {}}
    expected = msgspec.structs.replace(defaults, plugins=connectors)
    assert msgspec.structs.asdict(load(None, {})) == msgspec.structs.asdict(expected)


def test_what_the_example_comments_out_is_right_too(tmp_path: Path) -> None:
    text = re.sub(r"(?m)^# (?=\[|[a-z_]+ = )", "", example().split("# Accounts:")[1])
    names = (
        "META_ACCESS_TOKEN",
        "META_APP_SECRET",
        "META_VERIFY_TOKEN",
        "WHATSAPP_API_KEY",
        "CHATWOOT_TOKEN",
        "ALERTS_URL",
    )
    env = {"WHATSAPP_SERVER_API": "https://wa.example"} | {name: name.lower() for name in names}
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/chatwoot-support-secret").write_text("s3cret")
    (tmp_path / "config.toml").write_text("#" + text)
    config = load(None, env)
    assert set(config.accounts) == {"main", "phone"}
    for name, table in config.accounts.items():
        own = {key: value for key, value in table.items() if key not in AccountTable.__struct_fields__}
        assert own
        convert_settings(settings_type(str(table["provider"])), own, key=f"accounts.{name}")
    assert config.plugins["webhook"] == {}
    assert config.plugins["n8n"] == {"clients": ["*"], "expires": "24h"}
    chatwoot = convert_settings(ChatwootSettings, config.plugins["chatwoot"], key="plugins.chatwoot")
    assert chatwoot.inboxes["support"].secret == "s3cret"


def settings_type(provider: str) -> type[msgspec.Struct]:
    plugin = installed_providers()[provider].load()
    [made] = plugin.register_providers(context=fake_context(provider).context)
    found: type[msgspec.Struct] = made.settings_type
    return found
