"""Conversions run in a child process: what a file can do to the gateway, and what is left of it."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import struct
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs

from tests.conversions import claiming, made_of, slow_sound
from tests.films import film
from tests.sounds import mp3
from wagate.errors import StorageError
from wagate.media import convert
from wagate.media.convert import VIDEO, VOICE, Conversion, converted
from wagate.media.failure import NoConverterError, NotConvertedError
from wagate.media.files import FileStore

GROWTH = 24 * 1024**2
"""Bytes that our own memory may grow by while any of these is converted."""
TALL = (4098, 2306)
GATEWAY = """
import json, sys, trio
from wagate.media import convert
trio.run(convert._asked, json.loads(sys.argv[1]), 60.0)
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def slow_film() -> bytes:
    """Its sound has 1 sample a second: Matroska's SamplingFrequency."""
    right = film("libx264", "matroska", sound="pcm_s16le")
    return right.replace(struct.pack(">d", 48_000.0), struct.pack(">d", 1.0))


def late_film(at: int = 2**60) -> bytes:
    """It begins ``at`` milliseconds: its sound's samples don't fit into 64 bits. Matroska's Cluster and Timestamp."""
    right = film("libx264", "matroska", sound="pcm_s16le")
    begin = right.index(b"\x1f\x43\xb6\x75") + 4
    size = int.from_bytes(right[begin : begin + 3], "big") & 0x1FFFFF
    time = right.index(b"\xe7\x81\x00", begin)
    cluster = b"\x01" + (size + 7).to_bytes(7, "big") + right[begin + 3 : time] + b"\xe7\x88" + at.to_bytes(8, "big")
    whole = right[:begin] + cluster + right[time + 3 :]
    segment = whole.index(b"\x18\x53\x80\x67") + 4
    return whole[:segment] + b"\x01" + b"\xff" * 7 + whole[segment + 8 :]


def endless() -> bytes:
    """A minute of packets without pictures."""
    return claiming(12_000_000, content=bytes(12_000_000))


@contextmanager
def memory_stays() -> Iterator[None]:
    """Our resident memory, at its highest, grew by little."""
    Path("/proc/self/clear_refs").write_text("5", "ascii")
    before = highest()
    yield
    assert highest() - before < GROWTH


def highest() -> int:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def children(parent: int | None = None) -> set[int]:
    """Processes of ours, or of another's, that convert."""
    found = set()
    for each in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            words, stat = (each / "cmdline").read_bytes().split(b"\0"), (each / "stat").read_text("ascii")
            if convert.MODULE.encode() in words and int(stat.rpartition(")")[2].split()[1]) == (parent or os.getpid()):
                found.add(int(each.name))
    return found


def state_of(process: int) -> str:
    with suppress(FileNotFoundError):
        return Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    return "Z"


@pytest.mark.parametrize(
    ("what", "make", "why"),
    [
        (VIDEO, lambda: claiming(5_000_000), "contains no video"),
        (VIDEO, lambda: claiming(200_000_000), "contains no video"),
        (VIDEO, slow_film, "its sound has 1 samples a second"),
        (VIDEO, late_film, "can't be read as matroska: OverflowError"),
        (VOICE, lambda: slow_sound(1), "its sound has 1 samples a second"),
        (VOICE, lambda: slow_sound(400_000), "its sound has 400000 samples a second"),
        (VIDEO, lambda: film("libvpx", "webm", size=TALL, seconds=0.04), "its pictures have 4098 × 2306 pixels"),
        (VIDEO, lambda: film("mpeg4", size=TALL, seconds=0.04), "can't be read as mov: ArgumentError"),
    ],
    ids=["five million", "many", "film rate", "far times", "rate", "fast", "webm pictures", "mp4 pictures"],
)
async def test_a_hostile_file_is_refused_and_takes_none_of_our_memory(
    what: Conversion, make: Callable[[], bytes], why: str, tmp_path: Path
) -> None:
    given = make()
    with memory_stays(), pytest.raises(NotConvertedError, match=why):
        await made_of(given, what, tmp_path)
    assert not children()


async def test_packets_without_pictures_take_no_longer_than_allowed(tmp_path: Path) -> None:
    given, began = endless(), trio.current_time()
    with memory_stays(), pytest.raises(NotConvertedError, match=r"longer than 0\.8 s"):
        await made_of(given, dataclasses.replace(VIDEO, patience=0.8), tmp_path)
    assert trio.current_time() - began < 8
    assert not children()


@asynccontextmanager
async def converting(given: Path, store: FileStore) -> AsyncIterator[int]:
    """The process that converts a file; after the block, whoever asked goes away."""

    async def ask() -> None:
        async with converted(VIDEO, given, store.writing):
            raise AssertionError("it can't be done so soon")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        yield await child_of(os.getpid())
        nursery.cancel_scope.cancel()


async def child_of(parent: int) -> int:
    """The process that converts, once it has set its limits."""
    with trio.fail_after(20):
        while True:
            for child in children(parent):
                if "1000" in Path(f"/proc/{child}/oom_score_adj").read_text("ascii"):
                    return child
            await trio.sleep(0.01)


async def test_who_goes_away_leaves_no_child_and_no_file(tmp_path: Path) -> None:
    (tmp_path / "given").write_bytes(endless())
    async with converting(tmp_path / "given", FileStore(tmp_path / "media")):
        pass
    assert not children()
    assert not list((tmp_path / "media" / "incoming").iterdir())


