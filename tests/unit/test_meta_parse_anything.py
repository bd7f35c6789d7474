"""Whatever JSON a webhook of Meta's is: it is parsed, or refused as unreadable, and every item is an event."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.effort import examples
from tests.meta import account, events, request, webhook
from wagate.errors import BadRequestError
from wagate.parsing.jsonbody import read_json
from wagate_meta.parse import parse

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\ufffd"), max_size=8)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False, width=32) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
TYPES = """text image video audio document sticker location contacts interactive button reaction order system
unsupported unknown edit revoke poll call"""
KEYS = """type text image location contacts interactive button reaction order system edit revoke context errors referral
id from from_user_id to group_id status event recipient_id message code body title name phones wa_id user_id profile
product_items quantity nfm_reply response_json url mime_type timestamp value metadata direction groups"""
WORD, KEY = st.sampled_from(TYPES.split()), st.sampled_from(KEYS.split())
ITEM = st.dictionaries(KEY, ANY | WORD | st.dictionaries(KEY, ANY, max_size=4))
LISTS = ("messages", "message_echoes", "statuses", "calls", "groups", "errors")


@examples(2)
@given(st.binary(max_size=60) | ANY.map(msgspec.json.encode))
def test_any_body_is_parsed_or_refused(body: bytes) -> None:
    try:
        found = parse(request(body), account())
    except BadRequestError:
        return
    assert isinstance(read_json(body), dict)
    assert all(event.raw is None or event.raw.body for event in found)


@examples(2)
@given(st.dictionaries(st.sampled_from(["entry", "object"]), st.lists(ANY, max_size=3) | ANY), ANY, ANY)
def test_any_envelope_is_parsed(document: dict[str, Any], entry: Any, change: Any) -> None:
    assert events({**document, "entry": document.get("entry", entry)}) is not None
    assert len(events({"entry": [entry, {"changes": [change, {"value": change}]}]})) >= 2


@examples(3)
@given(st.dictionaries(st.sampled_from(LISTS), st.lists(ITEM | ANY, min_size=1, max_size=3), min_size=1), ANY)
def test_every_item_is_one_event_with_its_own_bytes(lists: dict[str, list[Any]], contacts: Any) -> None:
    found = events(webhook({"contacts": contacts, **lists}))
    items = [item for name in LISTS for item in lists.get(name, ())]
    assert [event.raw and event.raw.body for event in found] == [msgspec.json.encode(item) for item in items]
    assert all(len(event.provider_id) <= 255 and len(event.variant) <= 255 for event in found)
    assert msgspec.json.encode(found)
