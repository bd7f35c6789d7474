"""All that is ours in a data folder → one file, and back.

The file is a tar: `Manifest` as JSON, then what it lists. Media are listed only: their files never change, so that a
folder of hard links is their backup. Redis is not in it: it is filled from the database.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Final, Literal

import msgspec

from wagate.clock import Clock
from wagate.config.lock import FILE as LOCK
from wagate.config.lock import hold
from wagate.config.secrets import KEY_FILE, TOKEN_FILE
from wagate.errors import ConfigError
from wagate.storage.database import FILE as DATABASE
from wagate.storage.upkeep.copies import MARK, copy_sqlite, is_sqlite, note_backup

MANIFEST: Final = "wagate-backup.json"
ENGINE: Final = "engine"
"""In the data folder: the keys of engines that run in the gateway."""
_HALF: Final = ".restoring"
"""In the data folder, while it is filled."""
_MEDIA: Final = re.compile(r"[0-9a-f]{2}/[0-9a-f]{64}")
_CHUNK: Final = 1024 * 1024
_OTHER_KIND: Final = {
    "sqlite": "{file}: holds a SQLite database, and database.url names PostgreSQL; restore it with database.url empty, "
    'then "wagate migrate-database URL"',
    "postgres": "{file}: its database was in PostgreSQL, and is not in it; set database.url, and restore that one with "
    "pg_restore",
}


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A file in the backup."""

    name: str
    """From the data folder."""
    size: int
    sha256: str
    """Hex."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A media file: its name in the media folder is its hash."""

    name: str
    size: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds."""

    made_at: datetime
    database: Literal["sqlite", "postgres"]
    """sqlite: among the files; postgres: not in it."""
    files: list[Kept]
    media: list[Listed]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a gateway keeps what is its own."""

    data: Path
    media: Path
    database: Path | None
    """The SQLite file; None with PostgreSQL."""


def write_backup(place: Place, file: Path, *, media_to: Path | None = None) -> Manifest:
    """Write a new file (0600), whole or not at all, while the gateway serves; what is in it.

    ``media_to`` gets hard links to the media that it lacks, or copies where there can be none.

    Raises:
        ConfigError: ``file`` is there already, or something can't be read or written.
        StorageError: the database can't be copied.
    """
    if file.exists():
        raise ConfigError(f"{file}: already exists; a backup never overwrites")
    try:
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=".wagate-backup-") as work:
            folder = Path(work)
            kept = [_kept(name, source) for name, source in _copied(place, folder)]
            # After the database, so that what it knows of is there.
            manifest = Manifest(
                made_at=Clock().now(),
                database="sqlite" if place.database else "postgres",
                files=kept,
                media=list(_media(place.media)),
            )
            if media_to is not None:
                _link_media(manifest.media, place.media, media_to)
            _publish(_packed(manifest, folder), file)
    except OSError as error:
        raise ConfigError(f"{error.filename or file}: {error.strerror}") from error
    note_backup(place.data, manifest.made_at)
    return manifest


def read_manifest(file: Path) -> Manifest:
    """What a backup says of itself. ConfigError: it is none."""
    try:
        with tarfile.open(file, "r:") as packed:
            first = packed.next()
            opened = packed.extractfile(first) if first is not None and first.name == MANIFEST else None
            if opened is None:
                raise ConfigError(f"{file}: is not a wagate backup")
            manifest = msgspec.json.decode(opened.read(), type=Manifest)
    except (tarfile.TarError, msgspec.DecodeError) as error:
        raise ConfigError(f"{file}: is not a wagate backup, or is damaged: {error}") from error
    except OSError as error:
        raise ConfigError(f"{file}: can't be read: {error.strerror}") from error
    bad = [each.name for each in manifest.files if not _is_ours(each.name)]
    bad += [each.name for each in manifest.media if not _MEDIA.fullmatch(each.name)]
    if bad:
        raise ConfigError(f"{file}: holds {bad[0]!r}, which is not part of a wagate backup; nothing was restored")
    return manifest


def restore_backup(file: Path, place: Place, *, media_from: Path | None = None) -> list[Listed]:
    """Fill an empty data folder from a backup; the media that are still missing.

    What root restores belongs to the folder's owner.

    Raises:
        ConfigError: the folder is not empty, or the backup is damaged or of another kind of database; nothing was
            restored.
        AlreadyRunningError: a gateway runs there.
    """
    manifest = read_manifest(file)
    if (manifest.database == "sqlite") != (place.database is not None):
        raise ConfigError(_OTHER_KIND[manifest.database].format(file=file))
    owner = place.data.stat() if place.data.exists() else None
    with hold(place.data, port=0):
        _check_empty(place)
        half = place.data / _HALF
        try:
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir(mode=0o700)
            _unpack(file, manifest, half)
            if media_from is not None:
                inside = place.media.is_relative_to(place.data)
                _link_media(
                    manifest.media, media_from, half / place.media.relative_to(place.data) if inside else place.media
                )
            _settle(half, place)
            if owner is not None and os.geteuid() == 0:
                _give(place, owner.st_uid, owner.st_gid)
        except OSError as error:
            raise ConfigError(f"{error.filename or place.data}: {error.strerror}") from error
        finally:
            shutil.rmtree(half, ignore_errors=True)
    return [each for each in manifest.media if not (place.media / each.name).is_file()]


