"""What was edited or deleted, in the archive: the last text and when; what it said before only when asked."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.inprocess import Gateway
from tests.provider_sites import THEM, Meta, Sessions, Site, Waha, gateway, post
from wagate.testing.providers.session import OURS

pytest_plugins = ("tests.patience",)
pytestmark = pytest.mark.usefixtures("patient")

CHAT = f"{THEM}@c.us"
Json = dict[str, Any]


async def comes(found: Gateway, site: Site, body: bytes) -> None:
    await post(found, body, site.proof(body))


async def newest(found: Gateway, query: str = "") -> Json:
    row: Json = (await found.ask("GET", f"/api/conversations/+{THEM}/messages{query}"))["data"][0]
    return row


def waha(site: Site) -> tuple[bytes, bytes, bytes]:
    """A message, its edit, its deletion."""
    first = site.fake.incoming("frist", sender=CHAT)
    edit = site.fake.incoming("first", sender=CHAT) | {"editedMessageId": first["id"].split("_")[2]}
    revoked = {
        "before": None,
        "after": site.fake.incoming("", sender=CHAT),
        "revokedMessageId": edit["editedMessageId"],
    }
    return (
        site.fake.webhook("message", first)[0],
        site.fake.webhook("message.edited", edit)[0],
        site.fake.webhook("message.revoked", revoked)[0],
    )


def sessions(site: Site) -> tuple[bytes, bytes, bytes]:
    key = {"fromMe": False, "remote": CHAT, "id": "3EB0IN01", "_serialized": f"false_{CHAT}_3EB0IN01"}
    message = {
        "id": key,
        "type": "chat",
        "from": CHAT,
        "to": OURS,
        "body": "frist",
        "timestamp": 1795225481,
    }
    edit = {"message": message | {"body": "first"}, "newBody": "first", "prevBody": "frist"}
    gone = {"message": message | {"type": "revoked", "body": ""}}
    return (
        site.fake.webhook("message", {"message": message}),
        site.fake.webhook("message_edit", edit),
        site.fake.webhook("message_revoke_everyone", gone),
    )


def meta(site: Site) -> tuple[bytes, bytes, bytes]:
    first = site.fake.text("frist", sender=THEM)
    about = {"original_message_id": first["id"]}
    edit = site.fake.text("", sender=THEM)
    edit |= {"type": "edit", "edit": about | {"message": {"type": "text", "text": {"body": "first"}}}}
    revoke = site.fake.text("", sender=THEM) | {"type": "revoke", "revoke": about}
    one, two, three = (msgspec.json.encode(site.fake.incoming(each)) for each in (first, edit, revoke))
    return one, two, three


@pytest.mark.parametrize(
    ("make", "bodies"), [(Waha, waha), (Sessions, sessions), (Meta, meta)], ids=["waha", "session", "meta"]
)
async def test_the_archive_shows_the_last_text_and_the_marks(make: Any, bodies: Any) -> None:
    site = make()
    async with gateway(site) as found:
        first, edit, revoke = bodies(site)
        await comes(found, site, first)
        plain = await newest(found)
        assert (plain["content"], plain["edited_at"], plain["revoked_at"]) == ("frist", None, None)
        assert "history" not in plain
        await comes(found, site, edit)
        edited = await newest(found, "?history=1")
        assert (edited["id"], edited["content"], edited["revoked_at"]) == (plain["id"], "first", None)
        assert edited["edited_at"] is not None
        assert [each["content"] for each in edited["history"]] == ["frist"]
        await comes(found, site, revoke)
        gone = await newest(found)
        assert (gone["content"], gone["media"]) == ("", None)
        assert gone["revoked_at"] is not None
        assert "history" not in gone
        assert [each["content"] for each in (await newest(found, "?history=1"))["history"]] == ["frist", "first"]
        [thread] = (await found.ask("GET", "/api/conversations"))["data"]
        assert thread["last_message"]["content"] == ""
        assert thread["last_message"]["revoked_at"] == gone["revoked_at"]