async def test_the_child_ends_with_a_gateway_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "given").write_bytes(endless())
    (tmp_path / "made").touch()
    ask = {"encoder": "h264", "demuxer": "mov", "given": str(tmp_path / "given"), "into": str(tmp_path / "made")}
    limits = {"largest": 1024**2, "may_stay": True, "cpu": 60}
    gateway = await trio.lowlevel.open_process([sys.executable, "-c", GATEWAY, json.dumps(ask | limits)])
    child = await child_of(gateway.pid)
    gateway.kill()
    await gateway.wait()
    with trio.fail_after(30):
        while Path(f"/proc/{child}").exists() and state_of(child) != "Z":
            await trio.sleep(0.01)


@pytest.mark.parametrize(
    ("program", "why", "ours"),
    [
        ("raise ImportError('libx.so: no such file')", r"could not be started \(exit code 1\)", True),
        ("kill(getpid(), 9)", r"ended from outside \(SIGKILL\)", True),
        ("kill(getpid(), 15)", r"ended from outside \(SIGTERM\)", True),
        ("kill(getpid(), 11)", r"died of it \(SIGSEGV\)", False),
        ("from wagate.media.encoder import _limit; _limit(1)\nwhile True: pass", r"died of it \(SIGXCPU\)", False),
        ("write(2, b'{\"made\": true}'); kill(getpid(), 11)", r"died of it \(SIGSEGV\)", False),
        ("_exit(0)", r"died of it \(exit code 0\)", False),
    ],
    ids=["import", "no memory", "stop", "crash", "too much of the core", "crash after a line", "no answer"],
)
async def test_a_child_that_dies_is_a_plain_reason_and_its_last_words_are_logged(
    program: str, why: str, ours: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "modules").mkdir()
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'modules'}:{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setattr(convert, "MODULE", "dying")
    begin = "from os import _exit, getpid, kill, write\nwrite(2, b'last words ' + bytes(70_000) + b'of it, ')\n"
    (tmp_path / "modules" / "dying.py").write_text(begin + program, "utf-8")
    ask = {"encoder": "opus", "demuxer": "mp3"}
    with capture_logs() as lines, pytest.raises(NotConvertedError, match=why) as caught:
        await convert._asked(ask, 20.0)
    assert isinstance(caught.value, NoConverterError) is ours
    [said] = [line["said"] for line in lines if line["event"] == "converter died"]
    assert "of it, " in said
    assert ("ImportError: libx.so" in said) is ("ImportError" in program)
    assert len(said) <= convert.TOLD


async def test_a_process_that_can_not_be_started_is_a_plain_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(NoConverterError, match="could not be started: No such file"):
        await made_of(mp3(), VOICE, tmp_path)


async def test_a_disk_that_fails_is_no_fault_of_the_file(tmp_path: Path) -> None:
    sound, video = tmp_path / "sound", tmp_path / "video"
    sound.write_bytes(mp3(30.0))
    video.write_bytes(film("libvpx", "webm"))
    broken = Path("/proc/self/mem")  # reading its first bytes is EIO
    for encoder, demuxer, given, into, why in (
        ("opus", "mp3", sound, "/dev/full", "No space left"),
        ("h264", "matroska", video, "/dev/full", "No space left"),
        ("opus", "mp3", broken, tmp_path / "made", "Input/output error"),
    ):
        ask = {"encoder": encoder, "demuxer": demuxer, "given": str(given), "into": str(into)}
        with pytest.raises(NoConverterError, match=why):
            await convert._asked(ask | {"largest": 1024**2, "may_stay": False, "cpu": 20}, 20.0)


async def test_a_file_that_can_not_be_opened_now_is_no_fault_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(NoConverterError, match="Too many open files"):
        async with converted(VOICE, tmp_path / "given", FileStore(tmp_path / "media").writing):
            pass


async def test_the_child_sees_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAGATE_ADMIN_TOKEN", "very secret")
    (tmp_path / "given").write_bytes(endless())
    store = FileStore(tmp_path / "media")
    async with converting(tmp_path / "given", store) as child:
        environment = Path(f"/proc/{child}/environ").read_bytes()
    assert b"secret" not in environment
    assert {line.partition(b"=")[0].decode() for line in environment.split(b"\0") if line} <= set(convert._KEPT)


async def test_the_child_is_limited_and_goes_first_when_memory_is_short(tmp_path: Path) -> None:
    (tmp_path / "given").write_bytes(endless())
    async with converting(tmp_path / "given", FileStore(tmp_path / "media")) as child:
        limits = dict(
            line.rsplit(maxsplit=3)[:2] for line in Path(f"/proc/{child}/limits").read_text().splitlines()[1:]
        )
        first = Path(f"/proc/{child}/oom_score_adj").read_text().strip()
    assert (limits["Max address space"], limits["Max cpu time"], first) == (str(1024**3), "26", "1000")


async def test_a_folder_that_takes_no_file_is_no_fault_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "media").write_bytes(b"a file where the folder should be")
    (tmp_path / "given").write_bytes(mp3())
    with pytest.raises(StorageError):
        async with converted(VOICE, tmp_path / "given", FileStore(tmp_path / "media").writing):
            pass


async def test_a_file_that_is_gone_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        async with converted(VOICE, tmp_path / "gone", FileStore(tmp_path / "media").writing):
            pass
