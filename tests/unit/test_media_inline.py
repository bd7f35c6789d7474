"""Files in base64 inside a body: all the ways in which it is written."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagate.errors import NotFoundError
from wagate.media.base64 import SLICE, Decoder, decoded, inline_data


def body(text: object) -> bytes:
    return json.dumps({"data": {"message": {"media": {"data": text}}}}).encode()


def taken_out(text: object) -> bytes:
    return b"".join(decoded(inline_data(body(text), "data.message.media")))


@given(st.binary(min_size=1, max_size=2000))
def test_what_was_written_comes_back(content: bytes) -> None:
    plain = base64.b64encode(content).decode()
    wrapped = base64.encodebytes(content).decode()
    address, safe = f"data:image/jpeg;base64,{plain}", base64.urlsafe_b64encode(content).decode()
    for text in (plain, plain.rstrip("="), wrapped, address, safe):
        assert taken_out(text) == content


@given(st.binary(max_size=2000), st.integers(1, 300))
def test_it_is_decoded_as_it_comes_escapes_and_all(content: bytes, size: int) -> None:
    plain = base64.b64encode(content).decode()
    wrapped = base64.encodebytes(content).decode()
    for text in (plain, plain.rstrip("="), f"data:image/png;base64,{plain}", wrapped):
        for letters in (text.replace("/", "\\/"), text.replace("+", "\\u002B").replace("=", "\\u003d")):
            written, decoder = letters.replace("\n", "\\n").encode(), Decoder(escaped=True)
            pieces = [decoder.feed(written[at : at + size]) for at in range(0, len(written), size)]
            assert b"".join([*pieces, decoder.end()]) == content


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes_are_decoded_or_refused(letters: bytes, size: int) -> None:
    decoder = Decoder(escaped=True)
    try:
        for at in range(0, len(letters), size):
            decoder.feed(letters[at : at + size])
        decoder.end()
    except ValueError:
        return


@pytest.mark.parametrize("size", [SLICE // 4 * 3 - 1, SLICE // 4 * 3, SLICE // 4 * 3 + 1, SLICE * 2])
def test_a_long_file_is_decoded_in_slices(size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    pieces = list(decoded(base64.b64encode(content[:size]).decode()))
    assert b"".join(pieces) == content[:size]
    assert max(map(len, pieces)) <= SLICE


@given(st.text(min_size=1, max_size=40))
def test_any_text_is_decoded_or_refused(text: str) -> None:
    try:
        taken_out(text)
    except (ValueError, NotFoundError):
        return


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"data": []}', body(None), body(""), body(5), body({}), b"{" * 100])
def test_a_body_without_the_file_is_told_so(raw: bytes) -> None:
    with pytest.raises(NotFoundError):
        inline_data(raw, "data.message.media")
