from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from wagate.config.secrets import open_secrets, read_admin_token
from wagate.config.tables import Auth, Config, Data
from wagate.config.vault import Vault
from wagate.errors import ConfigError


def config(folder: Path, **auth: str | list[str]) -> Config:
    return Config(data=Data(dir=folder), auth=Auth(**auth))  # type: ignore[arg-type]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_first_start_makes_both_secrets_for_the_owner_alone(tmp_path: Path) -> None:
    made = open_secrets(config(tmp_path / "data"))
    assert made.made == ("admin_token", "secret_key")
    assert len(made.admin_token) >= 40
    assert mode(tmp_path / "data") == 0o700
    files = sorted((tmp_path / "data").iterdir())
    assert [(file.name, mode(file)) for file in files] == [("admin_token", 0o600), ("secret_key", 0o600)]
    Vault(made.secret_keys).encrypt("x")


def test_the_second_start_reads_what_the_first_made(tmp_path: Path) -> None:
    first, second = open_secrets(config(tmp_path)), open_secrets(config(tmp_path))
    assert second.made == ()
    assert (second.admin_token, second.secret_keys) == (first.admin_token, first.secret_keys)
    assert read_admin_token(config(tmp_path)) == first.admin_token


def test_what_the_configuration_gives_is_taken_and_nothing_is_made(tmp_path: Path) -> None:
    given = open_secrets(config(tmp_path / "data", admin_token="mine", secret_key=["a" * 16, "b" * 16]))
    assert (given.admin_token, given.secret_keys, given.made) == ("mine", ("a" * 16, "b" * 16), ())
    assert not (tmp_path / "data").exists()


def test_no_token_is_read_where_none_was_made(tmp_path: Path) -> None:
    assert read_admin_token(config(tmp_path / "data")) is None
    assert not (tmp_path / "data").exists()


def test_starts_at_the_same_time_agree_on_one_token(tmp_path: Path) -> None:
    found: list[str] = []
    barrier = threading.Barrier(8)

    def start() -> None:
        barrier.wait(timeout=60)
        found.append(open_secrets(config(tmp_path)).admin_token)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(found) == 8
    assert len(set(found)) == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == ["admin_token", "secret_key"]


def test_a_file_that_others_may_read_is_closed_to_them(tmp_path: Path) -> None:
    open_secrets(config(tmp_path))
    (tmp_path / "admin_token").chmod(0o644)
    open_secrets(config(tmp_path))
    assert mode(tmp_path / "admin_token") == 0o600


def test_a_file_system_without_hard_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path, _target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    first = open_secrets(config(tmp_path))
    assert open_secrets(config(tmp_path)).admin_token == first.admin_token


def test_an_empty_file_is_an_error_not_an_open_door(tmp_path: Path) -> None:
    (tmp_path / "admin_token").write_text("\n")
    with pytest.raises(ConfigError, match=r"admin_token: is empty; restore it from a backup"):
        open_secrets(config(tmp_path))


def test_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_bytes(os.urandom(20) + b"\xff")
    with pytest.raises(ConfigError, match=r"secret_key: is damaged"):
        open_secrets(config(tmp_path))


def test_a_folder_that_can_not_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"can't be read: Not a directory|can't make the folder"):
        open_secrets(config(tmp_path / "file" / "data"))


def test_secrets_do_not_show_themselves(tmp_path: Path) -> None:
    secrets = open_secrets(config(tmp_path))
    assert secrets.admin_token not in repr(secrets)
    assert secrets.secret_keys[0] not in repr(secrets)
