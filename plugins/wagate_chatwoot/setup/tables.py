"""A new inbox in config.toml: a table added at its end, its secrets in files beside it. What stands there stays."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from wagate.errors import ConfigError

FOLDER: Final = "secrets"
"""Beside config.toml, for its owner alone."""


def table_text(name: str, values: Mapping[str, Any]) -> str:
    """``[plugins.chatwoot.inboxes.<name>]`` as TOML; texts, numbers and lists of texts. Pure."""
    # A basic string of TOML is one of JSON, but for DEL, which no such value has.
    lines = [f"{key} = {msgspec.json.encode(value).decode()}" for key, value in values.items()]
    return "\n".join([f"[plugins.chatwoot.inboxes.{msgspec.json.encode(name).decode()}]", *lines, ""])


def check_place(file: Path, name: str) -> None:
    """ConfigError: there is no such file, it has a table of this name, or it and its secrets can't be written."""
    if not file.is_file():
        raise ConfigError(f'{file}: there is no such file; "wagate init" writes one')
    try:
        table: Any = tomllib.loads(file.read_text("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{file}: can't be read: {error.strerror}") from error
    for key in ("plugins", "chatwoot", "inboxes", name):
        table = table.get(key) if isinstance(table, dict) else None
    if table is not None:
        raise ConfigError(f"{file}: [plugins.chatwoot.inboxes.{name}] already exists; choose another --name")
    folder = file.parent / FOLDER
    for place in (file, folder if folder.exists() else file.parent):
        # What is refused here would otherwise fail when the inbox is made already.
        if not os.access(place, os.W_OK | (os.X_OK if place.is_dir() else 0)):
            raise ConfigError(f"{place}: you may not write there; nothing was done; run this as {_owner(place)}")


def _owner(place: Path) -> str:
    try:
        return place.owner()
    except KeyError:  # the number has no name
        return "its owner"


def add_table(file: Path, name: str, values: Mapping[str, Any]) -> None:
    """Append it. ConfigError: the file would be wrong with it; nothing was written."""
    before = file.read_text("utf-8-sig")
    added = ("" if before.endswith("\n") or not before else "\n") + "\n" + table_text(name, values)
    try:
        tomllib.loads(before + added)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"{file}: a table can't be added at its end ({error}); add this by hand:\n{added.strip()}"
        ) from error
    try:
        with file.open("a", encoding="utf-8", newline="\n") as opened:
            opened.write(added)
    except OSError as error:
        raise ConfigError(f"{file}: can't be written: {error.strerror}; add this by hand:\n{added.strip()}") from error


def keep_secrets(file: Path, secrets: Sequence[tuple[str, str]], *, reader: Path) -> dict[str, str]:
    """Write each (name, secret) into a file of its own; name → what config.toml says in its place.

    A secret that is ``env:…`` already is left so. A file that is there is replaced only when nothing refers to it:
    the caller has made sure that the table is new. When root writes them, they are made for the owner of ``reader``
    (the data folder: the gateway's user).
    """
    folder = file.parent / FOLDER
    said = {}
    for name, secret in secrets:
        if secret.startswith(("env:", "file:")):
            said[name] = secret
            continue
        place = folder / name
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            if folder.stat().st_uid == os.geteuid():
                _hand_over(folder, file, reader, group=0o050)
            place.unlink(missing_ok=True)
            descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
                opened.write(secret)
            _hand_over(place, file, reader, group=0o040)
        except OSError as error:
            raise ConfigError(f"{place}: can't be written: {error.strerror}") from error
        said[name] = f"file:{FOLDER}/{name}"
    return said


def _hand_over(place: Path, file: Path, reader: Path, *, group: int) -> None:
    """What root made → the gateway's user; while its folder is not there, whoever may read config.toml."""
    if os.geteuid() != 0:
        return
    try:
        owner = reader.stat()
    except FileNotFoundError:
        owner = file.stat()
        if owner.st_mode & 0o040 and owner.st_gid != 0:
            place.chmod(place.stat().st_mode | group)
    os.chown(place, owner.st_uid, owner.st_gid)
