"""Every type of message through every provider: it reaches the phone, or the answer says who can't do what."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from tests.inprocess import Gateway
from tests.provider_sites import PUBLIC, SITES, THEM, Infobip, Meta, Sessions, Site, Twilio, Waha, gateway
from wagate.testing.server import Fault

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
LINK = "https://files.example/picture.png"
Json = dict[str, Any]

each_site = pytest.mark.parametrize("make", SITES, ids=lambda make: make.provider)

MESSAGES: dict[str, Json] = {
    "text": {"text": "Hello"},
    "image": {"image": {"link": LINK, "mimetype": "image/png", "caption": "Look"}},
    "video": {"video": {"link": "https://files.example/film.mp4", "mimetype": "video/mp4"}},
    "audio": {"audio": {"link": "https://files.example/song.mp3", "mimetype": "audio/mpeg"}},
    "voice": {"voice": {"link": "https://files.example/voice.ogg", "mimetype": "audio/ogg; codecs=opus"}},
    "document": {"document": {"link": "https://files.example/a.pdf", "mimetype": "application/pdf"}},
    "sticker": {"sticker": {"link": "https://files.example/s.webp", "mimetype": "image/webp"}},
    "location": {"location": {"latitude": -23.5, "longitude": -46.6, "name": "Office", "address": "Street 1"}},
    "contacts": {"contacts": [{"name": {"formatted_name": "Ana", "first_name": "Ana"}, "phones": [{"phone": "+1"}]}]},
    "poll": {"poll": {"name": "Lunch?", "options": ["yes", "no"]}},
    "reaction": {"reaction": {"message_id": f"false_{THEM}@c.us_3EB0IN01", "emoji": "👍"}},
    "template": {"template": {"name": "hello_world", "language": "en_US", "content_sid": "HX" + "0" * 32}},
    "interactive": {
        "interactive": {
            "type": "button",
            "body": {"text": "Yes or no?"},
            "action": {"buttons": [{"type": "reply", "reply": {"id": "y", "title": "Yes"}}]},
        }
    },
}
CANNOT = {
    "meta": {"poll"},
    "dialog360": {"poll"},
    "infobip": {"poll", "reaction"},
    "twilio": {"poll", "reaction", "interactive", "contacts"},
    "waha": {"sticker", "template", "interactive"},
    "session": {"template", "interactive"},
}


async def send(found: Gateway, expected: int, message: Json, **more: Any) -> Json:
    body = {"to": f"+{THEM}", "message": message, "account": "main", **more}
    return await found.ask("POST", "/messages/send", expected, json=body)


@each_site
async def test_each_type_reaches_the_phone_or_is_422_with_provider_and_ability(make: Callable[[], Site]) -> None:
    site = make()
    async with gateway(site) as found:
        for kind, message in MESSAGES.items():
            before = len(site.sent())
            if kind in CANNOT[site.provider]:
                problem = await send(found, 422, message)
                assert problem["detail"].startswith(f"{site.provider} can't send"), (kind, problem)
                assert kind.removesuffix("s") in problem["detail"]
                assert len(site.sent()) == before
                continue
            answer = await send(found, 200, await with_file(found, site, message))
            assert (answer["status"], answer["delivery_status"], answer["provider"]) == (
                "sent",
                "dispatched",
                site.provider,
            ), kind
            assert len(site.sent()) == before + 1, kind
            view = await found.ask("GET", f"/messages/{answer['id']}")
            assert (view["type"], view["status"]) == (kind, "sent")
            # Engines give a reaction no id: then it has only ours.
            assert answer["message_id"] == (view["message_id"] or answer["id"])


async def with_file(found: Gateway, site: Site, message: Json) -> Json:
    """The message, with a file of ours for an engine: its links are fetched by the gateway, and lead nowhere here."""
    [(kind, content)] = message.items()
    if not isinstance(site, Waha | Sessions) or "link" not in content:
        return message
    headers = {"Content-Type": content["mimetype"]}
    kept = await found.ask("POST", "/api/media", 201, content=PNG, headers=headers)
    return {kind: {name: value for name, value in content.items() if name != "link"} | {"id": kept["id"]}}


@each_site
async def test_a_file_of_ours_reaches_the_provider(make: Callable[[], Site]) -> None:
    """Uploaded before, and in base64: two files, for one that was kept before would be found again."""
    site = make()
    uploaded, in_base64 = PNG, PNG + b"another"
    async with gateway(site) as found:
        kept = await found.ask("POST", "/api/media", 201, content=uploaded, headers={"Content-Type": "image/png"})
        await send(found, 200, {"image": {"id": kept["id"], "caption": "Look"}})
        await send(found, 200, {"image": {"data": base64.b64encode(in_base64).decode(), "caption": "Look"}})
        for taken, content in zip(site.sent(), (uploaded, in_base64), strict=True):
            assert "Look" in str(taken)
            assert await reached(found, site, taken) == content


async def reached(found: Gateway, site: Site, taken: Json) -> bytes:
    """The bytes that the provider has, or gets when it asks where it was told to, as anybody could."""
    if isinstance(site, Meta):
        content: bytes = site.fake.uploads[taken["image"]["id"]].content
        return content
    found_at: dict[type[Site], Callable[[], str]] = {
        Infobip: lambda: taken["content"]["mediaUrl"],
        Twilio: lambda: taken["MediaUrl"],
        Waha: lambda: taken["file"]["url"],
        Sessions: lambda: taken["content"],
    }
    url = found_at[type(site)]()
    assert url.startswith(f"{PUBLIC}/")
    answer = await found.http.get(url.replace(PUBLIC, found.url), headers={"Authorization": ""})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    return answer.content


@each_site
async def test_an_answer_quotes_the_message_or_says_that_it_does_not(make: Callable[[], Site]) -> None:
    site = make()
    quoted = f"false_{THEM}@c.us_3EB0IN01"
    async with gateway(site) as found:
        answer = await send(found, 200, {"text": "Yes"}, reply_to_message_id=quoted)
        [taken] = site.sent()
        if site.provider == "twilio":
            assert answer["warnings"] == ["twilio can't quote messages: sent without the quote"]
            assert quoted not in str(taken)
        else:
            assert "warnings" not in answer
            assert "3EB0IN01" in str(taken)


@each_site
async def test_a_chat_is_sent_in_order_though_nobody_waits(make: Callable[[], Site]) -> None:
    site = make()
    texts = [str(number) for number in range(12)]
    async with gateway(site) as found:
        for text in texts:
            body = {"to": f"+{THEM}", "message": {"text": text}, "account": "main"}
            answer = await found.http.post("/messages/send", json=body, headers={"Prefer": "respond-async"})
            assert (answer.status_code, answer.json()["status"]) == (202, "queued")
        await site.server.until(lambda: len(site.sent()) == len(texts))
        assert [text_of(taken) for taken in site.sent()] == texts


def text_of(taken: Json) -> str:
    """The text of a message in any provider's words."""
    text = taken.get("text") or taken.get("Body") or taken.get("content")
    return str(text.get("body") or text.get("text")) if isinstance(text, dict) else str(text)


LOST = {"meta": "unknown", "dialog360": "unknown", "infobip": "sent", "twilio": "unknown", "waha": "unknown"}
LOST["session"] = "unknown"


@each_site
async def test_when_the_answer_never_comes_the_phone_rings_once(make: Callable[[], Site]) -> None:
    """It is unknown, and never sent again. Infobip drops repeats of our id: it is asked again."""
    site = make()
    async with gateway(site) as found:
        await site.server.until(lambda: site.provider not in {"twilio", "waha"} or bool(site.server.seen))
        site.server.fail(Fault(accept=True, drop=True, method="POST"))
        body = {"to": f"+{THEM}", "message": {"text": "Once"}, "account": "main"}
        answer = await found.http.post("/messages/send", json=body, headers={"Prefer": "respond-async"})
        message_id = answer.json()["id"]
        await site.server.until(lambda: not site.server.faults)
        for _ in range(6):
            await found.passes(10)

        async def settled() -> bool:
            return bool((await found.ask("GET", f"/messages/{message_id}"))["status"] == LOST[site.provider])

        await found.until(settled)
        assert len(site.sent()) == 1
