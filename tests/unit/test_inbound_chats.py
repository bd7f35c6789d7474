from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from phonenumbers.phonenumberutil import SUPPORTED_REGIONS

from tests.effort import examples
from wagate.parsing.chats import chat_key, digits_of, is_group


@pytest.mark.parametrize(
    "text",
    [
        "+1234567890",
        "1234567890",
        " 1234567890 ",
        "1234567890@c.us",
        "+1234567890@c.us",
        "1234567890@C.US",
        "1234567890@s.whatsapp.net",
        "1234567890:12@s.whatsapp.net",
        "1234567890.0:12@s.whatsapp.net",
        "1234567890_1@c.us",
        "1234567890@hosted",
        "whatsapp:+1234567890",
        "WhatsApp:1234567890",
        "tel:+1-234-567-890",
        "+1 (234) 567-890",
        "1 234 567 890",
        "001234567890",
        "+1\u00a0234\u2011567\u2013890",
    ],
)
def test_every_way_to_write_a_number_gives_one_key(text: str) -> None:
    assert chat_key(text) == "1234567890@c.us"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("120363041234567890@g.us", "120363041234567890@g.us"),
        ("5511999990000-1500000000@g.us", "5511999990000-1500000000@g.us"),
        ("123456789012345@lid", "123456789012345@lid"),
        ("123456789012345:3@lid", "123456789012345@lid"),
        ("120363000000000000@newsletter", "120363000000000000@newsletter"),
        ("status@broadcast", "status@broadcast"),
        ("1700000000@broadcast", "1700000000@broadcast"),
        ("US.13491208655302741918", "US.13491208655302741918@user"),
        ("whatsapp:US.13491208655302741918", "US.13491208655302741918@user"),
        ("someone@example.com", "someone@example.com@user"),
        ("MyShop", "MyShop@user"),
        ("+1800FLOWERS", "+1800FLOWERS@user"),
        ("120363041234567890", "120363041234567890@user"),
        ("0@c.us", "0@c.us"),
        ("", ""),
        ("   ", ""),
        ("@c.us", "@c.us@user"),
    ],
)
def test_what_is_no_phone_keeps_its_id(text: str, key: str) -> None:
    assert chat_key(text) == key


def test_a_trunk_zero_is_taken_out_by_phonenumbers() -> None:
    assert chat_key("+44 (0)20 7946 0958") == "442079460958@c.us"
    assert chat_key("+62 0812 3456 7890") == "6281234567890@c.us"
    assert chat_key("+39 06 698 12345") == "390669812345@c.us"


def test_a_number_of_an_unassigned_country_keeps_its_digits() -> None:
    assert chat_key("+999 123 456") == "999123456@c.us"


def test_digits_of_other_scripts_count_as_digits() -> None:
    assert chat_key("+٤٤٢٠٧٩٤٦٠٩٥٨") == "442079460958@c.us"


def test_for_every_region_the_fast_path_says_what_phonenumbers_says() -> None:
    tried = 0
    for region in SUPPORTED_REGIONS:
        example_number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
        if example_number is None:
            continue
        tried += 1
        e164 = phonenumbers.format_number(example_number, phonenumbers.PhoneNumberFormat.E164)
        written = phonenumbers.format_number(example_number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
        assert {chat_key(e164), chat_key(e164[1:]), chat_key(written)} == {f"{e164[1:]}@c.us"}
    assert tried > 200


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("1234567890@c.us", "1234567890"),
        ("120363041234567890@g.us", "120363041234567890@g.us"),
        ("123456789012345@lid", "123456789012345@lid"),
        ("US.1349@user", "US.1349"),
        ("status@broadcast", "status@broadcast"),
        ("1234567890", "1234567890"),
        ("", ""),
    ],
)
def test_a_key_is_shown_without_what_others_do_not_need(key: str, shown: str) -> None:
    assert digits_of(key) == shown


def test_groups_are_told_from_people() -> None:
    assert is_group("120363041234567890@g.us")
    assert not is_group("1234567890@c.us")


def test_a_very_long_id_becomes_a_short_key_of_its_own() -> None:
    first, second = chat_key("a" * 100_000), chat_key("a" * 100_001)
    assert len(first) < 80
    assert first != second


@examples(4)
@given(
    st.text(max_size=40) | st.from_regex(r"[+0-9 ().:_@-]{1,20}(@(c\.us|g\.us|lid|s\.whatsapp\.net))?", fullmatch=True)
)
@example("@")
@example("+")
@example("00")
@example("²")
@example("1@@user")
def test_a_key_is_its_own_key_whatever_it_was_made_of(text: str) -> None:
    key = chat_key(text)
    assert chat_key(key) == key
    assert bool(key) == bool(text.strip())
