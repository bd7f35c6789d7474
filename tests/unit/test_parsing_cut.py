"""Files cut out of JSON while it comes: what stays is the same JSON, and the places are right, however it is split."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagate.parsing.cut import LONG, Cutter

LETTERS = "iVBORw0KGgo/+" * (LONG // 10)


def cut(body: bytes, sizes: list[int]) -> tuple[bytes, dict[str, bytes]]:
    """What stays, and what each mark stands for."""
    cutter, at, stays = Cutter("data", mark="mark"), 0, b""
    while at < len(body):
        size = sizes[at % len(sizes)]
        stays += cutter.feed(body[at : at + size])
        at += size
    return stays + cutter.end(), {mark: body[start:stop] for mark, (start, stop) in cutter.places.items()}


@given(st.integers(1, 70_000), st.integers(1, 5000), st.booleans())
def test_a_long_string_under_the_key_is_cut_out_and_the_rest_stays_json(one: int, two: int, escaped: bool) -> None:
    message = {"body": LETTERS, "n": [1, {}]}
    document: dict[str, Any] = {
        "dataType": "media",
        "data": {"messageMedia": {"mimetype": "image/png", "data": LETTERS}, "message": message},
    }
    body = json.dumps(document).encode()
    if escaped:
        body = body.replace(b"/", b"\\/")
    stays, found = cut(body, [one, two])
    document["data"]["messageMedia"]["data"] = "mark0"
    assert json.loads(stays) == document
    assert json.loads(b'"' + found["mark0"] + b'"') == LETTERS


@pytest.mark.parametrize(
    "body",
    [
        b'{"data": "short", "Data": "' + LETTERS.encode() + b'"}',
        b'["data", "' + LETTERS.encode() + b'"]',
        b'{"data": ["' + LETTERS.encode() + b'"]}',
        b'{"data\\u0041": "' + LETTERS.encode() + b'"}',
    ],
)
def test_nothing_else_is_cut(body: bytes) -> None:
    assert cut(body, [1000]) == (body, {})


@given(st.binary(max_size=300) | st.text(alphabet='"\\\\:{}[],data ', max_size=300).map(str.encode), st.integers(1, 50))
def test_what_is_short_passes_as_it_is_whatever_it_is(body: bytes, size: int) -> None:
    assert cut(body, [size]) == (body, {})
