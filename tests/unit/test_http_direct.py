"""What is written and read without h11 is what h11 writes and reads, and nothing that could be read in two ways."""

from __future__ import annotations

import h11
import httpcore2
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from tests.effort import examples
from tests.receivers import OK, answering, client, read_request, serving
from wagate.http.direct import Direct, plain_answer, plain_request

FINE = b"HTTP/1.1 200 OK\r\n"
TWO = b"Content-Length: 2\r\n"
DOUBTED = [
    b"",
    FINE,
    FINE + TWO,
    FINE + b"\r\n",
    FINE + b"Server: x\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n" + TWO + b"\r\n",
    b"HTTP/2.0 200 OK\r\n" + TWO + b"\r\n",
    b"http/1.1 200 OK\r\n" + TWO + b"\r\n",
    b"\r\n" + FINE + TWO + b"\r\n",
    b" " + FINE + TWO + b"\r\n",
    b"HTTP/1.1 200\r\n" + TWO + b"\r\n",
    b"HTTP/1.1  200 OK\r\n" + TWO + b"\r\n",
    b"HTTP/1.1 20 OK\r\n" + TWO + b"\r\n",
    b"HTTP/1.1 2000 OK\r\n" + TWO + b"\r\n",
    b"HTTP/1.1 200 O\x00K\r\n" + TWO + b"\r\n",
    b"HTTP/1.1 200 OK\n" + TWO + b"\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n" + TWO + b"\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    b"HTTP/1.1 600 Odd\r\n" + TWO + b"\r\n",
    FINE + b"Content-Length: 2\n\r\n",
    FINE + TWO + b"\n",
    FINE + TWO + b"\n\n",
    FINE + TWO + b"A: b\rc\r\n\r\n",
    FINE + TWO + b"A: \x00\r\n\r\n",
    FINE + TWO + b"A: b\x0bc\r\n\r\n",
    FINE + TWO + b"A : b\r\n\r\n",
    FINE + TWO + b" folded\r\n\r\n",
    FINE + b" folded: x\r\n" + TWO + b"\r\n",
    FINE + TWO + b"\tfolded: y\r\n\r\n",
    FINE + TWO + b"no colon\r\n\r\n",
    FINE + TWO + b": nameless\r\n\r\n",
    FINE + TWO + TWO + b"\r\n",
    FINE + TWO + b"content-length: 7\r\n\r\n",
    FINE + b"Content-Length: 2, 2\r\n\r\n",
    FINE + b"Content-Length: +2\r\n\r\n",
    FINE + b"Content-Length: -2\r\n\r\n",
    FINE + b"Content-Length: 0x2\r\n\r\n",
    FINE + b"Content-Length: 1_0\r\n\r\n",
    FINE + b"Content-Length: 1 0\r\n\r\n",
    FINE + b"Content-Length: \xb2\r\n\r\n",
    FINE + b"Content-Length:\r\n\r\n",
    FINE + b"Content-Length: 1000000000000000000\r\n\r\n",
    FINE + b"Transfer-Encoding: chunked\r\n\r\n",
    FINE + TWO + b"Transfer-Encoding: chunked\r\n\r\n",
    FINE + TWO + b"transfer-ENCODING: identity\r\n\r\n",
    FINE + TWO + b"Transfer-Encoding:\r\n\r\n",
    FINE + TWO + b"Connection: close\r\n\r\n",
    FINE + TWO + b"Connection: keep-alive, close\r\n\r\n",
    FINE + TWO + b"Connection: keep-alive\r\nconnection: CLOSE\r\n\r\n",
    FINE + TWO + b"Upgrade: h2c\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n" + TWO + b"\r\n",
    b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\n" + TWO + b"\r\n",
]


@pytest.mark.parametrize("head", DOUBTED)
def test_what_could_be_doubted_is_left_to_h11(head: bytes) -> None:
    assert plain_answer(head) is None


