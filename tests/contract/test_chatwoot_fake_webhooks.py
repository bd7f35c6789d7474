"""The fake Chatwoot's webhooks have the shapes of the real ones, are signed as they are, and go wrong as they do."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from tests.chatwoot_site import Site, site
from tests.corpus import Corpus, each_corpus
from wagate.testing.chatwoot import Upload, Webhook, encoded, signature
from wagate.testing.server import Fault

PNG = Upload(filename="bill.png", content_type="image/png", content=b"\x89PNG")
OGG = Upload(filename="voice.ogg", content_type="audio/ogg", content=b"OggS")


def shape(value: Any, path: str = "") -> dict[str, set[str]]:
    """Path of each leaf → the types there; what a tenant or a message's kind puts in is left out."""
    if path.rpartition(".")[2] in {"custom_attributes", "additional_attributes", "content_attributes"}:
        return {}
    found: dict[str, set[str]] = {path: {"number" if isinstance(value, int | float) else type(value).__name__}}
    if isinstance(value, dict):
        for name, inner in value.items():
            found |= shape(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            for name, types in shape(inner, f"{path}[]").items():
                found[name] = found.get(name, set()) | types
    return found


def assert_same_shape(given: Any, wanted: Any) -> None:
    """The same keys; the same types, but where the real one has null, or a value where ours is null."""
    ours, theirs = shape(given), shape(wanted)
    ours = {path: types for path, types in ours.items() if not inside_null(path, theirs)}
    theirs = {path: types for path, types in theirs.items() if not inside_null(path, ours)}
    assert ours.keys() == theirs.keys(), ours.keys() ^ theirs.keys()
    for path, types in ours.items():
        assert "NoneType" in types | theirs[path] or types == theirs[path], (path, types, theirs[path])


def inside_null(path: str, other: dict[str, set[str]]) -> bool:
    parents = [path[:place] for place, char in enumerate(path) if char in ".["]
    return any("NoneType" in other.get(parent, set()) for parent in parents)


async def scene(here: Site) -> dict[str, Any]:
    """Every act of which there is a sample; name of the sample → the webhook."""
    fake, agent = here.fake, here.fake.agent
    fake.state.null_errors = True  # as the samples show it
    talk = await here.conversation()
    incoming = await here.post(talk, source_id="WA1")
    written = agent.writes(talk, "Olá **Ana**")
    agent.takes(talk)
    agent.types(talk)
    agent.writes(talk, "veja", PNG, OGG)
    agent.replies(fake.state.message(talk, incoming["id"]), "sim!")
    agent.notes(talk, "VIP")
    await here.post(talk, message_type="outgoing", source_id="WA2", content="from the phone")
    path = f"conversations/{talk.id}/messages/{written.id}"
    await here.ask("PATCH", path, json={"status": "delivered"})
    await here.ask("PATCH", path, json={"status": "failed", "external_error": "131047: Re-engagement message"})
    agent.retries(written)
    agent.deletes(written)
    agent.resolves(talk)
    await fake.webhooks.settled()
    sent = [each.body for each in fake.webhooks.sent]
    created = [body for body in sent if body["event"] == "message_created"]
    updated = [body for body in sent if body["event"] == "message_updated"]
    return {
        "conversation_created": first(sent, "conversation_created"),
        "conversation_status_changed.resolved": first(sent, "conversation_status_changed"),
        "conversation_typing_on.agent": first(sent, "conversation_typing_on"),
        "conversation_updated.assignee": [body for body in sent if body["event"] == "conversation_updated"][1],
        "message_created.incoming.echo_of_our_own_post": created[0],
        "message_created.outgoing.agent_text": created[1],
        "message_created.outgoing.agent_attachments": created[2],
        "message_created.outgoing.agent_reply_to_whatsapp_message": created[3],
        "message_created.outgoing.private_note": created[4],
        "message_created.outgoing.echo_of_our_own_post_phone_sent": created[5],
        "message_updated.status_set_by_our_patch": updated[0],
        "message_updated.failed_external_error": updated[1],
        "message_updated.agent_clicked_retry_1_of_2": updated[2],
        "message_updated.deleted_by_agent": updated[4],
    }


def first(sent: list[Any], event: str) -> Any:
    return next(body for body in sent if body["event"] == event)


@each_corpus("chatwoot")
async def test_every_webhook_has_the_shape_of_the_real_one(corpus: Corpus) -> None:
    async with site() as here:
        made = await scene(here)
    for name, body in made.items():
        wanted = corpus.json_of(f"{corpus.expected['prefix']}{name}")
        assert_same_shape(body, wanted)
        for key in ("event", "message_type", "private", "content_type", "status"):
            if key in wanted:
                assert body[key] == wanted[key], (name, key)
        if "content_attributes" in wanted:
            assert body["content_attributes"].keys() == wanted["content_attributes"].keys(), name


async def test_a_private_note_is_never_what_a_conversation_shows_last() -> None:
    async with site() as here:
        made = await scene(here)
    note = made["message_created.outgoing.private_note"]
    assert note["private"]
    assert note["conversation"]["messages"][0]["id"] != note["id"]


@each_corpus("chatwoot")
async def test_contacts_are_told_to_account_webhooks_only(corpus: Corpus) -> None:
    async with site() as here:
        body = {"url": f"{here.receiver.url}/account", "subscriptions": ["contact_updated"]}
        here.http.headers["api_access_token"] = here.fake.admin.token
        await here.ask("POST", "webhooks", json=body)
        made = await here.contact()
        await here.ask("PUT", f"contacts/{made['payload']['contact']['id']}", json={"name": "Ana Souza"})
        await here.fake.webhooks.settled()
        [webhook] = here.fake.webhooks.sent
    wanted = corpus.json_of(f"{corpus.expected['prefix']}contact_updated.account_webhook_only")
    assert_same_shape(webhook.body, wanted)
    assert webhook.url.endswith("/account")


@each_corpus("chatwoot")
def test_the_signature_is_the_published_one(corpus: Corpus) -> None:
    vector = corpus.json_of("signature_vector")
    headers = vector["headers"]
    raw, moment = vector["raw_body"].encode(), int(headers["X-Chatwoot-Timestamp"])
    assert signature(vector["secret"], moment, raw)["X-Chatwoot-Signature"] == headers["X-Chatwoot-Signature"]
    small = vector["small_vector"]
    signed = signature(small["secret"], int(small["timestamp"]), small["raw_body"].encode())
    assert signed["X-Chatwoot-Signature"] == small["signature"]


def test_bodies_are_escaped_as_rails_does() -> None:
    assert encoded({"content": "a <b> & c"}) == rb'{"content":"a \u003cb\u003e \u0026 c"}'
    assert encoded({"content": "<"}, escape=False) == b'{"content":"<"}'


async def test_the_signature_covers_the_bytes_that_came() -> None:
    async with site() as here:
        talk = await here.conversation()
        here.fake.agent.writes(talk, "a < b & c")
        await here.fake.webhooks.settled()
        [seen] = [seen for seen in here.receiver.seen if seen.json["event"] == "message_created"]
        moment = int(seen.headers["x-chatwoot-timestamp"])
        wanted = signature(here.fake.inbox.secret, moment, seen.body)
        assert seen.headers["x-chatwoot-signature"] == wanted["X-Chatwoot-Signature"]
        assert rb"\u003c" in seen.body


@pytest.mark.parametrize(
    ("status", "why"), [(500, "500 Internal Server Error"), (401, "401 Unauthorized"), (302, "302 Found")]
)
async def test_a_refused_webhook_comes_once_and_marks_the_message_as_failed(status: int, why: str) -> None:
    async with site() as here:
        talk = await here.conversation()
        await here.fake.webhooks.settled()
        here.receiver.status = status
        written = here.fake.agent.writes(talk, "hello")
        await here.fake.webhooks.settled()
        assert (written.status, written.content_attributes["external_error"]) == ("failed", why)
        assert len(here.receiver.came("message_created")) == 1
        # The mark is told of, which fails as well, and then nothing changes any more.
        assert len(here.receiver.came("message_updated")) == 1


async def test_an_answer_after_the_limit_is_a_failure_and_so_is_none() -> None:
    async with site() as here:
        talk = await here.conversation()
        await here.fake.webhooks.settled()
        here.fake.habits.timeout = 0.05
        here.receiver.chance = lambda seen: Fault(wait=300) if seen.json["event"] == "message_created" else None
        slow = here.fake.agent.writes(talk, "slow")
        await here.fake.webhooks.settled()
        here.fake.habits.timeout = 60
        here.receiver.chance = lambda seen: Fault(reset=True) if seen.json["event"] == "message_created" else None
        cut = here.fake.agent.writes(talk, "cut")
        await here.fake.webhooks.settled()
        here.fake.inbox.webhook_url = "http://127.0.0.1:9/"
        away = here.fake.agent.writes(talk, "away")
        await here.fake.webhooks.settled()
    assert slow.content_attributes["external_error"].startswith("Net::ReadTimeout")
    assert cut.content_attributes["external_error"] == "end of file reached"
    assert "Connection refused" in away.content_attributes["external_error"]


async def test_our_own_patch_marks_the_message_too_when_its_webhook_fails() -> None:
    async with site() as here:
        talk = await here.conversation()
        written = here.fake.agent.writes(talk, "hello")
        await here.fake.webhooks.settled()
        here.receiver.status = 500
        await here.ask("PATCH", f"conversations/{talk.id}/messages/{written.id}", json={"status": "delivered"})
        await here.fake.webhooks.settled()
        assert written.status == "failed"


async def test_private_addresses_are_refused_without_a_call() -> None:
    async with site() as here:
        talk = await here.conversation()
        await here.fake.webhooks.settled()
        here.fake.habits.refuse_private = True
        before = len(here.receiver.seen)
        written = here.fake.agent.writes(talk, "hello")
        await here.fake.webhooks.settled()
        assert written.content_attributes["external_error"] == "Hostname '127.0.0.1' has no public ip addresses"
        assert len(here.receiver.seen) == before


async def test_webhooks_come_twice_with_different_delivery_ids() -> None:
    async with site() as here:
        talk = await here.conversation()
        here.fake.habits.twice = True
        here.fake.agent.writes(talk, "hello")
        await here.fake.webhooks.settled()
        came = [seen for seen in here.receiver.seen if seen.json["event"] == "message_created"]
    assert len({seen.body for seen in came}) == 1
    assert len({seen.headers["x-chatwoot-delivery"] for seen in came}) == 2


async def test_webhooks_may_be_dropped_held_and_released_in_another_order() -> None:
    async with site() as here:
        talk = await here.conversation()
        await here.fake.webhooks.settled()
        here.fake.habits.drop = lambda body: body.get("content") == "2"
        here.fake.webhooks.hold()
        for number in range(4):
            here.fake.agent.writes(talk, str(number))
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert not here.receiver.came("message_created")

        def backwards(held: list[Webhook]) -> list[Webhook]:
            return held[::-1]

        here.fake.webhooks.release(backwards)
        await here.fake.webhooks.settled()
        assert {body["content"] for body in here.receiver.came("message_created")} == {"0", "1", "3"}


async def test_a_webhook_may_come_before_the_answer_and_show_another_message() -> None:
    async with site() as here:
        talk = await here.conversation()
        first_post = await here.post(talk, content="first")
        await here.fake.webhooks.settled()
        here.fake.habits.before_answer = True
        here.fake.habits.other_message = True
        made = await here.post(talk, content="second")
        told = here.receiver.came("message_created")[-1]
    assert told["id"] == made["id"]
    assert told["conversation"]["messages"][0]["id"] == first_post["id"]


async def test_unsigned_wrongly_signed_and_old_webhooks() -> None:
    async with site() as here:
        talk = await here.conversation()
        await here.fake.webhooks.settled()
        habits, agent = here.fake.habits, here.fake.agent
        here.fake.state.now = lambda: 1e9
        agent.writes(talk, "right")
        await here.fake.webhooks.settled()
        habits.sign = False
        agent.writes(talk, "unsigned")
        await here.fake.webhooks.settled()
        habits.sign, habits.wrong_secret, habits.age = True, True, 600.0
        agent.writes(talk, "wrong and old")
        await here.fake.webhooks.settled()
        right, _, unsigned, wrong = here.receiver.seen[-4:]
    assert "x-chatwoot-signature" not in unsigned.headers
    old, now = int(wrong.headers["x-chatwoot-timestamp"]), int(right.headers["x-chatwoot-timestamp"])
    assert old == now - 600
    assert wrong.headers["x-chatwoot-signature"] not in signature(here.fake.inbox.secret, old, wrong.body).values()


async def test_a_late_body_shows_what_is_true_when_it_is_sent() -> None:
    async with site() as here:
        talk = await here.conversation()
        await here.fake.webhooks.settled()
        here.fake.habits.late = True
        here.fake.webhooks.hold()
        written = here.fake.agent.writes(talk, "soon gone")
        here.fake.agent.deletes(written)
        here.fake.webhooks.release()
        await here.fake.webhooks.settled()
        assert here.receiver.came("message_created")[-1]["content_attributes"] == {"deleted": True}