def _check_empty(place: Place) -> None:
    there = {each.name for each in place.data.iterdir() if not each.name.endswith(_HALF)}
    left = sorted(there - {LOCK, MARK})
    if not left and place.database is not None and place.database.exists():
        left = [str(place.database)]
    if left:
        names = ", ".join(left[:3]) + (" …" if len(left) > 3 else "")
        raise ConfigError(f"{place.data}: is not empty ({names}); nothing was restored")


def _copied(place: Place, folder: Path) -> Iterator[tuple[str, Path]]:
    """(name in the backup, its copy): the database first, so that all the rest is no older."""
    if place.database is not None:
        if not place.database.is_file():
            raise ConfigError(f"{place.database}: there is no database yet; nothing was written")
        copy_sqlite(place.database, folder / DATABASE)
        yield DATABASE, folder / DATABASE
    engine = place.data / ENGINE
    files = [place.data / KEY_FILE, place.data / TOKEN_FILE, *sorted(engine.rglob("*") if engine.is_dir() else [])]
    for each in files:
        if not each.is_file() or each.name.endswith(("-wal", "-shm", "-journal")):
            continue
        name = each.relative_to(place.data).as_posix()
        copy = folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if is_sqlite(each):
            copy_sqlite(each, copy)
        else:
            shutil.copyfile(each, copy)
        yield name, copy


def _kept(name: str, copy: Path) -> Kept:
    with copy.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return Kept(name=name, size=copy.stat().st_size, sha256=digest)


def _media(folder: Path) -> Iterator[Listed]:
    for each in sorted(folder.glob("??/*")):
        name = each.relative_to(folder).as_posix()
        if _MEDIA.fullmatch(name):
            with suppress(FileNotFoundError):  # its time was over a moment ago
                yield Listed(name=name, size=each.stat().st_size)


def _link_media(media: Iterable[Listed], source: Path, target: Path) -> None:
    for each in media:
        place = target / each.name
        if place.exists():
            continue
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # its time was over a moment ago, or it was not backed up
            _link(source / each.name, place)


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one without hard links
        part = target.with_name(f".{target.name}.part")
        shutil.copyfile(source, part)
        part.chmod(0o600)
        part.replace(target)


def _packed(manifest: Manifest, folder: Path) -> Path:
    whole = folder / "whole"
    with os.fdopen(os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        with tarfile.open(fileobj=file, mode="w:", format=tarfile.PAX_FORMAT) as packed:
            said = msgspec.json.encode(manifest)
            _add(packed, MANIFEST, len(said), io.BytesIO(said), manifest.made_at)
            for each in manifest.files:
                with (folder / each.name).open("rb") as opened:
                    _add(packed, each.name, each.size, opened, manifest.made_at)
        file.flush()
        os.fsync(file.fileno())
    return whole


def _add(packed: tarfile.TarFile, name: str, size: int, content: IO[bytes], made_at: datetime) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, 0o600, int(made_at.timestamp())
    packed.addfile(entry, content)


def _publish(whole: Path, file: Path) -> None:
    """A link, unlike a rename, never takes the place of a file that somebody has just made."""
    try:
        file.hardlink_to(whole)
    except FileExistsError as error:
        raise ConfigError(f"{file}: already exists; a backup never overwrites") from error
    except PermissionError:  # a file system without hard links
        whole.rename(file)
    descriptor = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_ours(name: str) -> bool:
    parts = PurePosixPath(name).parts
    inside = len(parts) > 1 and parts[0] == ENGINE and not {"..", "/"} & set(parts)
    return name in {DATABASE, KEY_FILE, TOKEN_FILE} or inside


def _unpack(file: Path, manifest: Manifest, folder: Path) -> None:
    try:
        with tarfile.open(file, "r:") as packed:
            for each in manifest.files:
                content = packed.extractfile(each.name)
                if content is None or _written(content, folder / each.name) != (each.size, each.sha256):
                    raise ConfigError(f"{file}: is damaged: {each.name} has changed; nothing was restored")
    except (KeyError, tarfile.TarError) as error:
        raise ConfigError(f"{file}: is damaged: {error}; nothing was restored") from error


def _written(content: IO[bytes], path: Path) -> tuple[int, str]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    size, digest = 0, hashlib.sha256()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        while chunk := content.read(_CHUNK):
            size += len(chunk)
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return size, digest.hexdigest()


def _settle(half: Path, place: Place) -> None:
    """Everything to its place; the database last, since without it nothing else counts.

    It may go to another file system: it is copied beside its place before, so that nobody ever finds half of it.
    """
    beside = None if place.database is None else place.database.with_name(f".{place.database.name}{_HALF}")
    if beside is not None:
        try:
            shutil.move(half / DATABASE, beside)
        except OSError:
            beside.unlink(missing_ok=True)
            raise
        _sync(beside)
    for each in sorted(half.iterdir()):
        each.rename(place.data / each.name)
    if beside is not None and place.database is not None:
        beside.rename(place.database)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _give(place: Place, user: int, group: int) -> None:
    for each in [place.data, *place.data.rglob("*"), place.media, *place.media.rglob("*"), place.database]:
        if each is not None and each.exists():
            os.chown(each, user, group, follow_symlinks=False)