def asking() -> h11.Connection:
    """h11, which has sent a request."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="POST", target="/", headers=[("Host", "x"), ("Content-Length", "0")]))
    connection.send(h11.EndOfMessage())
    return connection


def read_by_h11(data: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes, object, bytes, object]:
    """Status, headers and body; what h11 says comes after, what it has left, and whether the connection goes on."""
    connection = asking()
    connection.receive_data(data)
    answer, body = connection.next_event(), b""
    assert isinstance(answer, h11.Response)
    while isinstance(event := connection.next_event(), h11.Data):
        body += bytes(event.data)
    return (
        answer.status_code,
        answer.headers.raw_items(),
        body,
        event,
        connection.trailing_data[0],
        connection.their_state,
    )


NAMES = st.sampled_from([b"Content-Length", b"Transfer-Encoding", b"Connection", b"X-A", b"x~b", b"Set-Cookie", b""])
TEXTS = st.sampled_from([b"x", b"0", b"3", b"chunked", b"keep-alive", b"Keep-Alive", b"close", b"a b\tc", b"\xe9", b""])
SPACES = st.sampled_from([b"", b" ", b"\t", b" \t ", b"\x0b", b"\r\n "])
ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"])
ODD = st.builds(lambda *parts: b"".join(parts), NAMES, st.sampled_from([b":", b" :"]), SPACES, TEXTS, SPACES, ENDS)
WELL = st.sampled_from(
    [
        b"X-A: b\r\n",
        b"x-a:\tb c \r\n",
        b"Set-Cookie:a=b\r\n",
        b"Connection: keep-alive\r\n",
        b"connection: Close\r\n",
        b"Content-Length: 3\r\n",
        b"content-length:0 \r\n",
        b"Content-Length: 03\r\n",
        b"transfer-encoding: chunked\r\n",
    ]
)
LINES = st.lists(WELL, max_size=4) | st.lists(WELL | ODD, max_size=4)
FIRST = st.builds(
    lambda version, status, reason: b"HTTP/%b %b%b\r\n" % (version, status, reason),
    st.sampled_from([b"1.1"] * 9 + [b"1.0"]),
    st.sampled_from([b"200", b"201", b"204", b"302", b"304", b"404", b"503", b"100"]),
    st.sampled_from([b" OK", b" ", b" Not There", b"", b" \xe9"]),
)
BODIES = st.sampled_from([b"", b"ab", b"abc", b"abcHTTP/1.1 200 OK\r\n", b"3\r\nabc\r\n0\r\n\r\n"])


@examples(20)
@given(FIRST, LINES, BODIES)
def test_what_is_plain_h11_reads_in_the_same_way(first: bytes, lines: list[bytes], body: bytes) -> None:
    data = first + b"".join(lines) + b"\r\n" + body
    answer = plain_answer(data)
    if answer is None:
        return
    status, headers, read, after, left, state = read_by_h11(data)
    behind = data[answer.end :]
    assert (answer.status, answer.headers) == (status, headers)
    assert behind[: answer.length] == read
    assert isinstance(after, h11.EndOfMessage) == (len(read) == answer.length)
    if len(read) == answer.length:
        assert (behind[answer.length :], state) == (left, h11.DONE)


def test_what_servers_send_is_plain() -> None:
    data = (
        b"HTTP/1.1 503 Service Unavailable\r\nDate:  x \r\nset-cookie: a\r\nset-cookie: b\r\nConnection: Keep-Alive\r\n"
        b"X-Empty:\r\nContent-Length: 3\r\n\r\nabcH"
    )
    answer = plain_answer(data)
    assert answer is not None
    assert (answer.status, answer.length, data[answer.end :]) == (503, 3, b"abcH")
    assert answer.headers[:3] == [(b"Date", b"x"), (b"set-cookie", b"a"), (b"set-cookie", b"b")]
    empty = plain_answer(b"HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n")
    assert empty is not None
    assert (empty.status, empty.length) == (204, 0)


# Requests

VALUES = st.sampled_from([b"x", b"", b"a b\tc", b" x", b"x ", b"a\r\nX: b", b"a\nb", b"\x00", b"\xe9", b"~!"])


def made(method: bytes, headers: list[tuple[bytes, bytes]], content: bytes) -> httpcore2.Request:
    lines = [(b"Host", b"x"), *headers, (b"Content-Length", b"%d" % len(content))]
    return httpcore2.Request(method, "http://x/a?b=c", headers=lines, content=content)


@given(
    st.sampled_from([b"POST", b"PUT", b"GET", b"HEAD", b"CONNECT", b"po st"]),
    st.lists(st.tuples(st.sampled_from([b"X-A", b"x~b", b"", b"a b", b"a:b", b"User-Agent"]), VALUES), max_size=3),
    st.sampled_from([b"", b"abc"]),
)
def test_a_request_that_is_plain_h11_writes_in_the_same_way(
    method: bytes, headers: list[tuple[bytes, bytes]], content: bytes
) -> None:
    request = made(method, headers, content)
    wire = plain_request(request, content)
    if wire is None:
        return
    connection = h11.Connection(h11.CLIENT)
    head = connection.send(h11.Request(method=method, target=request.url.target, headers=request.headers)) or b""
    assert wire == head + (connection.send(h11.Data(content)) or b"") + (connection.send(h11.EndOfMessage()) or b"")


def test_what_h11_would_not_write_is_not_plain() -> None:
    assert plain_request(made(b"POST", [(b"X-A", b"b")], b"abc"), b"abc") is not None
    for value in (b"a\r\nX: b", b"a\r\nX: b\r\n\r\nGET / HTTP/1.1\r\nHost: x", b"a\nb", b" x", b"\x00"):
        assert plain_request(made(b"POST", [(b"X-A", value)], b"abc"), b"abc") is None
    assert plain_request(made(b"POST", [], b"abc"), b"abcd") is None
    assert plain_request(made(b"HEAD", [], b""), b"") is None


# Connections


def without_h11(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What is asked of httpcore2 all the same, by its heads."""
    asked: list[bytes] = []
    stand_by = httpcore2.AsyncHTTP11Connection.handle_async_request

    async def seen(self: Direct, request: httpcore2.Request) -> httpcore2.Response:
        asked.append(request.method)
        return await stand_by(self, request)

    monkeypatch.setattr(httpcore2.AsyncHTTP11Connection, "handle_async_request", seen)
    return asked


