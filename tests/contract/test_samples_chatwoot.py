"""Every collected webhook of Chatwoot is read as what it is."""

from __future__ import annotations

import json
from typing import Any

from tests.chatwoot_agents import inbox
from tests.corpus import Corpus, each_corpus, each_sample
from wagate_chatwoot.to_whatsapp.actions import Ignore, Resend
from wagate_chatwoot.to_whatsapp.decode import decode
from wagate_chatwoot.to_whatsapp.pieces import parts_of
from wagate_chatwoot.to_whatsapp.webhook import signature, verify


def read(corpus: Corpus, name: str) -> Any:
    document = corpus.json_of(name)
    conversation = document.get("conversation") or document
    shown = document.get("inbox") or {"id": conversation.get("inbox_id") or 1}
    account = (document.get("account") or conversation.get("account") or {}).get("id", 1)
    return decode(corpus.bytes_of(name), inbox(inbox_id=shown["id"], account_id=account))


@each_sample("means", "chatwoot")
def test_each_sample_is_what_its_name_says(corpus: Corpus, name: str) -> None:
    assert type(read(corpus, name)).__name__ == corpus.expected["means"][name]


@each_corpus("chatwoot")
def test_every_sample_is_expected_here(corpus: Corpus) -> None:
    assert corpus.names() == set(corpus.expected["means"])


@each_corpus("chatwoot")
def test_samples_of_another_inbox_are_all_left_alone(corpus: Corpus) -> None:
    shown = {name for name in corpus.names() if ".message_" in f".{name}" or ".conversation_" in f".{name}"}
    assert len(shown) > 10
    for name in shown:
        assert isinstance(decode(corpus.bytes_of(name), inbox(inbox_id=90210)), Ignore), name


@each_sample("parts", "chatwoot")
def test_agents_messages_become_all_their_parts(corpus: Corpus, name: str) -> None:
    parts = [[each.type, each.text] for each in parts_of(read(corpus, name), corpus.expected["chat"])]
    assert parts == corpus.expected["parts"][name]


@each_corpus("chatwoot")
def test_a_reply_names_the_message_that_it_answers(corpus: Corpus) -> None:
    reply = read(corpus, corpus.expected["reply"])
    assert [reply.reply_to, reply.reply_to_source] == corpus.expected["reply_to"]


@each_corpus("chatwoot")
def test_the_second_update_of_retry_is_taken_for_what_it_is(corpus: Corpus) -> None:
    document = corpus.json_of(corpus.expected["retry"])
    body = json.dumps(document | {"content_attributes": {}}).encode()
    action = decode(body, inbox(inbox_id=document["inbox"]["id"], account_id=document["account"]["id"]))
    assert isinstance(action, Resend)
    assert action.bare


@each_corpus("chatwoot")
def test_the_full_size_vector_is_signed_as_chatwoot_signs(corpus: Corpus) -> None:
    vector = corpus.json_of("signature_vector")
    headers = {name.lower(): value for name, value in vector["headers"].items()}
    body = vector["raw_body"].encode()
    assert signature(vector["secret"], headers["x-chatwoot-timestamp"], body) == headers["x-chatwoot-signature"]
    verify(inbox(secret=vector["secret"]), headers, "", body, now=float(headers["x-chatwoot-timestamp"]))
