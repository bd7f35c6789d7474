"""``wagate simulate phone``: the whole tour for those without a number, as a process."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx2
import trio

from wagate.testing.server import answering

PATIENCE = 120.0


@dataclass
class Terminal:
    """What it prints, line by line."""

    process: trio.Process
    text: str = ""

    async def until(self, pattern: str) -> re.Match[str]:
        """Read on until something is there."""
        assert self.process.stdout is not None
        with trio.fail_after(PATIENCE):
            while (found := re.search(pattern, self.text)) is None:
                part = await self.process.stdout.receive_some()
                assert part, self.text
                self.text += part.decode()
        return found

    async def type(self, line: str) -> None:
        """And Enter."""
        assert self.process.stdin is not None
        await self.process.stdin.send_all(f"{line}\n".encode())


async def test_it_links_a_number_takes_what_is_typed_and_shows_what_is_sent(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    command = [sys.executable, "-m", "wagate", "simulate", "phone", "shop", "--port", "0"]
    process = await trio.lowlevel.open_process(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        async with answering() as receiver:
            terminal = Terminal(process)
            url, token = (await terminal.until(r"gateway: (\S+) .*\nadmin token: (\S+)\n")).groups()
            folder = Path((await terminal.until(r"--config (\S+)/config\.toml")).group(1))
            await terminal.until("shop is linked")
            headers = {"Authorization": f"Bearer {token}"}
            async with httpx2.AsyncClient(
                base_url=url, headers=headers, trust_env=False, verify=False, timeout=60
            ) as http:
                body = {"phone_number": "*", "webhook_url": f"{receiver.url}/hook"}
                assert (await http.post("/api/webhooks/register", json=body)).status_code == 201
                await terminal.type("hello")
                await terminal.type(f"/file {picture}")
                await receiver.until(lambda: len(receiver.seen) >= 2, PATIENCE)
                got = [(each.json["type"], each.json["content"], each.json["from"]) for each in receiver.seen[:2]]
                assert got == [("text", "hello", "15550000512"), ("image", "", "15550000512")], receiver.seen[0].json
                sent = await http.post("/messages/send", json={"account": "shop", "to": "15550000512", "message": "hi"})
                assert sent.is_success, sent.text
                await terminal.until(r"Ana gets: hi\n")
        process.send_signal(signal.SIGINT)
        with trio.fail_after(PATIENCE):
            assert await process.wait() == 0, terminal.text
        assert not folder.exists()
    finally:
        if process.returncode is None:
            process.kill()
