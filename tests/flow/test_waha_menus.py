"""WAHA's buttons and lists: as they came to WAHA, in Meta's form to whoever has that, else refused with the reason."""

from __future__ import annotations

from typing import Any

from tests.provider_sites import THEM, Meta, Twilio, Waha, gateway
from wagate.testing.server import Fault, Reply

CHAT = f"{THEM}@c.us"
BUTTONS: dict[str, Any] = {
    "session": "main",
    "chatId": CHAT,
    "header": "Head",
    "body": "Body",
    "footer": "Foot",
    "buttons": [
        {"type": "reply", "text": "Fine", "id": "1"},
        {"type": "call", "text": "Call us", "phoneNumber": "+1234567890"},
        {"type": "copy", "text": "Copy code", "copyCode": "4321"},
    ],
}
LIST: dict[str, Any] = {
    "session": "main",
    "chatId": CHAT,
    "message": {
        "title": "Menu",
        "button": "Choose",
        "sections": [{"title": "One", "rows": [{"title": "R", "rowId": "r"}]}],
    },
}
PICTURE = {"mimetype": "image/jpeg", "filename": "a.jpg"}


async def test_waha_gets_all_that_its_own_form_has_and_its_answer_comes_back() -> None:
    site = Waha()
    async with gateway(site) as found:
        for path, body in (
            ("/api/sendButtons", BUTTONS | {"headerImage": PICTURE | {"data": "AAAA"}}),
            ("/api/sendList", LIST | {"reply_to": f"false_{CHAT}_A1"}),
        ):
            answer = await found.http.post(path, json=body)
            assert answer.status_code == 201, answer.text
            sent = site.fake.sent[-1]
            assert sent == body | {"session": site.fake.sent[-1]["session"], "_path": path, "_id": answer.json()["id"]}
        assert {each["session"] for each in site.fake.sent} == {"default"}


async def test_wahas_refusal_comes_back_with_its_reason_and_what_must_not_reach_it_does_not() -> None:
    site = Waha()
    async with gateway(site) as found:
        for status, told in ((501, 501), (400, 422)):
            said = {"message": f"no buttons, says {status}", "statusCode": status}
            site.fake.fail(Fault(reply=Reply(status=status, json=said), path="/api/sendButtons"))
            refused = await found.http.post("/api/sendButtons", json=BUTTONS)
            assert (refused.status_code, said["message"] in refused.json()["message"]) == (told, True), refused.text
        for body, field in (
            (BUTTONS | {"headerImage": PICTURE | {"url": "http://169.254.169.254/"}}, "headerImage.url"),
            (BUTTONS | {"chatId": "status@broadcast"}, "chatId"),
            (BUTTONS | {"chatId": "120363000000000002@newsletter"}, "chatId"),
        ):
            refused = await found.http.post("/api/sendButtons", json=body)
            assert (refused.status_code, field in refused.text) == (422, True), refused.text
        assert not site.fake.sent


async def test_others_get_metas_form_or_the_reason_why_not() -> None:
    async with gateway(Meta()) as found:
        made = await found.http.post("/api/sendList", json=LIST)
        assert made.status_code == 201, made.text
        refused = await found.http.post("/api/sendButtons", json=BUTTONS)
        assert (refused.status_code, "up to three buttons of type reply" in refused.text) == (422, True)
    async with gateway(Twilio()) as found:
        refused = await found.http.post("/api/sendList", json=LIST)
        assert (refused.status_code, "twilio can't send an interactive message" in refused.text) == (422, True)
