"""Backups: what is in them, what they refuse, and what a restore makes of them."""

from __future__ import annotations

import os
import sqlite3
import stat
import tarfile
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from wagate.cli import app
from wagate.clock import Clock
from wagate.config.lock import hold
from wagate.errors import StorageError
from wagate.process.backup import Place, read_manifest, restore_backup, write_backup
from wagate.storage.upkeep.copies import copy_sqlite, last_backup, note_backup

NAME = "ab/" + "ab" * 32


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with everything in it that may be there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    folder = tmp_path / "data"
    for each in ("engine/main", "media/ab", "media/incoming", "valkey"):
        (folder / each).mkdir(parents=True)
    for name in ("secret_key", "admin_token", "engine/main/keys", NAME.join(("media/", "")), "media/incoming/x"):
        (folder / name).write_text(name)
    for name in ("valkey/dump", "wagate.sock", "note"):
        (folder / name).write_text("no part of a backup")
    for name in ("wagate.db", "engine/main/keys.db"):
        with closing(sqlite3.connect(folder / name)) as made:
            made.execute("PRAGMA journal_mode = wal")
            made.execute("CREATE TABLE t (a)")
            made.execute("INSERT INTO t VALUES (1)")
            made.commit()
    return folder


def place(folder: Path) -> Place:
    return Place(data=folder, media=folder / "media", database=folder / "wagate.db")


def run(*arguments: str, config: str = "config.toml") -> Result:
    Path(config).touch()
    return CliRunner().invoke(app, ["--config", config, *arguments])


def test_a_backup_holds_what_is_ours_and_comes_back_as_it_was(data: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(data / "wagate.db")) as live:
        live.execute("INSERT INTO t VALUES (2)")
        live.commit()  # In the write-ahead log alone.
        live.execute("INSERT INTO t VALUES (3)")  # Not there yet.
        result = run("backup", "b.tar", "--media", "kept")
    assert result.exit_code == 0, result.output
    assert stat.S_IMODE((tmp_path / "b.tar").stat().st_mode) == 0o600
    with tarfile.open(tmp_path / "b.tar") as packed:
        names = ["wagate-backup.json", "wagate.db", "secret_key", "admin_token", "engine/main/keys"]
        assert packed.getnames() == [*names, "engine/main/keys.db"]
        assert {each.mode for each in packed} == {0o600}
    assert (tmp_path / "kept" / NAME).samefile(data / "media" / NAME)
    Path("new.toml").write_text('[data]\ndir = "new"\n')
    restored = run("restore", "b.tar", "--media", "kept", config="new.toml")
    assert restored.exit_code == 0, restored.output
    new = tmp_path / "new"
    files = {each.relative_to(new).as_posix() for each in new.rglob("*") if each.is_file()}
    ours = {"wagate.db", "secret_key", "admin_token", "engine/main/keys", "engine/main/keys.db", f"media/{NAME}"}
    assert files == ours | {"wagate.lock"}
    for name in ("secret_key", "admin_token", "engine/main/keys", f"media/{NAME}"):
        assert (new / name).read_bytes() == (data / name).read_bytes()
    for name in ours - {f"media/{NAME}"}:
        assert stat.S_IMODE((new / name).stat().st_mode) == 0o600
    with closing(sqlite3.connect(new / "wagate.db")) as copy:
        assert copy.execute("SELECT a FROM t").fetchall() == [(1,), (2,)]
        assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_backup_overwrites_nothing_and_leaves_nothing_half_done(data: Path, tmp_path: Path) -> None:
    (tmp_path / "b.tar").write_text("mine")
    before = sorted(tmp_path.iterdir())
    result = run("backup", "b.tar")
    assert (result.exit_code, result.stderr) == (1, "error: b.tar: already exists; a backup never overwrites\n")
    (data / "wagate.db").write_bytes(b"SQLite format 3\0 and no more")
    broken = run("backup", "c.tar")
    assert broken.exit_code == 1
    assert "wagate.db: can't be copied: file is not a database" in broken.stderr
    assert run("backup", "nowhere/c.tar").exit_code == 1
    assert sorted(tmp_path.iterdir()) == sorted([*before, tmp_path / "config.toml"])
    assert (tmp_path / "b.tar").read_text() == "mine"


