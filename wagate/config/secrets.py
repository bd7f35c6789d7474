"""The admin token and the secret key: configured, or made at first start and kept in the data folder."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from cryptography.fernet import Fernet

from wagate.config.tables import Config
from wagate.errors import ConfigError

TOKEN_FILE: Final = "admin_token"  # noqa: S105  (a file's name)
KEY_FILE: Final = "secret_key"


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """The two secrets that a gateway runs with."""

    admin_token: str
    """The token that may do everything."""
    secret_keys: tuple[str, ...]
    """For `wagate.config.vault.Vault`: the first encrypts, all decrypt."""
    made: tuple[str, ...] = ()
    """What this call made: ``admin_token``, ``secret_key``. A fresh token is shown once, by who started the gateway."""

    def __repr__(self) -> str:
        return f"Secrets(made={self.made})"


def open_secrets(config: Config) -> Secrets:
    """Both secrets; those that the configuration lacks are read from ``data.dir``, or made there (files 0600).

    Raises:
        ConfigError: the folder or a file in it can't be read or written.
    """
    made: list[str] = []
    token = config.auth.admin_token or _kept(config.data.dir, TOKEN_FILE, new_token, made)
    keys = [config.auth.secret_key] if isinstance(config.auth.secret_key, str) else config.auth.secret_key
    keys = [key for key in keys if key] or [_kept(config.data.dir, KEY_FILE, _new_key, made)]
    return Secrets(admin_token=token, secret_keys=tuple(keys), made=tuple(made))


def read_admin_token(config: Config) -> str | None:
    """The token for commands that talk to a running gateway; None when there is none yet. Makes nothing."""
    return config.auth.admin_token or _read(config.data.dir / TOKEN_FILE)


def make_folder(folder: Path) -> None:
    """Make the data folder (0700, with what is above it); one that was open to others is closed. Raises ConfigError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        close_to_others(folder)
    except OSError as error:
        raise ConfigError(f"data.dir: can't make the folder {folder}: {error.strerror}") from error


def close_to_others(path: Path) -> None:
    """Only its owner may read and write it from now on. OSError; of another owner's file, it stays as it is."""
    status = path.stat()
    if status.st_mode & 0o077 and status.st_uid == os.geteuid():
        path.chmod(status.st_mode & 0o700)


def _kept(folder: Path, name: str, make: Callable[[], str], made: list[str]) -> str:
    found = _read(folder / name)
    if found is not None:
        return found
    make_folder(folder)
    value = make()
    if _write_new(folder / name, value):
        made.append(name)
        return value
    return _kept(folder, name, make, made)  # another process was faster


def _read(path: Path) -> str | None:
    try:
        text = path.read_text(encoding="ascii").strip()
        close_to_others(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is damaged (not plain text); restore it from a backup") from error
    if not text:
        raise ConfigError(f"{path}: is empty; restore it from a backup, or delete it to get a new one")
    return text


def _write_new(path: Path, value: str) -> bool:
    """Write the file whole, with fsync, unless it is there; False when it is."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(value + "\n")
            file.flush()
            os.fsync(file.fileno())
        _publish(temporary, path)
        _sync_folder(path.parent)
    except FileExistsError:
        return False
    except OSError as error:
        raise ConfigError(f"{path}: can't be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _publish(temporary: Path, path: Path) -> None:
    """A link, unlike a rename, never takes the place of a file that another process has just made."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.ENOTSUP, errno.ENOSYS} or path.exists():
            raise
        temporary.rename(path)  # a file system without hard links


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def new_token(prefix: str = "wga_") -> str:
    """A token that nobody can guess; the prefix lets people and scanners see what it is."""
    return prefix + secrets.token_urlsafe(32)


def _new_key() -> str:
    return Fernet.generate_key().decode()
