"""``wagate simulate phone``: a number of one's own for those without one, against a fake WhatsApp server."""

from __future__ import annotations

import importlib.util
import os
import shlex
import signal
import sys
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import quote

import typer

from wagate.cli import samples, show
from wagate.cli.errors import CommandError
from wagate.errors import WagateError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import trio

    from wagate.testing.whatsapp.playground import Phone, Playground

INSTALL: Final = 'pip install "wagate[simulate]"'
NEEDS: Final = ("neonize", "pywhats", "trio_websocket", "trustme")
NAME: Final = "Ana"
LOOK: Final = 0.5
"""Seconds between two looks at the session."""


def phone(
    name: Annotated[str, typer.Argument(help="The account's name.")] = "main",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where the gateway listens; 0: any free port.")] = 8080,
) -> None:
    """Try it without a number, by a fake WhatsApp server. A gateway of its own is linked with it on this machine.

    A made-up phone scans the QR code. A line that you type comes in as a message to it, "/file PATH" as a file; what
    the gateway sends is printed. It all ends with Ctrl-C, and its folder is removed. Your configuration, data and
    numbers are not touched, and nothing leaves this machine but webhooks to receivers that you register elsewhere.
    Linux only; it needs the extra: pip install "wagate[simulate]".
    """
    _check()
    import trio

    os.umask(0o077)
    try:
        trio.run(_run, name, port, strict_exception_groups=True)
    except* WagateError as failures:
        raise CommandError("\n".join(str(each) for each in _leaves(failures))) from None


def _check() -> None:
    """CommandError: the fake can't run here; it says what is missing."""
    if sys.platform != "linux":
        raise CommandError("the fake WhatsApp server runs on Linux only; try wagate simulate message")
    missing = [each for each in NEEDS if importlib.util.find_spec(each) is None]
    if missing:
        raise CommandError(f"the fake WhatsApp server needs {', '.join(missing)}, which is not installed: {INSTALL}")


async def _run(name: str, port: int) -> None:
    import trio

    from wagate.testing.whatsapp.playground import Phone, playground

    # What a signal ends: once it runs, the phone, so that the gateway drains; a second one, or before, all of it.
    scopes: list[trio.CancelScope] = []
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async with trio.open_nursery() as outer:
            scopes.append(outer.cancel_scope)
            outer.start_soon(_end_at_signal, signals, scopes)
            async with playground(name, port) as running, trio.open_nursery() as nursery:
                scopes.append(nursery.cancel_scope)
                running.fake.server.person(samples.chat_number(0), NAME)
                phone = Phone(running.fake.world(samples.OUR_NUMBER), samples.chat_number(0), NAME, _tell)
                _greet(running)
                linked = trio.Event()
                nursery.start_soon(_stay_linked, running, name, phone, linked)
                nursery.start_soon(phone.show)
                nursery.start_soon(_type, phone, linked)
            outer.cancel_scope.cancel()


async def _end_at_signal(signals: AsyncIterator[int], scopes: list[trio.CancelScope]) -> None:
    async for _ in signals:
        _tell("stopping")
        scopes.pop().cancel()


def _greet(running: Playground) -> None:
    _tell(f"gateway: {running.url} - dashboard: {running.url}/ui/")
    _tell(f"admin token: {running.token}")
    _tell(f"commands, in another terminal: wagate --config {running.config} doctor")


async def _stay_linked(running: Playground, name: str, phone: Phone, linked: trio.Event) -> None:
    """Scan each code that the gateway shows, as often as it asks for one."""
    import trio

    path, scanned, connected = f"/api/whatsapp/session/status/{quote(name, safe='')}", "", False
    while True:
        session = (await running.http.get(path)).json()["data"]
        code = session.get("qr") or ""
        if code and code != scanned and await phone.scan(code):
            scanned = code
            _tell(f"{name} shows a QR code; the phone of +{phone.world.ours} scans it")
        if session["isConnected"] and not connected:
            _tell(f"{name} is linked. {NAME} is +{phone.person}: write as this contact here, or send her something:")
            _tell(f'wagate --config {running.config} send {shlex.quote(name)} {phone.person} "Hello"')
            linked.set()
        connected = session["isConnected"]
        await trio.sleep(LOOK)


async def _type(phone: Phone, linked: trio.Event) -> None:
    """Each typed line is a message, once the number is linked."""
    await linked.wait()
    async for line in _lines():
        if line.strip():
            await phone.write(line)


async def _lines() -> AsyncIterator[str]:
    """Of standard input, until it ends. No thread: one that reads would hold up the end of the process."""
    import trio

    rest, descriptor = b"", sys.stdin.fileno()
    while True:
        try:
            await trio.lowlevel.wait_readable(descriptor)
        except OSError:
            await trio.lowlevel.checkpoint()  # a file: it never blocks
        part = os.read(descriptor, 65_536)
        *lines, rest = (rest + part).split(b"\n")
        for line in [*lines, rest] if not part else lines:
            yield line.decode(errors="replace").rstrip("\r")
        if not part:
            return


def _tell(line: str) -> None:
    """At once, also into a pipe; what others wrote moves no cursor."""
    typer.echo(show.clean(line))
    sys.stdout.flush()


def _leaves(group: BaseExceptionGroup[WagateError]) -> list[WagateError]:
    return [
        leaf
        for each in group.exceptions
        for leaf in (_leaves(each) if isinstance(each, BaseExceptionGroup) else [each])
    ]
