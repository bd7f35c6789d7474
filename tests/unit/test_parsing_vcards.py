"""Contact cards between Meta's form and vCards."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from wagate.parsing.vcards import card_of, vcard_of

CARD: dict[str, Any] = {
    "name": {"formatted_name": "Dr. Eva Ruiz; Soto", "first_name": "Eva", "last_name": "Ruiz, Soto", "prefix": "Dr."},
    "org": {"company": "Mill & Co", "department": "Sales", "title": "Buyer"},
    "phones": [
        {"phone": "+34 600 100 200", "wa_id": "34600100200", "type": "CELL"},
        {"phone": "+34911", "type": "WORK"},
    ],
    "emails": [{"email": "eva@mill.example", "type": "WORK"}],
    "urls": [{"url": "https://mill.example"}],
}


def test_a_card_written_as_a_vcard_reads_back_the_same() -> None:
    assert card_of(vcard_of(CARD)) == CARD


def test_a_vcard_as_phones_write_it_is_read() -> None:
    vcard = (
        "BEGIN:VCARD\r\nVERSION:3.0\r\nN:;Long\r\n er;;;\r\nFN:Longer\r\n"
        "item1.TEL;type=CELL;type=pref;waid=4915:+49 15\r\nitem1.X-ABLabel:Mobile\r\n"
        "ADR;TYPE=home:;;Main\\, 1;Berlin;;10115;Germany\r\nBDAY:1990-01-02\r\nEND:VCARD"
    )
    assert card_of(vcard) == {
        "name": {"first_name": "Longer", "formatted_name": "Longer"},
        "phones": [{"phone": "+49 15", "wa_id": "4915", "type": "CELL"}],
        "addresses": [{"street": "Main, 1", "city": "Berlin", "zip": "10115", "country": "Germany", "type": "HOME"}],
        "birthday": "1990-01-02",
    }


def test_a_card_without_a_name_is_called_by_its_phone() -> None:
    assert card_of("BEGIN:VCARD\nTEL:+491\nEND:VCARD")["name"] == {"formatted_name": "+491"}


def test_a_line_break_in_a_value_starts_no_new_property() -> None:
    card = {"name": {"formatted_name": "Eva\nTEL:+1"}, "phones": []}
    assert vcard_of(card).count("\n") == 4
    assert card_of(vcard_of(card))["name"]["formatted_name"] == "Eva\nTEL:+1"


@given(st.text())
def test_any_text_is_read_as_a_card(text: str) -> None:
    assert isinstance(card_of(text)["name"]["formatted_name"], str)


KEYS = st.sampled_from(["name", "phones", "org", "emails", "urls", "type", "phone"])
JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_any_json_is_written_as_a_vcard(value: object) -> None:
    assert vcard_of({"name": value, "phones": value, "org": value, "emails": value}).endswith("END:VCARD")
