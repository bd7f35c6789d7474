"""What comes in holds for every provider alike, through the door that it posts to, with its own proof."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.inprocess import Gateway
from tests.provider_sites import (
    ACCENT,
    DOOR,
    SITES,
    Dialog360,
    Infobip,
    Meta,
    Sessions,
    Site,
    Waha,
    gateway,
    post,
    rows,
)
from tests.sink import https_sink

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)

WAHA_WITHOUT_AN_ID = ("engine.event", "label.chat.added", "label.deleted", "label.upsert", "presence.update")
WITHOUT_AN_ID = {
    "waha": {
        *(f"ours/{name}" for name in ("message.document-without-id", "message.video-without-url")),
        *(f"outside/{name}" for name in ("message-11", "message-4")),
        *(f"{origin}/{name}" for origin in ("ours", "outside") for name in WAHA_WITHOUT_AN_ID),
    },
    # The states are of another session than the account's, which was posted first: they are kept apart, each by itself.
    "session": {
        *("ours/flat_envelope", "outside/adapted_flat_event_envelope"),
        *(f"outside/gen_{state}" for state in ("auth_failure_status", "authenticated", "change_state")),
        *(f"outside/gen_{state}" for state in ("disconnected", "qr", "ready")),
    },
}
"""Samples in which nothing tells one event from the next, neither an id nor a moment: each is a new one."""

each_site = pytest.mark.parametrize("make", SITES, ids=lambda make: make.provider)


@each_site
async def test_every_sample_is_taken_in_and_the_second_time_changes_nothing(make: Callable[[], Site]) -> None:
    site = make()
    samples = list(site.samples())
    async with gateway(site) as found:
        again = set()
        for name, body in samples:
            await post(found, body, site.proof(body))
            once = rows(found)
            await post(found, body, site.proof(body))
            if rows(found) != once:
                again.add(name)
        assert again == WITHOUT_AN_ID.get(site.provider, set()) & {name for name, _ in samples}
        assert len(rows(found)) >= len(samples) // 2


@each_site
async def test_a_message_that_comes_again_is_stored_once_and_answered_alike(make: Callable[[], Site]) -> None:
    site = make()
    async with gateway(site) as found:
        body = site.text(ACCENT)
        answers = [await post(found, body, site.proof(body)) for _ in range(3)]
        [row] = rows(found)
        assert row == ("message", "text", ACCENT, "15550002222@c.us")
        assert len({answer.status_code for answer in answers}) == 1


@each_site
async def test_a_wrong_proof_or_none_is_refused_counted_and_stores_nothing(make: Callable[[], Site]) -> None:
    site = make()
    async with gateway(site) as found:
        body = site.text(ACCENT)
        refused = await post(found, body, site.proof(body, "another key"), 401)
        assert refused.headers["content-type"] == "application/problem+json"
        assert ACCENT not in refused.text
        await post(found, body, {"Content-Type": site.proof(body)["Content-Type"]}, 401)
        assert rows(found) == []
        assert await refusals(found, site) == 2.0
        told = await doctor(found)
        detail = told["detail"].partition(",")[0]
        assert (told["level"], detail) == ("fail", "main: 2 refused since the last accepted one")
        await post(found, body, site.proof(body))
        assert len(rows(found)) == 1
        assert (await doctor(found))["level"] == "ok"


@pytest.mark.parametrize("make", [site for site in SITES if site not in {Dialog360, Sessions}])
async def test_a_body_that_was_written_anew_or_changed_under_its_proof_is_refused(make: Callable[[], Site]) -> None:
    """360dialog and session engines send a secret along and sign nothing: there any body is as good."""
    site = make()
    async with gateway(site) as found:
        body = site.text(ACCENT)
        anew = site.again(body)
        assert anew != body
        await post(found, anew, site.proof(body), 401)
        await post(found, body + b" ", site.proof(body), 401)
        await post(found, site.text("another"), site.proof(body), 401)
        assert rows(found) == []
        assert await refusals(found, site) == 3.0


async def test_metas_handshake_with_a_wrong_verify_token_is_refused_and_counted() -> None:
    site = Meta()
    async with gateway(site) as found:
        query = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "let me out"}
        answer = await found.http.get(DOOR, params=query, headers={"Authorization": ""})
        assert (answer.status_code, "1158201444" in answer.text) == (403, False)
        assert await refusals(found, site, "challenge") == 1.0
        assert rows(found) == []


BROKEN: list[Any] = [None, 7, "x", [], {}, {"id": 7}, {"from": {}, "id": [], "type": {}, "timestamp": "x"}]


@pytest.mark.parametrize("make", [Meta, Dialog360, Infobip], ids=lambda make: make.provider)
async def test_a_batch_with_a_broken_item_keeps_the_rest_in_order(make: Callable[[], Site]) -> None:
    site = make()
    async with gateway(site) as found:
        for broken in BROKEN:
            before = len(rows(found))
            one, two = (json.loads(site.text(text)) for text in ("one", "two"))
            for batch in batches(one, two, broken):
                body = json.dumps(batch).encode()
                await post(found, body, site.proof(body))
                told = [content for _, type_, content, _ in rows(found)[before:] if type_ == "text"]
                assert told == ["one", "two"], broken
            assert any(type_ == "unknown" for _, type_, *_ in rows(found)[before:]), broken


def batches(one: dict[str, Any], two: dict[str, Any], broken: Any) -> list[dict[str, Any]]:
    """Two webhooks in one, with something broken between, at every level of lists."""
    if "results" in one:
        return [{**one, "results": [*one["results"], broken, *two["results"]]}]
    value, other = one["entry"][0]["changes"][0]["value"], two["entry"][0]["changes"][0]["value"]
    messages = [*value["messages"], broken, *other["messages"]]
    change = {"field": "messages", "value": {**value, "messages": messages}}
    return [
        {**one, "entry": [{"id": "1", "changes": [change]}]},
        {**one, "entry": [*one["entry"], broken, *two["entry"]]},
        {**one, "entry": [{"id": "1", "changes": [*one["entry"][0]["changes"], broken, *two["entry"][0]["changes"]]}]},
    ]


@pytest.mark.parametrize("make", [Waha, Sessions], ids=lambda make: make.provider)
async def test_a_webhook_that_is_no_message_is_kept_or_refused_and_the_next_one_is_taken(
    make: Callable[[], Site],
) -> None:
    site = make()
    async with gateway(site) as found:
        for number, broken in enumerate([None, 7, "x", [], {}, {"id": 7, "from": {}}]):
            document = json.loads(site.text(f"bad {number}"))
            odd = document | ({"payload": broken} if "payload" in document else {"data": {"message": broken}})
            body = json.dumps(odd).encode()
            answer = await found.http.post(DOOR, content=body, headers={"Authorization": "", **site.proof(body)})
            assert answer.status_code in {200, 400}, (broken, answer.text)
            good = site.text(f"good {number}")
            await post(found, good, site.proof(good))
            told = [content for kind, _, content, _ in rows(found) if kind == "message"]
            assert told[-1] == f"good {number}", broken


@pytest.mark.parametrize("make", [site for site in SITES if site is not Sessions], ids=lambda make: make.provider)
async def test_a_picture_is_fetched_with_the_providers_key_and_handed_on_by_a_link(make: Callable[[], Site]) -> None:
    site = make()
    async with https_sink() as sink, gateway(site, ca_file=sink.ca_file) as found:
        await found.register(sink.url)
        body = site.file(PNG, "image/png")
        await post(found, body, site.proof(body))
        await sink.until_accepted(1)
        [got] = sink.accepted
        # Infobip does not say of what type a file is: the download does.
        assert (got.json["type"], got.json["media"].get("mimetype", "image/png")) == ("image", "image/png")
        link = got.json["media"]["url"].replace("https://gate.example", found.url)
        file = await found.http.get(link, headers={"Authorization": ""})
        assert (file.status_code, file.content, file.headers["content-type"]) == (200, PNG, "image/png")


async def doctor(found: Gateway) -> dict[str, str]:
    """What it says about webhooks."""
    lines: list[dict[str, str]] = (await found.ask("GET", "/api/doctor"))["data"]
    [line] = [line for line in lines if line["part"] == "webhooks"]
    return line


async def refusals(found: Any, site: Site, reason: str = "signature") -> float:
    """What the metric says of this provider."""
    name = f'wagate_webhooks_refused_total{{provider="{site.provider}",reason="{reason}"}} '
    lines = (await found.http.get("/metrics")).text.splitlines()
    return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))
