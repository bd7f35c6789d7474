"""One connection without a network: what is written when, and when it ends."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import trio
import trio.testing
from hypercorn.typing import HTTPRequestEvent

from tests.served import GET, KEEP_ALIVE, hello, served, start
from wagate.web.http.asgi import WHOLE
from wagate.web.http.channel import Inbox
from wagate.web.http.connection import ARRIVED, HOLD, READ_TIMEOUT, WRITE_TIMEOUT
from wagate.web.http.keep_alive import FIRST


async def test_a_response_made_in_one_go_is_written_once(mock_clock: Any) -> None:
    async with served(hello) as one:
        for _ in range(3):
            await one.client.send_all(GET)
            await trio.testing.wait_all_tasks_blocked()
        assert len(one.stream.writes) == 3
        assert all(write.endswith(b"\r\n\r\nhi") for write in one.stream.writes)


async def test_what_an_application_has_sent_leaves_when_it_goes_to_sleep(mock_clock: Any) -> None:
    more = trio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await start(send, 4)
        await more.wait()
        await send({"type": "http.response.body", "body": b"ab", "more_body": True})
        await trio.sleep_forever()

    async with served(app) as one:
        await one.client.send_all(GET)
        await trio.testing.wait_all_tasks_blocked()
        assert [write[-4:] for write in one.stream.writes] == [b"\r\n\r\n"]
        more.set()
        await trio.testing.wait_all_tasks_blocked()
        assert one.stream.writes[1:] == [b"ab"]


async def test_an_application_that_never_sleeps_holds_back_no_more_than_the_limit(mock_clock: Any) -> None:
    piece = bytes(1000)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await start(send, 200 * len(piece))
        for _ in range(200):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})

    async with served(app) as one:
        await one.client.send_all(GET)
        await trio.testing.wait_all_tasks_blocked()
        assert len(one.stream.writes) >= 3
        assert all(len(write) < HOLD + len(piece) for write in one.stream.writes)
        assert b"".join(one.stream.writes).endswith(b"\r\n\r\n" + 200 * piece)


async def test_an_application_that_outruns_its_reader_has_to_wait_and_never_takes_over(autojump_clock: Any) -> None:
    sent = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await start(send, 10**9)
        while True:
            await send({"type": "http.response.body", "body": bytes(1000), "more_body": True})
            sent += 1

    async with served(app) as one:
        one.stream.stalled = True
        await one.client.send_all(GET)
        await trio.testing.wait_all_tasks_blocked()
        assert sent * 1000 < HOLD
        assert await one.until_closed() == WRITE_TIMEOUT
        # From here on each write fails at once, and the application does not care.
        for _ in range(10):
            await trio.lowlevel.checkpoint()
        assert sent < 10_000


async def test_an_application_that_works_on_after_its_response_does_not_hold_it_open(
    autojump_clock: Any,
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await hello(scope, receive, send)
        await trio.sleep_forever()

    async with served(app) as one:
        await one.client.send_all(GET)
        assert await one.until_closed() == pytest.approx(KEEP_ALIVE + ARRIVED)


async def test_an_idle_connection_ends_one_keep_alive_after_its_last_response(autojump_clock: Any) -> None:
    async with served(hello) as one:
        for _ in range(4):
            await one.client.send_all(GET)
            await one.client.receive_some()
            await trio.sleep(KEEP_ALIVE - 1)
        assert await one.until_closed() == pytest.approx(1 + ARRIVED)


@pytest.mark.parametrize("asked", [True, False])
async def test_a_connection_is_kept_for_long_only_if_it_was_of_use_and_there_are_few(
    autojump_clock: Any, monkeypatch: pytest.MonkeyPatch, *, asked: bool
) -> None:
    if asked:
        monkeypatch.setattr("wagate.web.http.connection.MANY", 0)
    async with served(hello) as one:
        if asked:
            await one.client.send_all(GET)
            await one.client.receive_some()
        assert await one.until_closed() == pytest.approx(FIRST + ARRIVED)


async def test_a_request_may_run_longer_than_the_keep_alive(autojump_clock: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await trio.sleep(10 * KEEP_ALIVE)
        await hello(scope, receive, send)

    async with served(app) as one:
        await one.client.send_all(GET)
        assert (await one.client.receive_some()).endswith(b"hi")
        assert await one.until_closed() == pytest.approx(KEEP_ALIVE + ARRIVED)


async def test_dripped_headers_do_not_prolong_a_connection(autojump_clock: Any) -> None:
    async with served(hello) as one:
        await one.client.send_all(b"GET / HTTP/1.1\r\n")
        with suppress(trio.BrokenResourceError):
            for _ in range(1000):
                await one.client.send_all(b"X-Drip: 1\r\n")
                await trio.sleep(0.4)
        assert one.ended_at == pytest.approx(FIRST + ARRIVED)


async def test_a_body_that_stops_coming_ends_the_connection(autojump_clock: Any) -> None:
    events: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while not events or events[-1] != "http.disconnect":
            events.append((await receive())["type"])

    async with served(app) as one:
        await one.client.send_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
        await one.client.receive_some()
        assert await one.until_closed() == 0
        assert trio.current_time() == READ_TIMEOUT
        await trio.testing.wait_all_tasks_blocked()
        assert events == ["http.request", "http.disconnect"]


async def test_the_connection_of_a_client_that_is_gone_ends_at_once(autojump_clock: Any) -> None:
    async with served(hello) as one:
        await one.client.send_all(GET)
        await one.client.receive_some()
        await one.client.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert one.ended_at == 0
        assert not one.context.connections


async def test_a_peer_that_takes_nothing_is_cut(autojump_clock: Any) -> None:
    async with served(hello) as one:
        one.stream.stalled = True
        await one.client.send_all(GET)
        assert await one.until_closed() == WRITE_TIMEOUT


async def test_stopping_closes_idle_connections_now_and_stuck_writes_at_the_cut(autojump_clock: Any) -> None:
    async with served(hello) as idle, served(hello) as stuck:
        stuck.stream.stalled = True
        await stuck.client.send_all(GET)
        await trio.testing.wait_all_tasks_blocked()
        for one in (idle, stuck):
            await one.context.stop(trio.current_time() + 3)
        assert await idle.until_closed() == 0
        assert await stuck.until_closed() == 3


async def test_a_request_that_comes_in_the_moment_of_the_stop_is_answered(autojump_clock: Any) -> None:
    async with served(hello) as one:
        await trio.testing.wait_all_tasks_blocked()
        await one.context.terminated.set()
        one.stream.came = lambda: one.connection.finish(trio.current_time() + 3)
        await one.client.send_all(GET)
        head, _, body = bytes(await one.client.receive_some()).partition(b"\r\n\r\n")
        assert b"connection: close" in head.lower()
        assert body == b"hi"


async def test_a_connection_that_only_takes_the_rest_of_a_refused_body_makes_no_room(autojump_clock: Any) -> None:
    async with served(hello) as one:
        await one.client.send_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
        assert (await one.client.receive_some()).endswith(b"hi")
        await trio.testing.wait_all_tasks_blocked()
        assert one.context.connections
        assert not one.context.evict()


async def test_an_error_in_a_connection_ends_that_connection_only(mock_clock: Any) -> None:
    async with served(hello) as one:
        await trio.testing.wait_all_tasks_blocked()
        one.connection.protocol.protocol.send = None  # type: ignore[assignment]
        await one.client.send_all(GET)
        await one.until_closed()
        await trio.testing.wait_all_tasks_blocked()
        assert one.ended_at is not None


def piece(body: bytes) -> HTTPRequestEvent:
    return {"type": "http.request", "body": body, "more_body": True}


async def test_an_inbox_is_filled_no_further_than_its_limit() -> None:
    inbox = Inbox(2)
    async with trio.open_nursery() as nursery:
        for body in (b"1", b"2", b"3"):
            nursery.start_soon(inbox.put, piece(body))
            await trio.testing.wait_all_tasks_blocked()
        assert len(nursery.child_tasks) == 1
        assert [(await inbox.receive())["body"] for _ in range(3)] == [b"1", b"2", b"3"]  # type: ignore[typeddict-item]


async def test_a_disconnect_never_waits_for_room_and_frees_who_does() -> None:
    inbox = Inbox(1)
    async with trio.open_nursery() as nursery:
        await inbox.put(piece(b""))
        nursery.start_soon(inbox.put, piece(b"late"))
        await trio.testing.wait_all_tasks_blocked()
        await inbox.put({"type": "http.disconnect"})
    assert [(await inbox.receive())["type"] for _ in range(2)] == ["http.request", "http.disconnect"]


async def said(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the method and the body, in chunks."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["method"].encode() + b" " + body})


async def test_requests_that_are_not_plain_follow_plain_ones_on_one_connection(mock_clock: Any) -> None:
    plain = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    chunked = b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n"
    async with served(said) as one:
        await one.client.send_all(plain + plain + chunked + plain + b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n")
        await one.until_closed()
        answers = b"".join(one.stream.writes).split(b"HTTP/1.1 ")[1:]
        assert [answer[:3] for answer in answers] == [b"200", b"200", b"200", b"200", b"400"]
        bodies = [answer.partition(b"\r\n\r\n")[2].split(b"\r\n")[1:2] for answer in answers[:4]]
        assert bodies == [[b"POST abc"], [b"POST abc"], [b"PUT de"], [b"POST abc"]]


async def test_a_body_in_pieces_is_whole(mock_clock: Any) -> None:
    async with served(said) as one:
        for piece in (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n", b"abc", b"def" + GET):
            await one.client.send_all(piece)
            await trio.testing.wait_all_tasks_blocked()
        assert [write.split(b"\r\n")[-4] for write in one.stream.writes] == [b"POST abcdef", b"GET "]


async def test_only_a_body_that_came_with_its_head_is_read_without_a_deadline(mock_clock: Any) -> None:
    found: list[bool] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.append(WHOLE in scope["extensions"])
        await said(scope, receive, send)

    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"
    chunked = b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    async with served(app) as one:
        for part in (head + b"abc" + GET + head + b"ab", b"c", head, b"abc", chunked):
            await one.client.send_all(part)
            await trio.testing.wait_all_tasks_blocked()
    assert found == [True, True, False, False, False]


async def test_a_body_that_breaks_off_is_400(mock_clock: Any) -> None:
    async with served(said) as one:
        await one.client.send_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc")
        await one.client.send_eof()
        await one.until_closed()
        assert b"".join(one.stream.writes).startswith(b"HTTP/1.1 400 ")
        assert len(one.stream.writes) == 1


@pytest.mark.parametrize("sent", [b"x", b"xxx"])
async def test_a_body_of_another_length_than_was_said_ends_the_connection(sent: bytes, mock_clock: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await start(send, 2)
        await send({"type": "http.response.body", "body": sent})

    async with served(app) as one:
        await one.client.send_all(GET)
        await one.until_closed()
        assert b"".join(one.stream.writes).endswith(b"\r\n\r\n")


async def test_an_application_that_fails_or_says_nothing_is_500(mock_clock: Any) -> None:
    async def fails(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError(scope["path"])

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        pass

    for app in (fails, silent):
        async with served(app) as one:
            await one.client.send_all(GET)
            await one.until_closed()
            [answer] = one.stream.writes
            assert answer.startswith(b"HTTP/1.1 500 ")
            assert b"connection: close" in answer.lower()


async def test_head_and_204_have_no_body(mock_clock: Any) -> None:
    async def none(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b"not to be sent"})

    for app, request in ((none, GET), (hello, b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")):
        async with served(app) as one:
            for count in (1, 2):
                await one.client.send_all(request)
                await trio.testing.wait_all_tasks_blocked()
                assert len(one.stream.writes) == count
            assert all(write.endswith(b"\r\n\r\n") for write in one.stream.writes)
