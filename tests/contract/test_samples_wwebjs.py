"""Every sample of a session engine's webhook parses to what its name says."""

from __future__ import annotations

import msgspec

from tests.corpus import Corpus, each_corpus, each_sample
from wagate.events import NewEvent
from wagate.inbound.session.events import parse_session
from wagate.parsing.jsonbody import read_json


def parsed(corpus: Corpus, name: str) -> NewEvent:
    [event] = parse_session(read_json(corpus.bytes_of(name)), account="main")
    return event


@each_sample("events", "wwebjs")
def test_a_sample_parses_to_what_its_name_says(corpus: Corpus, name: str) -> None:
    event, expected = parsed(corpus, name), corpus.expected["events"][name]
    found = {field: getattr(event, field, None) for field in expected}
    if "status" in found:
        found["status"] = event.session.status if event.session else None
    assert found == expected


@each_sample("events", "wwebjs")
def test_no_file_in_base64_leaves_the_raw_body(corpus: Corpus, name: str) -> None:
    assert b"iVBOR" not in msgspec.json.encode(parsed(corpus, name))


@each_corpus("wwebjs")
def test_every_sample_is_expected_here(corpus: Corpus) -> None:
    assert corpus.names() == set(corpus.expected["events"])


@each_corpus("wwebjs")
def test_a_file_with_its_message_tells_both(corpus: Corpus) -> None:
    event = parsed(corpus, corpus.expected["media"])
    media, caption = event.media, corpus.expected["caption"]
    assert media is not None
    assert (media.mimetype, media.filename, media.size, media.caption) == ("image/png", "image.png", 68, caption)
    assert event.extra["inline_file"] == "data.messageMedia"
