"""The core's minute for a send: what comes before it ends in time, and so does our wait for WhatsApp's word."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing

from wagate.clock import Clock
from wagate.errors import NotSentError, OutcomeUnknownError
from wagate.hooks import OutFile, Outgoing, OutMedia, OutMessage, ProviderAccount
from wagate.outbound.handover import PATIENCE
from wagate.outbound.outbox import REVOKE_SECONDS
from wagate_whatsapp import send
from wagate_whatsapp.number import Numbers, WhatsAppSettings
from wagate_whatsapp.people import Us
from wagate_whatsapp.reach import LEFT_TO_SEND, LEFT_TO_TELL, SILENCE, Reach
from wagate_whatsapp.reasons import UNCONFIRMED
from wagate_whatsapp.send import CONFIRMED, MARGIN, UPLOADED, UPLOADS, Sender

PERSON, FRIENDS = "15550000007@c.us", "1203630@g.us"
ANSWERS: dict[str, Any] = {"exists": "15550000007@s.whatsapp.net", "upload": {}, "group": {"members": []}}


class Child:
    """An engine that takes its time, or never answers."""

    def __init__(self, late: dict[str, float]) -> None:
        self.late = late
        self.asked: dict[str, dict[str, Any]] = {}
        self.notes: list[str] = []

    async def ask(self, do: str, *, patience: float, **fields: Any) -> Any:
        self.asked[do] = fields | {"patience": patience}
        with trio.fail_after(patience):
            await trio.sleep(self.late.get(do, 0.0))
        return ANSWERS.get(do, {"id": "3EB0", "chat": PERSON, "time": 0})

    def note(self, _session: str, event: str) -> None:
        self.notes.append(event)


class Here:
    """A linked number, asked as the core asks."""

    def __init__(self, folder: Path, **late: float) -> None:
        numbers = Numbers(lambda: folder)
        number = numbers.of("0190")
        number.link(Us(jid="15550000001:1@s.whatsapp.net", lid="9:1@lid"))
        number.begun = number.connected = True
        self.child = Child(late)
        engine: Any = SimpleNamespace(running=self.child)
        self.sender = Sender(Reach(engine, numbers), Clock())
        self.account = ProviderAccount(
            name="main", phone="", settings=WhatsAppSettings(typing="typing" in late), webhook_secret="",
            webhook_url="", trust="operator", id="0190",
        )  # fmt: skip
        self.file = OutFile(mimetype="application/pdf", filename="a", path=folder / "a", size=1)
        (folder / "a").write_bytes(b"x")

    async def send(self, message: OutMessage) -> None:
        file = self.file if message.media else None
        with trio.fail_after(PATIENCE):
            await self.sender.send(Outgoing(id="0191", message=message, account=self.account, file=file))


FILE = OutMessage(chat=PERSON, type="document", media=OutMedia(media_id="1"))
TEXT = OutMessage(chat=PERSON, type="text", text="hello " * 40)
ALL = OutMessage(chat=FRIENDS, type="text", text="hi", mentions=("all",))


@pytest.mark.parametrize(
    ("message", "late"),
    [
        (TEXT, {"exists": 90}),
        (TEXT, {"exists": 30, "presence": 20, "typing": 2.5}),
        (FILE, {"exists": 30, "upload": 90}),
        (ALL, {"group": 90}),
    ],
)
async def test_what_is_not_ready_in_time_was_certainly_not_sent(
    tmp_path: Path, message: OutMessage, late: dict[str, float], autojump_clock: trio.testing.MockClock
) -> None:
    here = Here(tmp_path, **late)
    with pytest.raises(NotSentError):
        await here.send(message)
    assert "send" not in here.child.asked
    assert autojump_clock.current_time() <= PATIENCE - LEFT_TO_SEND


async def test_a_message_does_not_wait_for_typing_to_be_shown_beyond_its_time(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    here = Here(tmp_path, presence=90, typing=0)
    await here.send(TEXT)
    assert here.child.asked["send"]["patience"] >= LEFT_TO_SEND - LEFT_TO_TELL


async def test_what_waits_for_its_turn_to_be_uploaded_was_certainly_not_sent(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    here = Here(tmp_path)
    for number in range(UPLOADS):
        here.sender._uploads.acquire_on_behalf_of_nowait(number)
    with pytest.raises(NotSentError):
        await here.send(FILE)
    assert autojump_clock.current_time() == PATIENCE - LEFT_TO_SEND
    assert set(here.child.asked) == {"exists"}


@pytest.mark.parametrize("before", [0, 30])
async def test_an_upload_ends_sooner_than_nobody_waits_for_it(
    tmp_path: Path, before: float, autojump_clock: trio.testing.MockClock
) -> None:
    here = Here(tmp_path, exists=before)
    await here.send(FILE)
    upload = here.child.asked["upload"]
    assert upload["seconds"] <= UPLOADED
    assert upload["seconds"] < upload["patience"] <= PATIENCE - LEFT_TO_SEND - before


@pytest.mark.parametrize("before", [0, 30])
async def test_whatsapps_silence_is_noticed_before_the_core_gives_up(
    tmp_path: Path, before: float, autojump_clock: trio.testing.MockClock
) -> None:
    here = Here(tmp_path, exists=before, send=90)
    with pytest.raises(OutcomeUnknownError, match="did not confirm"):
        await here.send(TEXT)
    assert autojump_clock.current_time() == min(before + CONFIRMED, PATIENCE - LEFT_TO_TELL)
    assert here.child.notes == [UNCONFIRMED]


async def test_an_upload_without_time_is_not_asked_for(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    here = Here(tmp_path)
    for number in range(UPLOADS):
        here.sender._uploads.acquire_on_behalf_of_nowait(number)

    async def release() -> None:
        await trio.sleep(PATIENCE - LEFT_TO_SEND - MARGIN + 0.5)
        here.sender._uploads.release_on_behalf_of(0)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(release)
        with pytest.raises(NotSentError, match="no time is left for the upload"):
            await here.send(FILE)
    assert "upload" not in here.child.asked


async def test_silence_soon_after_a_long_upload_costs_no_connection(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    here = Here(tmp_path, upload=PATIENCE - LEFT_TO_TELL - SILENCE + 0.1, send=90)
    with pytest.raises(OutcomeUnknownError, match="did not confirm"):
        await here.send(FILE)
    assert here.child.notes == []


async def test_silence_about_a_revoke_is_noticed(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    here = Here(tmp_path, send=90)
    with trio.fail_after(REVOKE_SECONDS), pytest.raises(OutcomeUnknownError, match="did not confirm"):
        await here.sender.revoke(f"true_{PERSON}_3EB0", PERSON, here.account)
    assert here.child.notes == [UNCONFIRMED]


async def test_the_engine_knows_how_long_a_send_is_waited_for(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    here = Here(tmp_path, upload=45)
    await here.send(FILE)
    assert here.child.asked["send"]["seconds"] == here.child.asked["send"]["patience"] == PATIENCE - 45 - LEFT_TO_TELL


async def test_a_voice_message_that_was_drawn_too_late_was_certainly_not_sent(
    tmp_path: Path, mock_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(_path: Path) -> tuple[int, bytes]:  # a thread that nothing can break off
        mock_clock.jump(PATIENCE - LEFT_TO_SEND + 1)
        return 1, b""

    monkeypatch.setattr(send, "drawn", slow)
    here = Here(tmp_path)
    with pytest.raises(NotSentError, match="no time is left"):
        await here.send(OutMessage(chat=PERSON, type="voice", media=OutMedia(media_id="1")))
    assert "send" not in here.child.asked


@pytest.mark.parametrize("left", [LEFT_TO_TELL, LEFT_TO_SEND - 1])
async def test_without_time_nothing_is_asked(
    tmp_path: Path, left: float, autojump_clock: trio.testing.MockClock
) -> None:
    here = Here(tmp_path)
    with trio.fail_after(left), pytest.raises(NotSentError):
        await here.sender.revoke(f"true_{PERSON}_3EB0", PERSON, here.account)
    assert here.child.asked == {}
