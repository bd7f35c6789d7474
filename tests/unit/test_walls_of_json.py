"""JSON that is made to take long: as a body of doors, of routes, in names and in headers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.held import HELD, held, seconds, units
from wagate.config.convert import convert
from wagate.config.problems import MOST_LINES, Problems
from wagate.config.tables import Server
from wagate.errors import BadRequestError, UnprocessableError
from wagate.hooks.routes import decode
from wagate.parsing.chats import chat_key
from wagate.parsing.jsonbody import read_json
from wagate.parsing.retry_after import LONGEST, seconds_asked_for
from wagate.web.messages.body import SendBody
from wagate.web.messages.content import _decoded, check_storable
from wagate.web.waha.message_names import read_name
from wagate.web.waha.passed import _refuse_empty

MB = 1024 * 1024


BODIES: dict[str, Callable[[], bytes]] = {
    "empty objects": lambda: b'{"a":[' + b"{}," * (10 * MB // 3) + b"{}]}",
    "brackets": lambda: b"[" * (10 * MB),
    "keys": lambda: b"{" + b",".join(b'"%x":0' % n for n in range(900_000)) + b"}",
    "lone surrogates": lambda: b'{"a":"' + b"\\ud800" * (10 * MB // 6) + b'"}',
    "surrogates between letters": lambda: b'{"a":"' + b"a\\udfff" * (10 * MB // 7) + b'"}',
    "NUL": lambda: b'{"a":"' + b"\\u0000" * (10 * MB // 6) + b'"}',
    "bytes that are no UTF-8": lambda: b'{"a":"' + b"\xff\xe9a" * (MB // 3) + b'"}',
    "long numbers": lambda: b"[" + b"9" * (10 * MB) + b"]",
    "a file and one surrogate": lambda: b'{"a":"' + b"QUJD" * (10 * MB // 4) + b'","b":"\\ud800"}',
    "as many odd texts as may be": lambda: b'{"a":[' + b'"\\ud800",' * 99_000 + b"1]}",
}


@pytest.mark.parametrize("what", BODIES)
def test_no_body_of_ten_megabytes_holds_the_loop(what: str) -> None:
    body = BODIES[what]()
    assert held(lambda: read_json(body), BadRequestError) < HELD


@pytest.mark.parametrize("what", BODIES)
def test_nor_does_it_as_the_body_of_a_route(what: str) -> None:
    body = b'{"to":"1","message":"x","metadata":{"x":' + BODIES[what]() + b"}}"
    assert held(lambda: decode(SendBody, body), BadRequestError, UnprocessableError) < HELD


@pytest.mark.parametrize(
    ("what", "wall", "gone"),
    [("keys", "refuse_many", lambda _: None), ("lone surrogates", "_LONG", 10 * MB)],
    ids=["many", "odd"],
)
def test_without_its_wall_it_would(what: str, wall: str, gone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"wagate.parsing.jsonbody.{wall}", gone)
    body = BODIES[what]()
    assert units(seconds(lambda: read_json(body), BadRequestError)) > HELD


@pytest.mark.parametrize("length", [1, 10_000])
@given(text=st.text(alphabet=st.characters(exclude_categories=())))
def test_mended_text_is_what_a_pattern_would_make_of_it(length: int, text: str) -> None:
    body = json.dumps({"a": text * (length // max(1, len(text)) + 1)})
    found: Any = read_json(body.encode())
    whole = json.loads(body)["a"]  # Of two halves in a row JSON makes one character.
    assert found["a"] == re.sub("[\0\ud800-\udfff]", "\ufffd", whole)


def test_question_marks_beside_a_surrogate_stay_and_so_do_private_characters() -> None:
    for private in ("", "\ue0f7", "\ue0f7\uf123", "\ue0f7\uf123\uf8e1"):
        found: Any = read_json(json.dumps({"?": f"a?{private}\ud800?" * 5000}).encode())
        assert found == {"?": f"a?{private}\ufffd?" * 5000}


def test_what_is_nested_too_deep_is_refused_before_it_is_walked() -> None:
    for depth in (100, 900, 40_000):
        body = b'{"to":"1","message":"x","metadata":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"
        with pytest.raises(BadRequestError, match="deeper than 64"):
            decode(SendBody, body)


def test_a_long_key_above_many_values_takes_no_memory_of_each() -> None:
    value = {"k" * MB: ["\0" if n == 9_999 else 0 for n in range(10_000)]}
    assert held(lambda: check_storable(value, ""), UnprocessableError) < HELD
    with pytest.raises(UnprocessableError) as caught:
        check_storable(value, "metadata")
    assert caught.value.errors[0].field == f"metadata.{'k' * 99}[9999]"


def test_thousands_of_unknown_settings_are_told_of_a_hundred() -> None:
    wrong = {f"key_{n}": n for n in range(50_000)}
    problems = Problems("")
    assert held(lambda: convert(Server, wrong, ("settings",), problems)) < HELD
    assert len(problems.lines) == MOST_LINES


def test_one_unknown_setting_with_a_long_name_is_not_compared_with_all() -> None:
    assert held(lambda: convert(Server, {"p" * 200_000: 1}, ("settings",), Problems(""))) < HELD


@pytest.mark.parametrize(
    "work",
    [
        lambda: read_name("true_" + "@" * 200_000),
        lambda: read_name("true_a@b_" + "_@" * 100_000),
        lambda: chat_key("+1" + " " * 190 + "q"),
        lambda: _decoded("data:" * (2 * MB), "file"),
        lambda: _decoded("data:x;" + ";" * (10 * MB), "file"),
        lambda: _decoded("a " * (5 * MB), "file"),
        lambda: _refuse_empty({"data": "data:" * (2 * MB)}),
        lambda: _refuse_empty({"file": {"data": " " * (10 * MB)}}),
        lambda: _refuse_empty({"picture": {"data": "data:x," + "QUJD" * (2 * MB)}}),
    ],
    ids=["signs", "participants", "blanks", "data URIs", "semicolons", "letters", "no file", "nothing", "a file"],
)
def test_no_text_takes_the_square_of_its_length(work: Callable[[], Any]) -> None:
    assert held(work, UnprocessableError) < HELD


@pytest.mark.parametrize(
    ("data", "empty"),
    [
        ("", True),
        ("data:image/jpeg;base64,", True),
        ("data:x, =\n==", True),
        (" \n =", True),
        ("data:x", False),
        ("data:x,Q", False),
        (" = Q", False),
        ("QUJD", False),
    ],
)
def test_a_file_of_blanks_and_padding_is_empty(data: str, empty: bool) -> None:
    with pytest.raises(UnprocessableError) if empty else nullcontext():
        _refuse_empty({"file": {"data": data}})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("true_1@c.us_AB", ("1@c.us", ["true_1@c.us_AB", "AB"])),
        ("false_1@g.us_AB_2@c.us", ("1@g.us", ["false_1@g.us_AB_2@c.us", "AB"])),
        ("false_1@g.us_A_B_2@c.us", ("1@g.us", ["false_1@g.us_A_B_2@c.us", "A_B"])),
        ("true_1@c.us_A_B", ("1@c.us", ["true_1@c.us_A_B", "A_B"])),
        ("true_1@c.us_", ("", ["true_1@c.us_"])),
        ("true_1@_AB", ("", ["true_1@_AB"])),
        ("maybe_1@c.us_AB", ("", ["maybe_1@c.us_AB"])),
        ("AB", ("", ["AB"])),
    ],
)
def test_names_of_messages_are_read_as_before(name: str, expected: Any) -> None:
    assert read_name(name) == expected


NOW = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("9" * 5000, LONGEST),
        (" 7 ", 7.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("1e9", None),
        ("²", None),
        ("٣", None),
        ("", None),
        (None, None),
        ("Sun, 29 Nov 2026 00:01:00 GMT", 60.0),
        ("Sun, 29 Nov 2026 00:01:00", 60.0),
        ("Sun, 29 Nov 2026 00:01:00 -0000", 60.0),
        ("Sun, 29 Nov 2020 00:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", LONGEST),
        ("Mon, 01 Jan 99999999 00:00:00 GMT", None),
        ("Mon, 99 Foo 2026 00:00:00 GMT", None),
        ("Sun, 29 Nov 2026 00:01:00 +9999999999", None),
        ("x" * 100_000, None),
    ],
)
def test_whatever_a_provider_asks_to_wait_is_between_nothing_and_a_day(
    text: str | None, expected: float | None
) -> None:
    assert seconds_asked_for(text, NOW) == expected


@given(st.text())
def test_no_text_at_all_is_an_error_or_more_than_a_day(text: str) -> None:
    found = seconds_asked_for(text, NOW)
    assert found is None or 0 <= found <= LONGEST


def test_a_full_body_that_people_send_passes() -> None:
    body = {"to": "+15550001", "message": {"text": ", ".join(["word"] * 9000)}, "metadata": {"a": [1, {"b": None}]}}
    assert decode(SendBody, msgspec.json.encode(body)).metadata == {"a": [1, {"b": None}]}
