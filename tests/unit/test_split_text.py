"""Long texts as several messages."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagate.errors import UnprocessableError
from wagate.hooks import OutMessage
from wagate.outbound.submitted import parted
from wagate.parsing.split import length_of, split_text

FAMILY = "👨‍👩‍👧‍👦"


def test_a_text_that_fits_is_left_as_it_is() -> None:
    assert split_text("  a\n\nb  ", 20) == ["  a\n\nb  "]
    assert split_text("x" * 5000, 0) == ["x" * 5000]


def test_the_first_part_may_have_another_length_than_those_behind_it() -> None:
    text = "aaaa bbbb cccc dddd eeee ffff"
    assert split_text(text, 10, then=15) == ["aaaa bbbb", "cccc dddd eeee", "ffff"]
    assert split_text(text, 10, then=0) == ["aaaa bbbb", "cccc dddd eeee ffff"]
    assert split_text("*aa bb cc dd*", 18, then=0) == ["*aa bb cc dd*"]
    assert split_text("*aaaa bbbb cccc dddd*", 17, then=0) == ["*aaaa*", "*bbbb cccc dddd*"]


def test_the_last_paragraph_that_fits_ends_a_part() -> None:
    first, second, third = ("One. Two\nthree " * 6).strip(), "b " * 30 + "b", "c" * 40
    assert split_text(f"{first}\n\n{second}\n \n\n{third}", 160) == [f"{first}\n\n{second}", third]


def test_without_paragraphs_lines_sentences_and_words_are_kept_whole() -> None:
    assert split_text("aaaa bbbb\ncccc dddd eeee", 15) == ["aaaa bbbb", "cccc dddd eeee"]
    assert split_text("Aaaa bbbb. Cccc dddd eeee", 20) == ["Aaaa bbbb.", "Cccc dddd eeee"]
    assert split_text("这是一句。这是另一句话", 7) == ["这是一句。", "这是另一句话"]
    assert split_text("aaaa bbbb cccc", 10) == ["aaaa bbbb", "cccc"]
    assert split_text("a" * 25, 10) == ["a" * 10, "a" * 10, "a" * 5]


def test_a_paragraph_of_a_few_words_is_no_part_of_its_own() -> None:
    assert split_text("Hi,\n\n" + "a" * 95, 90)[0] == "Hi,\n\n" + "a" * 85


@pytest.mark.parametrize("sign", [FAMILY, "👍🏽", "🇧🇷", "e\u0301\u0323", "❤\ufe0f", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"])
@pytest.mark.parametrize("ahead", range(8))
def test_what_people_see_as_one_sign_is_never_cut(sign: str, ahead: int) -> None:
    parts = split_text("x" * ahead + sign * 12, 30)
    assert "".join(parts) == "x" * ahead + sign * 12
    for part in parts:
        assert part.lstrip("x").replace(sign, "") == ""


def test_a_url_is_never_cut() -> None:
    url = "https://shop.example/a?b=c.d!e;f&g=" + "h" * 60
    parts = split_text(f"{'word ' * 30}{url} {'word ' * 30}", 120)
    assert [url in part for part in parts].count(True) == 1


def test_a_url_that_no_message_could_hold_is_refused() -> None:
    with pytest.raises(UnprocessableError, match="a link"):
        split_text("https://shop.example/" + "h" * 200, 120)


def test_marks_are_closed_and_opened_again_at_a_cut() -> None:
    parts = split_text("*" + "bold _both words_ here " * 4 + "end*", 60)
    for part in parts:
        assert part.startswith("*")
        assert part.endswith("*")
        assert part.count("_") % 2 == 0
    code = "```" + "\n".join(f"line {number}" for number in range(30)) + "```"
    for part in split_text(code, 80):
        assert part.startswith("```")
        assert part.endswith("```")


@given(st.text(alphabet="ab .\n*_~`😀é👍🏽", max_size=300), st.integers(20, 60))
def test_no_part_is_too_long_and_no_letter_is_lost(text: str, longest: int) -> None:
    parts = split_text(text, longest)
    assert all(length_of(part) <= longest for part in parts)
    kept = [sign for sign in text if not sign.isspace() and sign not in "*_~`"]
    assert [sign for part in parts for sign in part if not sign.isspace() and sign not in "*_~`"] == kept
    assert not any(unicodedata.combining(part[0]) for part in parts if part)


@pytest.mark.parametrize(
    "piece",
    ["a", "a ", "*", "*a", "*a* ", "```", "`a`", "a\n", "_a ", "`a ", "https://x.y ", "😀", "🇧🇷", "\u0301", " "],
)
def test_no_text_takes_long(piece: str) -> None:
    text = (piece * 65_536)[:65_536]
    took = []
    for _ in range(3):  # the best of them: what else runs on the machine slows each
        began = time.thread_time()
        try:
            split_text(text, 1024)
        except UnprocessableError:
            assert piece == "\u0301"
        took.append(time.thread_time() - began)
    assert min(took) < 0.1


def test_people_are_mentioned_in_the_parts_that_name_them() -> None:
    people = ("12025550001@c.us", "1202555@c.us", "77@lid", "all")
    message = OutMessage(chat="1@g.us", type="text", text="Ask @12025550001.\n\nThen @all, or @77", mentions=people)
    parts = [part for _, part in parted(message, 20)]
    assert [part.text for part in parts] == ["Ask @12025550001.", "Then @all, or @77"]
    assert [part.mentions for part in parts] == [("12025550001@c.us",), ("77@lid", "all")]


@pytest.mark.parametrize("piece", ["@", "a ", "@1202555"])
def test_a_thousand_mentions_take_no_longer_than_the_text(piece: str) -> None:
    people = tuple(f"1202555{number:04}@c.us" for number in range(1000))
    message = OutMessage(chat="1@g.us", type="text", text=(piece * 65_536)[:65_536], mentions=people)
    took = []
    for _ in range(3):  # the best of them: what else runs on the machine slows each
        began = time.thread_time()
        parted(message, 1024)
        took.append(time.thread_time() - began)
    assert min(took) < 0.1