def test_one_of_two_backups_to_one_file_is_refused(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def slow(descriptor: int) -> None:
        (tmp_path / "b.tar").touch()
        real(descriptor)

    monkeypatch.setattr("wagate.process.backup.os.fsync", slow)
    assert "already exists" in run("backup", "b.tar").stderr
    assert (tmp_path / "b.tar").read_bytes() == b""


def test_media_that_were_not_copied_are_said_to_be_missing(data: Path) -> None:
    result = run("backup", "b.tar")
    assert f"media: 1 files, 0.0 MiB are listed but not included; copy {data}/media, or use --media" in result.stderr
    Path("new.toml").write_text('[data]\ndir = "new"\n')
    restored = run("restore", "b.tar", config="new.toml")
    assert restored.exit_code == 0, restored.output
    assert "1 media files are missing: put them into" in restored.stderr


def test_a_restore_needs_an_empty_folder_and_nobody_in_it(data: Path, tmp_path: Path) -> None:
    write_backup(place(data), tmp_path / "b.tar")
    before = sorted(data.rglob("*"))
    result = run("restore", "b.tar")
    assert result.exit_code == 1
    assert f"{data}: is not empty (admin_token, engine, media …); nothing was restored" in result.stderr
    assert [each for each in sorted(data.rglob("*")) if each.name != "wagate.lock"] == before
    Path("new.toml").write_text('[data]\ndir = "new"\n')
    with hold(tmp_path / "new", port=1):
        assert "wagate runs there" in run("restore", "b.tar", config="new.toml").stderr
    (tmp_path / "new/.restoring").mkdir()  # A restore was killed.
    assert run("restore", "b.tar", config="new.toml").exit_code == 0


@pytest.mark.parametrize("what", ["cut", "changed", "other", "escape"])
def test_a_damaged_or_foreign_backup_restores_nothing(data: Path, tmp_path: Path, what: str) -> None:
    file = tmp_path / "b.tar"
    write_backup(place(data), file)
    whole = file.read_bytes()
    match what:
        case "cut":
            file.write_bytes(whole[: len(whole) // 2])
        case "changed":
            file.write_bytes(whole.replace(b"CREATE TABLE t", b"CREATE TABLE u"))
        case "other":
            file.write_bytes(b"PK\3\4" * 1000)
        case "escape":
            file.write_bytes(whole.replace(b'"engine/main/keys"', b'"engine/../../key"'))
    Path("new.toml").write_text('[data]\ndir = "new"\n')
    result = run("restore", "b.tar", config="new.toml")
    assert result.exit_code == 1, result.output
    assert result.stderr.startswith("error: b.tar: ")
    new = tmp_path / "new"
    assert not new.exists() or [each.name for each in new.iterdir()] == ["wagate.lock"]


def test_a_backup_without_postgresql_says_how_to_have_it(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    Path("pg.toml").write_text('[database]\nurl = "postgresql://wagate:secret@db/wagate"\n')
    result = run("backup", "b.tar", config="pg.toml")
    assert result.exit_code == 0, result.output
    assert "pg_dump --format=custom" in result.stderr
    assert "wagate.db" not in [each.name for each in read_manifest(tmp_path / "b.tar").files]
    Path("new.toml").write_text('[data]\ndir = "new"\n')
    assert "was in PostgreSQL" in run("restore", "b.tar", config="new.toml").stderr
    run("backup", "lite.tar")
    assert "migrate-database" in run("restore", "lite.tar", config="pg.toml").stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_what_root_restores_is_the_folders_owners(data: Path, tmp_path: Path) -> None:
    write_backup(place(data), tmp_path / "b.tar", media_to=tmp_path / "kept")
    new = tmp_path / "new"
    new.mkdir(mode=0o700)
    os.chown(new, 54321, 54321)
    assert restore_backup(tmp_path / "b.tar", place(new), media_from=tmp_path / "kept") == []
    assert {each.stat().st_uid for each in [new, *new.rglob("*")]} == {54321}


def test_a_copy_of_a_database_that_can_not_be_made_says_why(data: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file or directory"):
        copy_sqlite(data / "wagate.db", tmp_path / "nowhere/copy.db")
    with pytest.raises(StorageError, match="unable to open"):
        copy_sqlite(data / "none.db", tmp_path / "copy.db")


def test_when_the_newest_was_made_is_remembered_and_no_backup_brings_it_back(data: Path, tmp_path: Path) -> None:
    assert last_backup(data) is None
    assert run("backup", "b.tar").exit_code == 0
    made = last_backup(data)
    assert made == read_manifest(tmp_path / "b.tar").made_at
    (data / "last_backup").write_text("who knows")
    assert last_backup(data) is None
    note_backup(tmp_path / "not there", Clock().now())


def test_a_restore_that_is_cut_off_while_it_copies_leaves_no_half_database(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from one file system to another, where moving is copying."""
    write_backup(place(data), tmp_path / "b.tar")
    Path("new.toml").write_text('[data]\ndir = "new"\n')

    def cut_off(_source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("wagate.process.backup.shutil.move", cut_off)
        assert "No space left on device" in run("restore", "b.tar", config="new.toml").stderr
    assert not (tmp_path / "new/wagate.db").exists()
    again = run("restore", "b.tar", config="new.toml")
    assert again.exit_code == 0, again.output
    assert (tmp_path / "new/wagate.db").read_bytes()[:6] == b"SQLite"
