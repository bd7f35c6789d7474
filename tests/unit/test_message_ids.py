"""What stays of a message's id, and how numbers are written in two ways."""

from __future__ import annotations

import pytest

from wagate.parsing.message_ids import bare_id, is_unique
from wagate.parsing.numbers import key_forms


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("true_15550002222@c.us_3EB0AA", "3EB0AA"),
        ("false_120363000000000001@g.us_3EB0AA_15550002222@c.us", "3EB0AA"),
        ("true_70000000000001@lid_3EB0AA", "3EB0AA"),
        ("3EB0AA", "3EB0AA"),
        ("wamid.HBgL_NTU_x", "wamid.HBgL_NTU_x"),
        ("true_only", "true_only"),
        ("false_15550002222@c.us_", "false_15550002222@c.us_"),
        ("", ""),
    ],
)
def test_the_bare_id_is_what_stands_behind_the_chat(text: str, bare: str) -> None:
    assert bare_id(text) == bare
    assert bare_id(bare) == bare


def test_long_ids_are_unique_over_all_chats() -> None:
    assert is_unique("3EB0C767D26A1D8B7B27")
    assert not is_unique("12345")


@pytest.mark.parametrize(
    ("key", "other"),
    [
        ("5511987654321@c.us", "551187654321@c.us"),
        ("5491123456789@c.us", "541123456789@c.us"),
        ("5215512345678@c.us", "525512345678@c.us"),
    ],
)
def test_a_number_with_an_extra_digit_has_two_forms(key: str, other: str) -> None:
    assert key_forms(key) == (key, other)
    assert key_forms(other) == (other, key)


@pytest.mark.parametrize("key", ["15550002222@c.us", "5511987654321@lid", "551132654321@c.us", "123@g.us", ""])
def test_all_other_keys_have_one_form(key: str) -> None:
    assert key_forms(key) == (key,)
