"""Take the pictures of the command line in docs/pictures, from the commands that docs/how-to/chatwoot.md shows.

Usage: .venv/bin/python -m scripts.pictures     (a real gateway against the fake Chatwoot; terminals become SVG)
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import tempfile
import termios
from contextlib import suppress
from io import StringIO
from pathlib import Path

import trio
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from tests.docs.test_chatwoot_page import a_chatwoot, commands, environment, served, words
from tests.valkey import free_port

FOLDER = Path(__file__).parents[1] / "docs/pictures"
WIDTH = 120
FORM = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, monospace; font-size: {char_height}px;
line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""
"""Rich's own, without the fonts that it fetches from elsewhere."""


def draw(name: str, command: str, output: str) -> None:
    """A terminal with a command and what it wrote."""
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True)
    console.print(Text(f"$ {command}", style="bold"))
    console.print(Text.from_ansi(output.rstrip()))
    svg = console.export_svg(title="wagate", theme=MONOKAI, code_format=FORM, unique_id=name)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.svg").write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", "utf-8")


def at_terminal(command: str, folder: Path, more: dict[str, str]) -> str:
    """What a command writes on a terminal; it must succeed."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, WIDTH, 0, 0))
    process = subprocess.Popen(
        words(command), cwd=folder, env=environment(more), stdin=subprocess.DEVNULL, stdout=its, stderr=its
    )
    os.close(its)
    written = b""
    with suppress(OSError):  # the terminal ends with the command
        while piece := os.read(ours, 4096):
            written += piece
    os.close(ours)
    assert process.wait(60) == 0, written.decode()
    return written.decode().replace("\r\n", "\n")


def tidy(text: str, places: dict[str, str]) -> str:
    """The addresses of the page in place of those of this run."""
    for here, there in places.items():
        text = text.replace(here, there)
    return re.sub(r"/tmp/[^/\s]+", "/home/ana", text)


async def take() -> None:
    """Run the page's commands, and draw three of them."""
    port = free_port()
    init, connect, serve, test, doctor = commands()
    async with a_chatwoot() as server:
        ours = f"http://127.0.0.1:{port}"
        places = {server.url: "https://chat.example.org", ours: "https://wa.example.org"}
        here = {"CHATWOOT_TOKEN": server.admin.token, "WAGATE_SERVER__PORT": str(port)}
        here |= {"TERM": "xterm-256color", "COLUMNS": str(WIDTH)}

        async def shown(command: str, folder: Path) -> str:
            return tidy(await trio.to_thread.run_sync(at_terminal, command, folder, here), places)

        with tempfile.TemporaryDirectory() as folder:
            first, _, into = init.partition(" && cd ")
            await shown(first, Path(folder))
            shop = Path(folder) / into
            asked = connect.replace("https://chat.example.org", server.url).replace("https://wa.example.org", ours)
            draw("chatwoot-connect", connect, await shown(asked, shop))
            async with served(serve, shop, here, port):
                draw("chatwoot-test", test, await shown(test, shop))
                draw("chatwoot-doctor", doctor, await shown(doctor, shop))


if __name__ == "__main__":
    trio.run(take)