async def test_plain_answers_need_no_h11_and_keep_their_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = without_h11(monkeypatch)
    async with serving(answering(OK)) as server, client() as http:
        for method in ("POST", "GET", "PUT"):
            assert (await http.request(method, server.url(), timeout=60)).body == b"ok"
        assert (asked, server.connections) == ([], 1)
        await http.request("HEAD", server.url(), timeout=60)
        assert asked == [b"HEAD"]


async def test_a_connection_goes_on_after_answers_of_both_kinds_and_each_request_leaves_once() -> None:
    answers = [OK, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"] * 3
    seen: list[bytes] = []

    async def by_turns(stream: trio.SocketStream) -> None:
        while (request := await read_request(stream)) is not None:
            await stream.send_all(answers[len(seen)])
            seen.append(request[-1:])

    async with serving(by_turns) as server, client() as http:
        for number in range(6):
            answer = await http.request("POST", server.url(), content=b"%d" % number, timeout=60)
            assert (answer.status, answer.body, answer.truncated) == (200, b"ok", False)
        assert (seen, server.connections) == ([b"0", b"1", b"2", b"3", b"4", b"5"], 1)


@pytest.mark.parametrize("size", [0, 3, 200_000])
async def test_a_body_in_pieces_is_whole_or_said_not_to_be(size: int) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size

    async def slowly(stream: trio.SocketStream) -> None:
        for turn in range(2):
            await read_request(stream)
            await stream.send_all(head)
            await stream.send_all(b"x" * (size - turn))

    async with serving(slowly) as server, client() as http:
        for truncated in (False, size > 0):
            answer = await http.request("POST", server.url(), body_limit=size, timeout=60)
            assert (answer.status, len(answer.body), answer.truncated) == (200, size - truncated, truncated)
        assert len(http._idle) == (0 if size else 1)


async def test_an_answer_that_is_not_read_to_its_end_is_its_connections_last() -> None:
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 100
    async with serving(answering(long)) as server, client() as http:
        for _ in range(2):
            answer = await http.request("POST", server.url(), body_limit=10, timeout=60)
            assert (len(answer.body), answer.truncated, len(http._idle)) == (10, True, 0)
        assert server.connections == 2
