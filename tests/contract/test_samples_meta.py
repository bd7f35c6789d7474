"""Every sample webhook of Meta's and 360dialog's parses to what its name says; samples of requests are what we send."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tests.corpus import Corpus, corpora, each_corpus, each_sample
from tests.meta import account, outgoing, request
from wagate.events import NewEvent
from wagate.hooks import OutFile, OutLocation, OutReaction
from wagate.parsing.jsonbody import read_object
from wagate_dialog360 import Dialog360Settings
from wagate_dialog360 import parse as parse_dialog360
from wagate_meta.bodies import message_body
from wagate_meta.parse import parse

BOTH = ("meta", "dialog360")
LISTS = ("messages", "message_echoes", "statuses", "calls", "groups", "errors")


def webhooks(corpus: Corpus) -> set[str]:
    return {name for name in corpus.names() if "entry" in corpus.json_of(name)}


def parsed(corpus: Corpus, name: str) -> list[NewEvent]:
    body = corpus.bytes_of(name)
    if corpus.folder.name == "dialog360":
        return list(parse_dialog360(request(body), account(Dialog360Settings(api_key="k", phone_number_id="1"))))
    return parse(request(body), account())


def items(document: dict[str, Any]) -> Iterator[Any]:
    """What each event of a webhook is made of."""
    for entry in document["entry"]:
        for change in entry["changes"]:
            found = [item for name in LISTS for item in change["value"].get(name, ())]
            yield from found or [change]


@each_corpus(*BOTH)
def test_every_webhook_among_the_samples_is_expected_here(corpus: Corpus) -> None:
    expected = corpus.expected
    groups = ("messages", "kinds", "statuses", "batch", "notices")
    assert webhooks(corpus) == {name for group in groups for name in expected[group]}


@each_sample("messages", *BOTH)
def test_a_sample_of_a_message_has_its_type_and_text(corpus: Corpus, name: str) -> None:
    [event] = parsed(corpus, name)
    assert [event.kind, event.type, event.content] == ["message", *corpus.expected["messages"][name]]
    assert event.chat
    assert event.chat == event.sender
    assert event.message_id


@each_sample("kinds", *BOTH)
def test_a_sample_of_another_kind_is_of_that_kind(corpus: Corpus, name: str) -> None:
    [event] = parsed(corpus, name)
    assert event.kind == corpus.expected["kinds"][name]


@each_sample("notices", *BOTH)
def test_a_notice_about_the_business_account_is_kept_as_unknown(corpus: Corpus, name: str) -> None:
    [event] = parsed(corpus, name)
    assert (event.kind, event.extra["field"]) == ("unknown", "account_update")


@each_sample("statuses", *BOTH)
def test_a_sample_of_a_status_is_an_ack(corpus: Corpus, name: str) -> None:
    [event] = parsed(corpus, name)
    word = corpus.expected["statuses"][name]
    assert (event.kind, event.variant, event.chat) == ("message.ack", word, corpus.expected["recipient"])
    assert ("error" in event.extra) == (word == "failed")


@pytest.mark.parametrize(
    ("corpus", "name"),
    [
        pytest.param(corpus, name, id=f"{corpus.origin}-{corpus.folder.name}-{name}")
        for provider in BOTH
        for corpus in corpora(provider)
        for name in sorted(webhooks(corpus))
    ],
)
def test_nothing_of_a_sample_is_lost_and_parsed_again_it_is_the_same(corpus: Corpus, name: str) -> None:
    events, document = parsed(corpus, name), read_object(corpus.bytes_of(name))
    assert [msgspec.json.decode(event.raw.body) for event in events if event.raw] == list(items(document))
    keys = [(event.dedupe_kind or event.kind, event.provider_id, event.variant) for event in events]
    again = parsed(corpus, name)
    assert keys == [(event.dedupe_kind or event.kind, event.provider_id, event.variant) for event in again]
    assert all(provider_id for _, provider_id, _ in keys)


@each_sample("batch", "meta")
def test_the_batch_has_all_of_both_entries_in_order(corpus: Corpus, name: str) -> None:
    found = [[event.kind, event.variant] for event in parsed(corpus, name)]
    assert found == corpus.expected["batch"][name]


@each_sample("requests", "meta")
def test_what_we_send_is_the_sample_with_our_reference(corpus: Corpus, name: str) -> None:
    sample, given = corpus.json_of(name), corpus.expected["requests"][name]
    out = outgoing(account(), **message(given["message"], sample))
    body = message_body(out, media_id=given["media_id"])
    assert body.pop("biz_opaque_callback_data") == out.id
    # Optional, and left out in one of the samples.
    assert body.pop("recipient_type") == sample.pop("recipient_type", "individual")
    assert body | {"to": sample["to"]} == sample


def message(given: dict[str, Any], sample: dict[str, Any]) -> dict[str, Any]:
    """The message in our words that a request's sample would be sent for."""
    if given.get("type") in {"template", "interactive"}:
        return {**given, given["type"]: sample[given["type"]]}
    if given.get("type") == "contacts":
        return {**given, "contacts": tuple(sample["contacts"])}
    types = {"location": OutLocation, "reaction": OutReaction}
    made = {name: msgspec.convert(given[name], kind) for name, kind in types.items() if name in given}
    if "file" in given:
        made["file"] = OutFile(mimetype="", filename="", **given["file"])
    return {**given, **made}
