"""Every sample of WAHA's webhooks parses to what its name says."""

from __future__ import annotations

import msgspec

from tests.corpus import Corpus, each_corpus, each_sample
from tests.waha_site import account, posted
from wagate.events import NewEvent
from wagate_waha.parse import parse


def parsed(corpus: Corpus, name: str) -> NewEvent:
    document = corpus.json_of(name)
    # The capture of 2024 comes in its receiver's own wrapper.
    [event] = parse(posted(document.get("body", document)), account())
    return event


@each_sample("events", "waha")
def test_a_sample_parses_to_what_its_name_says(corpus: Corpus, name: str) -> None:
    event, expected = parsed(corpus, name), corpus.expected["events"][name]
    found = {field: getattr(event, field, None) for field in expected}
    if "status" in found:
        found["status"] = event.session.status if event.session else None
    assert msgspec.to_builtins(found) == expected
    assert event.number == "default"


@each_corpus("waha")
def test_every_sample_is_expected_here(corpus: Corpus) -> None:
    assert corpus.names() == {*corpus.expected["events"], *corpus.expected["no_webhooks"]}
