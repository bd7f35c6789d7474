"""The pages about Chatwoot: their commands set an inbox up, their tables are the settings, each claim has its proof."""

from __future__ import annotations

import os
import re
import shlex
import sys
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import trio

from tests.commands import wagate
from tests.test_docs import PROOF, ROOT
from tests.valkey import free_port
from wagate.config import convert_settings
from wagate.testing.chatwoot import FakeChatwoot
from wagate.testing.server import running
from wagate_chatwoot.agents.asks import NAMES
from wagate_chatwoot.settings import Inbox, Settings

PAGE = (ROOT / "docs/how-to/chatwoot.md").read_text("utf-8")
REFERENCE = (ROOT / "docs/reference/chatwoot.md").read_text("utf-8")
EXPLANATION = (ROOT / "docs/explanation/chatwoot.md").read_text("utf-8")
PROOFS = (ROOT / "docs/proof.md").read_text("utf-8")


def commands() -> list[str]:
    [block] = re.findall(r"^```console\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    return [line.removeprefix("$ ") for line in block.splitlines()]


def test_it_takes_five_commands() -> None:
    assert len(commands()) <= 5


def test_every_row_beside_wahas_app_has_its_proof() -> None:
    table = EXPLANATION.partition("| what | WAHA's app |")[2]
    claims = [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()[2:] if line.startswith("|")]
    assert len(claims) > 30
    proven = [line for line in PROOFS.splitlines() if line.startswith("| Chatwoot, ") and PROOF.search(line)]
    assert [each for each in claims if not any(row.startswith(f"| Chatwoot, {each}: ") for row in proven)] == []


def test_the_table_of_keys_is_the_settings() -> None:
    table = REFERENCE.partition("| key | default | |")[2].partition("\n\n")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", table, re.MULTILINE))
    assert set(rows) == {field.name for field in msgspec.structs.fields(Inbox)}
    for field in msgspec.structs.fields(Inbox):
        said = rows[field.name].strip("`")
        if field.required:
            assert said == "–"
        elif not isinstance(field.default, msgspec.Struct) and field.name not in {"typing_delay", "reorder", "pull"}:
            assert tomllib.loads(f"x = {said}")["x"] == (list(field.default) if field.default == () else field.default)


def test_the_example_is_a_configuration() -> None:
    [example] = re.findall(r"```toml\n(.*?)```", REFERENCE, re.DOTALL)
    table = tomllib.loads(example)["plugins"]["chatwoot"]
    made = convert_settings(Settings, table, key="plugins.chatwoot")
    assert isinstance(made, Settings)
    assert made.inboxes["support"].accounts == ("shop",)


def test_every_command_of_agents_is_named() -> None:
    section = REFERENCE.partition('## The conversation "WhatsApp integration"')[2].partition("\n## ")[0]
    assert [name for name in NAMES if not re.search(rf"`{name}\b", section)] == []


async def test_the_commands_of_the_page_set_it_up_from_nothing(tmp_path: Path) -> None:
    port = free_port()
    init, connect, serve, test, doctor = commands()
    async with a_chatwoot() as server:
        here = {"CHATWOOT_TOKEN": server.admin.token, "WAGATE_SERVER__PORT": str(port)}
        ours = f"http://127.0.0.1:{port}"
        connect = connect.replace("https://chat.example.org", server.url).replace("https://wa.example.org", ours)
        init, _, into = init.partition(" && cd ")
        await run(init, tmp_path, here)
        folder = tmp_path / into
        await run(connect, folder, here)
        async with served(serve, folder, here, port):
            tried = await run(test, folder, here)
            looked = await run(doctor, folder, here)
    assert "ok    wagate to Chatwoot" in tried
    assert "ok    Chatwoot to wagate" in tried
    lines = [line for line in looked.splitlines() if "chatwoot" in line]
    assert any("support: token" in line for line in lines)
    assert not [line for line in looked.splitlines() if line.startswith("FAIL")]


@asynccontextmanager
async def a_chatwoot() -> AsyncIterator[FakeChatwoot]:
    server = FakeChatwoot()
    server.habits.timeout = 60
    async with running(server):
        yield server


def words(command: str) -> list[str]:
    program, *rest = shlex.split(command)
    assert program == "wagate"
    return [program, *rest]


def environment(more: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | more


async def run(command: str, folder: Path, more: dict[str, str]) -> str:
    """What a command writes; it must succeed."""
    _, *arguments = words(command)
    done = await wagate(*arguments, folder=folder, environment=environment(more))
    assert done.exit_code == 0, done.stdout + done.stderr
    return done.stdout


@asynccontextmanager
async def served(command: str, folder: Path, more: dict[str, str], port: int) -> AsyncIterator[None]:
    """The gateway while the rest runs."""
    with (folder / "log.txt").open("wb") as log:
        process = await trio.lowlevel.open_process(
            [sys.executable, "-m", *words(command)], cwd=folder, env=environment(more), stdout=log, stderr=log
        )
    try:
        with trio.fail_after(60):
            while not await answers(port):
                assert process.poll() is None, (folder / "log.txt").read_text()
                await trio.sleep(0.05)
        yield
    finally:
        process.terminate()
        with trio.CancelScope(shield=True):
            with trio.move_on_after(40):
                await process.wait()
            if process.returncode is None:
                process.kill()
                await process.wait()


async def answers(port: int) -> bool:
    try:
        stream = await trio.open_tcp_stream("127.0.0.1", port)
    except OSError:
        return False
    await stream.aclose()
    return True
