"""As a person writes: typing is shown for as long as a text takes, and nothing goes faster than somebody busy."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing

from wagate.clock import Clock
from wagate.hooks import Outgoing, OutMessage, ProviderAccount
from wagate.outbound.send import Limits
from wagate_whatsapp.number import Numbers, WhatsAppSettings
from wagate_whatsapp.people import Us
from wagate_whatsapp.reach import Reach
from wagate_whatsapp.send import LONGEST_TYPING, PER_CHARACTER, Sender, limits_of

ANA, CHATS = "15550000007@c.us", [f"1555000{number:04}@c.us" for number in range(13)]


class TrioClock(Clock):
    """Trio's, which jumps when nobody has anything to do."""

    def monotonic(self) -> float:
        return trio.current_time()


class Child:
    """An engine that answers at once, and notes when it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, float]] = []

    async def ask(self, do: str, **fields: Any) -> Any:
        await trio.lowlevel.checkpoint()
        self.asked.append((do, trio.current_time()))
        return {"exists": "15550000007@s.whatsapp.net"}.get(do, {"id": "3EB0", "chat": ANA, "time": 0})


def account(*, typing: bool = True) -> ProviderAccount:
    return ProviderAccount(
        name="main",
        phone="",
        settings=WhatsAppSettings(typing=typing),
        webhook_secret="",
        webhook_url="",
        trust="operator",
        id="0190",
    )


async def sent(folder: Path, text: str, *, typing: bool = True, chat: str = ANA) -> list[tuple[str, float]]:
    """What the engine was asked, and when, for one text."""
    numbers, child = Numbers(lambda: folder), Child()
    number = numbers.of("0190")
    number.link(Us(jid="15550000001:1@s.whatsapp.net", lid="9:1@lid"))
    number.begun = number.connected = True
    engine: Any = SimpleNamespace(running=child)
    message = OutMessage(chat=chat, type="text", text=text)
    sender = Sender(Reach(engine, numbers), TrioClock())
    await sender.send(Outgoing(id="0191", message=message, account=account(typing=typing)))
    return child.asked


@pytest.mark.parametrize(
    ("length", "seconds"),
    [(1, 0.02), (50, 1.0), (100, 2.0), (200, 4.0), (201, 4.0), (4000, 4.0)],
)
async def test_typing_is_shown_in_proportion_to_the_text_and_for_four_seconds_at_most(
    tmp_path: Path, length: int, seconds: float, autojump_clock: trio.testing.MockClock
) -> None:
    assert (PER_CHARACTER, LONGEST_TYPING) == (0.02, 4.0)
    asked = await sent(tmp_path, "a" * length)
    assert [do for do, _ in asked] == ["exists", "presence", "typing", "send"]
    at = dict(asked)
    assert at["send"] - at["typing"] == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("typing", "chat"), [(False, ANA), (True, "status@broadcast")], ids=["typing is off", "a story"]
)
async def test_without_typing_nothing_is_shown_and_nothing_waits(
    tmp_path: Path, typing: bool, chat: str, autojump_clock: trio.testing.MockClock
) -> None:
    asked = await sent(tmp_path, "a" * 1000, typing=typing, chat=chat)
    assert {do for do, _ in asked} <= {"exists", "send"}
    assert autojump_clock.current_time() == 0.0


def waits(chats: list[str]) -> list[float]:
    """How long each of these messages waits, all handed over in one moment."""
    limits, allowed = Limits(), limits_of(account())
    return [limits.turn(str(number), "main", chat, allowed, 100.0) for number, chat in enumerate(chats)]


def test_ten_go_at_once_and_then_one_a_second() -> None:
    assert waits(CHATS) == pytest.approx([0.0] * 10 + [1.0, 2.0, 3.0])


def test_five_of_them_to_one_chat_and_then_one_a_second() -> None:
    assert waits([ANA] * 8) == pytest.approx([0.0] * 5 + [1.0, 2.0, 3.0])


def test_a_full_chat_leaves_the_others_their_turns() -> None:
    assert waits([ANA] * 5 + CHATS[:7]) == pytest.approx([0.0] * 10 + [1.0, 2.0])
