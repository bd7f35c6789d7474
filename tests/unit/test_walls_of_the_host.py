"""What else the machine and its terminals see: files, logs, tables, headers; and secrets that are too short."""

from __future__ import annotations

import io
import json
import resource
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import structlog

from wagate.cli import show
from wagate.config import Config, load
from wagate.config.secrets import make_folder
from wagate.config.tables import Server
from wagate.errors import ConfigError
from wagate.parsing.printable import printable
from wagate.plugins.registry import Providers
from wagate.process import app, files
from wagate.process.configured_accounts import read_accounts
from wagate.process.http_side import server_config
from wagate.process.logs import configure_logs
from wagate.storage.backend.sqlite import Sqlite

ESCAPES = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202edlrow\r\nfaked line"


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_folder_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    make_folder(folder)
    assert mode(folder) == 0o700


def test_database_files_that_were_open_to_others_are_closed(tmp_path: Path) -> None:
    path = tmp_path / "wagate.db"
    with sqlite3.connect(path) as old:
        old.execute("PRAGMA journal_mode=wal")
        old.execute("CREATE TABLE t (a)")
        for each in tmp_path.iterdir():
            each.chmod(0o666)
        database = Sqlite(path).open(writer=True)
        database.connect()
        database.execute_sql("INSERT INTO t VALUES (1)")
        assert {each.name: mode(each) for each in tmp_path.iterdir()} == {
            "wagate.db": 0o600,
            "wagate.db-shm": 0o600,
            "wagate.db-wal": 0o600,
        }
        database.close()


def test_names_from_outside_do_not_steer_the_terminal_in_tables_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    show.table(["name"], [[ESCAPES], [{"a": ESCAPES}]], empty="")
    show.emit_json({"name": ESCAPES, "city": "São Paulo"})
    out = capsys.readouterr().out
    assert out.replace("\n", "").replace("\t", "").isprintable()
    assert "São Paulo" in out
    assert json.loads(out[out.index("{\n") :])["name"] == ESCAPES


def test_names_from_outside_do_not_steer_the_terminal_in_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("sys.stderr", io.TextIOWrapper(written))
    configure_logs("info", "console", frozenset())
    try:
        structlog.get_logger("wagate.test").warning("provider said", reason=ESCAPES, more=[ESCAPES])
    finally:
        structlog.reset_defaults()
    line = written.getvalue().decode()
    assert line.count("\n") == 1
    assert "\x1b[2J" not in line
    assert "\x1b]0" not in line
    assert "\x9b" not in line
    assert "\u202e" not in line


def test_text_that_can_be_printed_stays_as_it_is() -> None:
    assert printable("Olá 😀 мир") == "Olá 😀 мир"
    assert printable("a\nb", keep="\n") == "a\nb"


@pytest.mark.parametrize(("certfile", "expected"), [("cert.pem", True), ("", False)])
def test_browsers_are_told_to_stay_with_tls_when_we_serve_it(certfile: str, expected: bool) -> None:
    made = server_config(Config(server=Server(certfile=certfile, keyfile=certfile)))
    for protocol in ("h11", "h2"):
        assert (b"strict-transport-security" in dict(made.response_headers(protocol))) is expected


def test_proxies_hear_from_a_quiet_websocket() -> None:
    assert (server_config(Config()).websocket_ping_interval or 0) in range(1, 60)


def test_the_limit_of_open_files_is_raised_and_leaves_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [(1024, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _kind, given: limits.append(given))
    files.raise_file_limit()
    assert limits[-1] == (4096, 4096)
    assert files.most_connections(0) == 4096 - files.OTHERS
    assert files.most_connections(10) == 10
    limits.append((256, 256))
    assert files.most_connections(0) == 128
    limits.append((resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert files.most_connections(0) == files.MOST


def test_who_runs_it_as_root_is_warned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    async def serve(_config: Config, *_: object) -> None:
        said.append("serves")

    class Log:
        def warning(self, event: str, **_facts: Any) -> None:
            said.append(event)

    (tmp_path / "config.toml").write_text("")
    monkeypatch.setattr(app, "configure_logs", lambda *_, **__: None)
    monkeypatch.setattr(app, "_serve_until_signalled", serve)
    monkeypatch.setattr(app, "log", Log())
    monkeypatch.setattr("os.umask", lambda _mask: 0)
    for user in (0, 1000):
        monkeypatch.setattr("os.geteuid", lambda user=user: user)
        assert app.run(tmp_path / "config.toml") == 0
    assert [line.partition(":")[0] for line in said] == ["running as root", "serves", "serves"]


@pytest.mark.parametrize("text", ['[auth]\nadmin_token = "fifteen-letters"', '[auth]\nsecret_key = "short"'])
def test_secrets_of_people_have_sixteen_characters(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(ConfigError, match="is too short; use at least 16 characters"):
        load(tmp_path / "config.toml", {})


def test_so_have_those_of_accounts() -> None:
    config = Config(accounts={"main": {"provider": "engine", "webhook_secret": "fifteen-letters"}})
    with pytest.raises(ConfigError, match=r"accounts\.main\.webhook_secret: is too short"):
        read_accounts(config, Providers(public_url=""))


def test_the_room_for_bodies_is_more_than_one_of_them(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[limits]\nbody_bytes = "15MiB"')
    with pytest.raises(ConfigError, match=r"limits\.body_bytes: must be at least twice server\.max_body"):
        load(tmp_path / "config.toml", {})
