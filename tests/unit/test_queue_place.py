"""The embedded server's folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from wagate.queue.valkey.folder import is_locked, lock, open_place, turn_log, write_config


@pytest.fixture
def data() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="wgt-"))
    yield folder
    shutil.rmtree(folder)


def test_the_socket_is_in_the_folder_when_its_path_is_short_enough(data: Path) -> None:
    assert open_place(data).socket == data.resolve() / "valkey" / "valkey.sock"


def test_a_short_socket_is_found_again_and_made_anew_when_its_folder_is_gone(data: Path) -> None:
    deep = data / ("ü" * 40)  # counts in bytes
    first = open_place(deep).socket
    assert len(os.fsencode(first)) < 104
    assert open_place(deep).socket == first
    first.parent.rmdir()
    second = open_place(deep).socket
    assert second != first
    assert second.parent.is_dir()
    second.parent.rmdir()


def test_a_recorded_socket_in_a_folder_of_others_is_not_trusted(data: Path) -> None:
    deep = data / ("d" * 100)
    mine = open_place(deep).socket
    mine.parent.chmod(0o777)
    other = open_place(deep).socket
    assert other != mine
    mine.parent.rmdir()
    other.parent.rmdir()


def test_the_configuration_is_written_anew_and_for_us_alone(data: Path) -> None:
    place = open_place(data)
    place.config.write_text("old")
    place.config.chmod(0o644)
    write_config(place, maxmemory="64mb")
    lines = place.config.read_text().splitlines()
    assert {"port 0", "maxmemory 64mb", "maxmemory-policy noeviction", "appendfsync everysec", 'save ""'} <= set(lines)
    assert place.config.stat().st_mode & 0o777 == 0o600


def test_a_lock_is_held_until_its_last_copy_is_closed(data: Path) -> None:
    path = data / "x.lock"
    held = lock(path)
    assert held is not None
    assert lock(path) is None
    copy = os.dup(held)
    os.close(held)
    assert is_locked(path)
    os.close(copy)
    assert not is_locked(path)


def test_a_large_log_is_put_aside(data: Path) -> None:
    place = open_place(data)
    assert turn_log(place) == 0
    place.log.write_text("a line\n")
    assert turn_log(place) == 7
    place.log.write_bytes(b"x" * 1_000_001)
    assert turn_log(place) == 0
    assert not place.log.exists()
    assert (place.folder / "valkey.log.1").stat().st_size == 1_000_001
