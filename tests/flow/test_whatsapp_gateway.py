"""A number of our own in the whole gateway: linked by API or command, in and out, in order, and what kills do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from statistics import median

import pytest
import trio

from tests.effort import LONG, effort
from tests.whatsapp_gateway import Whole, whole
from tests.whatsapp_site import ANA, BOB, OURS

ORDERED = effort(100, 400)
BOTH = effort(20, 400)
"""Each way, in one chat: a number sends one a second to it."""
AT_ONCE = 5
ROUNDS = effort(1, 7)
"""Of each way to kill."""
BURST = 60
RATE = 150
"""Messages a second in a burst: more than any number gets."""
WAYS = ("gateway", "engine", "both")


async def test_a_number_is_linked_by_api_and_goes_on_after_a_stop() -> None:
    async with whole() as here:
        await here.link()
        await here.world.text(ANA, "hello")
        await here.sink.until(lambda _: here.texts == ["hello"])
        answer = await here.send("hi Ana")
        assert answer["status"] == "sent"
        await here.fake.server.until(lambda: [each.text for each in here.fake.server.messages] == ["hi Ana"])
        assert answer["message_id"] == f"true_{ANA}@c.us_{here.fake.server.messages[0].id}"
        report = (await here.server.http.get("/api/doctor")).json()["data"]
        looked = {each["what"]: each for each in report if each.get("account") == "main" or "main" in str(each)}
        assert looked["session"]["level"] == "ok", looked
        assert looked["engine"]["level"] == "ok", looked
        logins = here.fake.server.logins
        assert await here.server.stop() == 0
        assert here.engines() == []
        await here.world.text(BOB, "while it was stopped")
        await here.server.start()
        await here.until(field="isConnected")
        await here.sink.until(lambda _: here.texts == ["hello", "while it was stopped"])
        assert here.fake.server.logins == logins + 1
        assert here.sink.duplicates == 0


async def test_who_has_the_account_in_config_toml_is_told_the_risk_before_the_scan() -> None:
    async with whole() as here:
        shown = await here.until(field="needsQR")
        assert "may ban a number" in shown["notice"]
        [logged] = here.server.logged("a number is to be linked")
        assert "may ban a number" in logged["risk"]
        report = (await here.server.http.get("/api/doctor")).json()["data"]
        assert "may ban a number" in next(each["detail"] for each in report if each["what"] == "risk")
        answer = await here.server.http.post("/api/whatsapp/session/main/pair-code", json={"phone": OURS})
        assert "may ban a number" in answer.json()["data"]["notice"]
        await here.link()
        assert "notice" not in await here.session()
        report = (await here.server.http.get("/api/doctor")).json()["data"]
        assert "risk" not in [each["what"] for each in report]


async def test_what_somebody_writes_at_full_speed_keeps_its_order() -> None:
    async with whole() as here:
        await here.link()
        here.fake.server.receipts = 0
        async with trio.open_nursery() as nursery:

            async def write() -> None:
                for number in range(ORDERED):
                    await here.world.text(ANA, f"in {number}")

            nursery.start_soon(write)
        await here.sink.until(lambda _: len(here.texts) >= ORDERED, 240)
        assert here.texts == [f"in {number}" for number in range(ORDERED)]
        assert here.fake.server.errors == []


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_chat_keeps_its_order_both_ways_at_the_same_time() -> None:
    async with whole() as here:
        await here.link()
        server = here.fake.server

        async def they() -> None:
            for number in range(BOTH):
                if number % AT_ONCE == 0:  # in bursts, for as long as ours go out
                    await server.until(lambda number=number: len(server.messages) >= number)
                await here.world.text(ANA, f"in {number}")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(they)
            for number in range(BOTH):
                body = {"to": ANA, "message": f"out {number}", "account": "main", "tenant_id": "default"}
                answer = await here.server.http.post("/messages/send", json=body, headers={"Prefer": "respond-async"})
                assert answer.status_code == 202, answer.text
        await here.sink.until(lambda _: len(here.texts) >= BOTH, BOTH + 60)
        with trio.fail_after(BOTH + 60):
            while len(server.messages) < BOTH:
                await server.change()
        await here.world.text(ANA, "last")
        assert (await here.send("last"))["status"] == "sent"
        await here.sink.until(lambda _: "last" in here.texts)
        assert here.texts == [*(f"in {number}" for number in range(BOTH)), "last"]
        assert [each.text for each in server.messages] == [*(f"out {number}" for number in range(BOTH)), "last"]
        assert (here.sink.duplicates, server.retries, server.errors) == (0, 0, [])


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_kills_lose_no_more_than_is_said_and_swap_nothing() -> None:
    async with whole() as here:
        await here.link()
        here.fake.server.receipts = 0
        await here.world.text(ANA, "warm")
        await here.sink.until(lambda _: here.texts == ["warm"])
        bursts = {way: [await killed(here, way, number) for number in range(ROUNDS)] for way in WAYS}
        await here.world.text(ANA, "last")
        await here.sink.until(lambda _: "last" in here.texts, 120)
        got = here.texts
        lost = {way: [each.lost(got) for each in made] for way, made in bursts.items()}
        print("\nlost", {way: f"{list(map(len, each))} of {BURST} each" for way, each in lost.items()})
        sent = [text for made in bursts.values() for burst in made for text in burst.sent]
        known = [text for text in sent if text in set(got)]
        assert [text for text in dict.fromkeys(got) if text not in {"warm", "last"}] == known  # nothing is swapped
        repeats = {way: [text for burst in made for text in burst.repeated(got)] for way, made in bursts.items()}
        assert repeats["engine"] == []  # the gateway's record of what it delivered outlives the engine
        for way in ("gateway", "both"):  # a kill between a 2xx and its record repeats that delivery: one in one chat
            assert len(repeats[way]) <= ROUNDS
        assert Counter(got)["warm"] == Counter(got)["last"] == 1
        assert lost["gateway"] == [[]] * ROUNDS
        for burst, missing in zip(bursts["engine"] + bursts["both"], lost["engine"] + lost["both"], strict=True):
            # WhatsApp has the receipt of what the library holds: these, in a row, and nothing that came after.
            first = burst.before.index(missing[0]) if missing else 0
            assert missing == burst.before[first : first + len(missing)]
        assert sum(map(len, lost["engine"] + lost["both"])) < sum(
            len(each.before) for each in bursts["engine"] + bursts["both"]
        )
        assert not LONG or median(map(len, lost["engine"] + lost["both"])) <= 1  # more only when the machine stalls


@dataclass
class Burst:
    """What somebody wrote while something was killed."""

    sent: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    """What was written before the kill."""

    def lost(self, got: list[str]) -> list[str]:
        """What never came."""
        return [text for text in self.sent if text not in set(got)]

    def repeated(self, got: list[str]) -> list[str]:
        """What came again, as often as it did."""
        return list((Counter(text for text in got if text in set(self.sent)) - Counter(self.sent)).elements())


async def killed(here: Whole, way: str, number: int) -> Burst:
    """A burst, and a kill in the middle of it. At its end all is there that will come."""
    burst = Burst()

    async def write() -> None:
        for place in range(BURST):
            text = f"{way} {number} {place:03}"
            burst.sent.append(text)
            await here.world.text(ANA, text)
            await trio.sleep(1 / RATE)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write)
        with trio.fail_after(60):
            while len(burst.sent) < BURST // 3:
                await trio.sleep(0.001)
        {"gateway": here.server.kill, "engine": here.kill_engine, "both": here.kill_both}[way]()
        burst.before = burst.sent[:]
        if way != "engine":
            await here.server.start()
    with trio.fail_after(120):
        while not here.fake.server.connected(OURS) or not (await here.session())["isConnected"]:
            await trio.sleep(0.05)
    await here.sink.until(lambda _: burst.sent[-1] in here.texts, 120)
    return burst


async def test_the_command_shows_a_code_and_says_when_it_is_linked() -> None:
    async with whole() as here:
        command = [sys.executable, "-m", "wagate", "pair", "main", "--config", str(here.server.config)]
        process = await trio.lowlevel.open_process(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONIOENCODING": "utf-8"}
        )
        assert process.stdout is not None
        assert process.stderr is not None
        shown = await here.until(field="needsQR")
        text = b""
        with trio.fail_after(60):
            while b"Scan it" not in text:
                text += await process.stdout.receive_some()
            await here.fake.server.scan(shown["qr"], OURS)
            async for part in process.stdout:
                text += part
            assert await process.wait() == 0
        assert re.search("[▀▄█]", text.decode())
        assert "main is linked" in text.decode()
        assert b"may ban a number" in await process.stderr.receive_some()


async def test_the_command_gives_a_code_to_be_typed_on_the_phone() -> None:
    async with whole() as here:
        command = [sys.executable, "-m", "wagate", "pair", "main", "--phone", f"+{OURS}"]
        command += ["--config", str(here.server.config)]
        process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdout is not None
        text = b""
        with trio.fail_after(60):
            while not (code := re.search(rb"code: (\S+)\n", text)):
                text += await process.stdout.receive_some()
            await here.fake.server.type_code(code[1].decode(), OURS)
            async for part in process.stdout:
                text += part
            assert await process.wait() == 0
        assert b"main is linked" in text
        await here.until(field="isConnected")
        await here.world.text(ANA, "hello")
        await here.sink.until(lambda _: here.texts == ["hello"])
