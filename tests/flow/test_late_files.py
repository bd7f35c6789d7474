"""Files that come late, or never, in a whole gateway with Chatwoot: no other file waits, and none is lost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chatwoot_office import ANA, KEY, Office, office
from tests.flow.test_chatwoot_media import PNG
from wagate.testing.chatwoot import Message
from wagate.testing.server import Fault, Reply
from wagate_chatwoot.to_chatwoot import incoming

BEN = "18880000000@c.us"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """One try waits in real time; the waits between tries are the clock's."""
    monkeypatch.setattr(incoming, "FILE_PATIENCE", 0.05)


async def picture(here: Office, name: str, chat: str = ANA, **payload: Any) -> str:
    """A customer sends a picture; whether WAHA has it is for the test to say."""
    media = {"url": f"{here.waha.url}/api/files/{name}", "mimetype": "image/png", "filename": None}
    return await here.comes("", chat, hasMedia=True, media=media, **payload)


def away(here: Office) -> None:
    """WAHA gives no file."""
    here.waha.chance = lambda seen: Fault(reply=Reply(status=503)) if "/api/files/" in seen.path else None


def back(here: Office) -> None:
    here.waha.chance = lambda _seen: None


def answered(message: Message) -> Any:
    return message.content_attributes.get("in_reply_to")


async def until_posts(here: Office, count: int, chat: str = ANA, *, step: float = 2, most: float = 40) -> list[Message]:
    await here.gateway.passes_until(lambda: len(here.posts(chat)) >= count, step=step, most=most)
    return here.posts(chat)


async def test_files_that_can_not_be_had_hold_up_no_other_file_of_the_account() -> None:
    async with office() as here:
        here.waha.files["good.png"] = PNG
        for number in range(6):
            await here.comes("", ANA, hasMedia=True, media=None, body=f"gone {number}")
        await picture(here, "good.png", BEN, body="my bill")
        await here.until(lambda: bool(here.posts(BEN)))
        [bill] = here.posts(BEN)
        assert [each.size for each in bill.attachments] == [len(PNG)]


async def test_a_file_comes_within_a_minute_however_long_its_provider_was_away() -> None:
    async with office() as here:
        here.waha.files["a.png"] = PNG
        away(here)
        await picture(here, "a.png", body="my bill")
        await until_posts(here, 1)
        tried = len(here.waha.seen)
        await here.gateway.passes(1800, step=20)
        assert len(here.waha.seen) - tried < 60, "and is not asked more than twice a minute"
        back(here)
        _, late = await until_posts(here, 2, step=5, most=90)
        assert [each.size for each in late.attachments] == [len(PNG)]


async def test_a_text_goes_first_after_fifteen_seconds_and_its_file_follows_as_an_answer_to_it() -> None:
    async with office() as here:
        here.waha.files["a.png"] = PNG
        away(here)
        began = here.gateway.clock.monotonic()
        await picture(here, "a.png", body="my bill")
        await here.comes("did you get it?")
        await here.gateway.passes(6, step=3)
        posted, waited = here.posts(), here.gateway.clock.monotonic() - began
        assert posted == [] or waited >= 15, "the chat waits, in order; what the test itself took counts as well"
        bill, question = await until_posts(here, 2, most=20)
        assert (bill.attachments, (bill.content or "").startswith("my bill\n")) == ([], True)
        assert "image.png" in (bill.content or "")
        assert "not here yet" in (bill.content or "")
        assert (question.content or "").endswith("did you get it?")
        back(here)
        *_, late = await until_posts(here, 3, step=60, most=1200)
        assert [each.size for each in late.attachments] == [len(PNG)]
        assert (answered(late), late.message_type) == (bill.id, "incoming")
        assert late.content == "📎 This message's file has arrived."
        await here.comes("and now?")
        assert len(await until_posts(here, 4)) == 4, "told once"


async def test_the_file_that_our_own_phone_sent_follows_as_ours() -> None:
    async with office() as here:
        here.waha.files["a.png"] = PNG
        away(here)
        media = {"url": f"{here.waha.url}/api/files/a.png", "mimetype": "image/png", "filename": "a.png"}
        own = {"id": f"true_{ANA}_OWN", "fromMe": True, "from": ANA, "to": ANA, "hasMedia": True, "media": media}
        body = here.waha.incoming("", sender=ANA) | {"timestamp": here.now()} | own
        await here.waha_says(here.waha.webhook("message.any", body, key=KEY))
        [ours] = await until_posts(here, 1)
        assert (ours.message_type, ours.attachments) == ("outgoing", [])
        back(here)
        _, late = await until_posts(here, 2, step=60, most=1200)
        assert (late.message_type, answered(late), len(late.attachments)) == ("outgoing", ours.id, 1)
        assert here.waha.sent == [], "nothing is sent to WhatsApp again"


async def test_what_is_about_a_message_does_not_wait_for_its_late_file() -> None:
    async with office() as here:
        here.waha.files["a.png"] = PNG
        away(here)
        about = await picture(here, "a.png", body="my bill")
        reaction = {"reaction": {"text": "👍", "messageId": about}, "id": f"false_{ANA}_R", "from": ANA}
        await here.waha_says(here.waha.webhook("message.reaction", reaction, key=KEY))
        edit = {"id": f"false_{ANA}_E", "from": ANA, "body": "my last bill", "editedMessageId": about.split("_")[2]}
        await here.waha_says(here.waha.webhook("message.edited", edit, key=KEY))
        bill, thumb, edited = await until_posts(here, 3, most=20)
        assert [answered(each) for each in (thumb, edited)] == [bill.id, bill.id]
        back(here)
        *_, late = await until_posts(here, 4, step=60, most=1200)
        assert (answered(late), len(late.attachments)) == (bill.id, 1)


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_a_dead_link_is_left_and_waha_is_asked_by_the_message(status: int) -> None:
    async with office() as here:
        here.waha.files["new.png"] = PNG
        whole = f"false_{ANA}_OLD"
        new = {"url": f"{here.waha.url}/api/files/new.png", "mimetype": "image/png", "filename": None}
        here.waha.chats[ANA] = [here.waha.incoming("", sender=ANA) | {"id": whole, "hasMedia": True, "media": new}]
        here.waha.chance = lambda seen: Fault(reply=Reply(status=status)) if "dead.png" in seen.path else None
        await picture(here, "dead.png", id=whole)
        await here.until(lambda: bool(here.posts()))
        [message] = here.posts()
        assert [each.size for each in message.attachments] == [len(PNG)]


async def test_wahas_files_are_gone_after_three_minutes_and_come_back_by_their_message() -> None:
    async with office() as here:
        here.waha.files["a.png"] = PNG
        here.waha.now = here.gateway.clock.time
        held = {"url": f"{here.waha.url}/api/files/a.png", "mimetype": "image/png", "filename": None}
        assert (await here.gateway.http.get(held["url"], headers={"X-Api-Key": "k"})).status_code == 200
        await here.gateway.passes(181)
        assert (await here.gateway.http.get(held["url"], headers={"X-Api-Key": "k"})).status_code == 404
        whole = f"false_{ANA}_OLD"
        here.waha.chats[ANA] = [here.waha.incoming("", sender=ANA) | {"id": whole, "hasMedia": True, "media": held}]
        await picture(here, "a.png", id=whole)
        await here.until(lambda: bool(here.posts()))
        assert [each.size for each in here.posts()[0].attachments] == [len(PNG)]
