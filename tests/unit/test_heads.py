"""What is read without h11 is what h11 reads, and nothing that could be read in two ways."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagate.web.http.heads import plain_head, written

POST = b"POST /a?b=c HTTP/1.1\r\nHost: x\r\n"
HOSTILE = [
    b"GET / HTTP/1.0\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\nHost: x\n\n",
    b"GET / HTTP/1.1\r\nHost: x\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\n",
    b"GET / HTTP/1.1\rHost: x\r\r",
    b"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b" GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /\tHTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / b HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"get / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / http/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nAccept: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nHOST: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    b"GET / HTTP/1.1\r\n Host: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\tfolded: y\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n: nameless\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nA\x00: y\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nA: b\x0bc\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nA: b",
    b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n",
    POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    POST + b"Content-Length: 1\r\ncontent-length: 1\r\n\r\n",
    POST + b"Content-Length: 1, 1\r\n\r\n",
    POST + b"Content-Length: +1\r\n\r\n",
    POST + b"Content-Length: -1\r\n\r\n",
    POST + b"Content-Length: 0x1\r\n\r\n",
    POST + b"Content-Length: 1_0\r\n\r\n",
    POST + b"Content-Length: 1 0\r\n\r\n",
    POST + b"Content-Length: \xb2\r\n\r\n",
    POST + b"Content-Length:\r\n\r\n",
    POST + b"Content-Length: 1000000000000000000\r\n\r\n",
    POST + b"Transfer-Encoding: chunked\r\n\r\n",
    POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    POST + b"transfer-ENCODING: identity\r\n\r\n",
    POST + b"Transfer-Encoding:\r\n\r\n",
    POST + b"Transfer-Encoding : chunked\r\n\r\n",
    POST + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n",
    POST + b"Connection: close\r\n\r\n",
    POST + b"Connection: keep-alive, Transfer-Encoding\r\n\r\n",
    POST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    POST + b"Upgrade: h2c\r\n\r\n",
]


@pytest.mark.parametrize("head", HOSTILE)
def test_what_could_be_doubted_is_left_to_h11(head: bytes) -> None:
    assert plain_head(head) is None


def read_by_h11(data: bytes) -> tuple[bytes, bytes, list[tuple[bytes, bytes]], bytes, object]:
    """Method, target, headers, body, and what h11 says comes after."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    request, body = connection.next_event(), b""
    assert isinstance(request, h11.Request)
    while isinstance(event := connection.next_event(), h11.Data):
        body += bytes(event.data)
    return request.method, request.target, list(request.headers), body, event


NAMES = st.sampled_from([b"Host", b"host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"X-A", b"x~b", b""])
TEXTS = st.sampled_from([b"x", b"0", b"3", b"chunked", b"keep-alive", b"Keep-Alive", b"close", b"a b\tc", b"\xe9", b""])
SPACES = st.sampled_from([b"", b" ", b"\t", b" \t ", b"\x0b", b"\r\n "])
ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"])
LINES = st.builds(
    lambda *parts: b"".join(parts), NAMES, st.sampled_from([b":", b":", b" :"]), SPACES, TEXTS, SPACES, ENDS
)
FIRST = st.builds(
    lambda method, target, version: b"%b %b HTTP/%b\r\n" % (method, target, version),
    st.sampled_from([b"GET", b"POST", b"HEAD", b"PATCH", b"NONE"]),
    st.sampled_from([b"/", b"/a%20b?c=d&e", b"*", b"//x", b"http://x/"]),
    st.sampled_from([b"1.1", b"1.1", b"1.0"]),
)


@given(FIRST, st.lists(LINES, max_size=5), st.sampled_from([b"", b"abc"]))
def test_what_is_plain_h11_reads_in_the_same_way(first: bytes, lines: list[bytes], body: bytes) -> None:
    data = first + b"Host: x\r\n" + b"".join(lines) + b"\r\n" + body
    head = plain_head(data)
    if head is None:
        return
    method, target, headers, read, after = read_by_h11(data)
    assert (head.method, head.target, head.headers) == (method, target, headers)
    assert data[head.end :][: head.length] == read
    assert isinstance(after, h11.EndOfMessage) == (len(read) == head.length)


def test_what_clients_send_is_plain() -> None:
    head = plain_head(
        POST + b"User-Agent:  a b \r\nContent-Length: 3\r\nConnection: Keep-Alive\r\nX-Empty:\r\n\r\nabcGET"
    )
    assert head is not None
    assert (head.method, head.target, head.length) == (b"POST", b"/a?b=c", 3)
    assert dict(head.headers)[b"user-agent"] == b"a b"
    assert dict(head.headers)[b"x-empty"] == b""


def test_the_head_of_an_answer_can_not_be_split() -> None:
    with pytest.raises(h11.LocalProtocolError):
        written(200, ((b"x-a", b"b\r\nx-c: d"),))
    with pytest.raises(h11.LocalProtocolError):
        written(99, ())


def test_an_answer_without_a_length_is_chunked_and_says_when_it_is_the_last() -> None:
    assert b"transfer-encoding: chunked\r\n" in written(200, ())[0].lower()
    head, closes = written(200, ((b"Content-Length", b"0"), (b"Connection", b"close")))
    assert closes
    assert b"chunked" not in head
