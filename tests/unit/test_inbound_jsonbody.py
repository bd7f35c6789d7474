from __future__ import annotations

import json
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.effort import examples
from wagate.errors import BadRequestError
from wagate.parsing.jsonbody import MAX_DEPTH, read_json, read_object


def refused(body: bytes) -> BadRequestError:
    with pytest.raises(BadRequestError) as caught:
        read_json(body)
    assert [error.field for error in caught.value.errors] == [""]
    return caught.value


def test_a_usual_body_is_read_as_it_is() -> None:
    assert read_json(b'{"a": [1, 2.5, null, true, "\xf0\x9f\x98\x80"]}') == {"a": [1, 2.5, None, True, "😀"]}


@pytest.mark.parametrize("body", [b"", b"  \n", b"\xef\xbb\xbf"])
def test_an_empty_body_is_refused_and_says_so(body: bytes) -> None:
    assert "empty" in refused(body).detail


@pytest.mark.parametrize(
    "body",
    [b"{", b'{"a":}', b"not json", b"{} x", b"[1,]", b'{"a":01}', b'{"a":NaN}', b"[-Infinity]", b"{'a':1}", b'"\\x"'],
)
def test_malformed_json_is_refused(body: bytes) -> None:
    assert refused(body).detail.startswith("malformed JSON")


def test_the_place_of_the_fault_is_named() -> None:
    assert "line 2, column 5 (character 6)" in refused(b'{\n"a":}').detail


@pytest.mark.parametrize("body", [b'"text"', b"1", b"null", b"true"])
def test_a_bare_scalar_is_refused(body: bytes) -> None:
    assert "object" in refused(body).detail


def test_a_list_is_refused_only_where_an_object_is_needed() -> None:
    assert read_json(b"[1]") == [1]
    with pytest.raises(BadRequestError, match="not a list"):
        read_object(b"[1]")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (rb'{"a":"x\ud800y"}', "x\ufffdy"),
        (rb'{"a":"\ude00\ud83d"}', "\ufffd\ufffd"),
        (rb'{"a":"\ud83d\ude00"}', "😀"),
        (rb'{"a":"x\u0000y"}', "x\ufffdy"),
        (b'{"a":"x\x00y"}', "x\ufffdy"),
        (b'{"a":"x\xffy"}', "x\ufffdy"),
        (b'{"a":"x\ny"}', "x\ny"),
        (b'\xef\xbb\xbf{"a":"bom"}', "bom"),
        (rb'{"a":"\\u0000"}', r"\u0000"),
    ],
)
def test_odd_text_is_mended_and_never_refused(body: bytes, text: str) -> None:
    assert read_json(body) == {"a": text}


def test_keys_are_mended_too() -> None:
    assert read_json(rb'{"\ud800":{"\u0000":1}}') == {"\ufffd": {"\ufffd": 1}}


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (b"1e400", sys.float_info.max),
        (b"-1e999", -sys.float_info.max),
        (b"9" * 5000, sys.float_info.max),
        (b"1e-999", 0.0),
        (b"18446744073709551616", 2**64),
    ],
)
def test_huge_numbers_are_clamped_and_never_refused(number: bytes, value: float) -> None:
    assert read_json(b'{"a":' + number + b"}") == {"a": value}


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_deep_nesting_is_refused_without_a_recursion_error(opening: bytes) -> None:
    refused(opening * 100_000)


@pytest.mark.parametrize("core", [b"1", rb'"\u0000"', rb'"\ud800"'])
def test_nesting_is_taken_in_up_to_the_bound_and_not_beyond(core: bytes) -> None:
    assert read_json(b"[" * MAX_DEPTH + core + b"]" * MAX_DEPTH)
    assert "deeper" in refused(b"[" * (MAX_DEPTH + 1) + core + b"]" * (MAX_DEPTH + 1)).detail


def test_a_wide_body_is_not_taken_for_a_deep_one() -> None:
    body = json.dumps([{"a": [index]} for index in range(1000)]).encode()
    assert len(read_json(body)) == 1000


def test_of_equal_keys_the_last_wins() -> None:
    assert read_json(b'{"a":1,"a":2}') == {"a": 2}


TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@examples(2)
@given(st.dictionaries(TEXT, JSON, max_size=4), st.booleans())
def test_what_was_written_is_read_back(document: dict[str, Any], ascii_only: bool) -> None:
    assert read_json(json.dumps(document, ensure_ascii=ascii_only).encode()) == document


@examples(3)
@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:\\ud80e+-19Na ', max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused_and_what_is_read_can_be_stored(body: bytes) -> None:
    try:
        document = read_json(body)
    except BadRequestError:
        return
    stored = msgspec.json.encode(document)
    assert b"\\u0000" not in stored
    stored.decode("utf-8", "strict")
