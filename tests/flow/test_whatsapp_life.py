"""A number of our own: linked, written to, unlinked, and everything between, against the fake server."""

from __future__ import annotations

from pathlib import Path

from tests.whatsapp_site import ANA, OURS, site
from wagate.hooks import Outgoing, OutMessage


async def test_a_number_is_linked_written_to_and_answers(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        assert inlet.phone == OURS
        await here.world.text(ANA, "hello")
        await inlet.until(lambda: inlet.texts == ["hello"])
        [event] = inlet.events
        assert (event.chat, event.sender, event.aliases) == (f"{ANA}@c.us", f"{ANA}@c.us", event.aliases)
        assert event.message_id.startswith(f"false_{ANA}@c.us_3EB0")
        assert here.provider.send is not None
        message = OutMessage(chat=f"{ANA}@c.us", type="text", text="hi Ana")
        sent = await here.provider.send(Outgoing(id="0191", message=message, account=here.account))
        await here.fake.server.until(lambda: len(here.fake.server.messages) == 1)
        [arrived] = here.fake.server.messages
        assert (arrived.text, arrived.to, arrived.tags) == ("hi Ana", ANA, arrived.tags)
        assert sent.message_id == f"true_{ANA}@c.us_{arrived.id}"
        await inlet.until(
            lambda: (
                [each.extra["status"] for each in inlet.events if each.kind == "message.ack"] == ["delivered", "read"]
            )
        )
        assert {each.message_id for each in inlet.events if each.kind == "message.ack"} == {sent.message_id}
        assert here.fake.server.errors == []
