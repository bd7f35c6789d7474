"""The TCP connection of the outgoing client: it waits only when it must, and fails as trio's streams do."""

from __future__ import annotations

import socket
import struct

import pytest
import trio
import trio.testing

from wagate.http.tcp import TcpStream


class Turns(trio.abc.Instrument):
    """Counts the turns of the task that asks."""

    def __init__(self) -> None:
        self.count = 0
        self._task = trio.lowlevel.current_task()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.count += task is self._task


async def connected() -> tuple[TcpStream, trio.SocketStream]:
    """Ours, and the other end."""
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        raw = socket.socket()
        sock = trio.socket.from_stdlib_socket(raw)
        await sock.connect(listener.socket.getsockname())
        return TcpStream(raw, sock), await listener.accept()


async def test_what_the_system_takes_at_once_costs_no_turn() -> None:
    ours, theirs = await connected()
    async with ours, theirs:
        turns = Turns()
        trio.lowlevel.add_instrument(turns)
        await ours.send_all(b"ask")
        assert turns.count == 0
        trio.lowlevel.remove_instrument(turns)
        assert await theirs.receive_some() == b"ask"


async def test_an_answer_costs_one_turn() -> None:
    ours, theirs = await connected()
    async with ours, theirs:
        await theirs.send_all(b"answer")
        turns = Turns()
        trio.lowlevel.add_instrument(turns)
        assert await ours.receive_some(100) == b"answer"
        assert turns.count == 1
        trio.lowlevel.remove_instrument(turns)


async def test_more_than_the_system_takes_at_once_arrives_whole() -> None:
    ours, theirs = await connected()
    data = bytes(range(256)) * 40_000
    came = bytearray()
    async with ours, theirs, trio.open_nursery() as nursery:
        nursery.start_soon(ours.send_all, data)
        while len(came) < len(data):
            came += await theirs.receive_some()
    assert came == data


async def test_the_end_is_read_as_nothing() -> None:
    ours, theirs = await connected()
    async with ours:
        await theirs.aclose()
        assert await ours.receive_some() == b""


async def test_a_cancelled_task_sends_nothing() -> None:
    ours, theirs = await connected()
    async with ours, theirs:
        with trio.CancelScope() as scope:
            scope.cancel()
            await ours.send_all(b"ask")
        assert scope.cancelled_caught
        await ours.send_all(b"again")
        assert await theirs.receive_some() == b"again"


async def test_a_reset_connection_is_broken_both_ways() -> None:
    ours, theirs = await connected()
    async with ours:
        theirs.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await theirs.aclose()
        with pytest.raises(trio.BrokenResourceError):
            await ours.receive_some()
        with pytest.raises(trio.BrokenResourceError):
            await ours.send_all(b"ask")


async def test_a_closed_connection_says_so() -> None:
    ours, theirs = await connected()
    async with theirs:
        await ours.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await ours.send_all(b"ask")
        with pytest.raises(trio.ClosedResourceError):
            await ours.receive_some()


async def test_closing_wakes_who_waits_for_an_answer() -> None:
    ours, theirs = await connected()

    async def close_it() -> None:
        await trio.testing.wait_all_tasks_blocked()
        await ours.aclose()

    async with theirs, trio.open_nursery() as nursery:
        nursery.start_soon(close_it)
        with pytest.raises(trio.ClosedResourceError):
            await ours.receive_some()
