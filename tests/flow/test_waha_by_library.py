"""waha-py, a client built for WAHA: calls of each of its groups are answered, or refused as WAHA refuses them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest
import trio
from waha import WahaClient

from tests.gateway import TOKEN
from tests.provider_sites import THEM, Meta, Site, Waha, gateway

CHAT, GROUP, CHANNEL = f"{THEM}@c.us", "120363000000000001@g.us", "120363000000000002@newsletter"
MAIN = {"session": "main"}
ABOUT = MAIN | {"contactId": CHAT}

CALLS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("groups.create_group", ("main", {"name": "Team", "participants": [{"id": CHAT}]})),
    ("groups.get_groups", ("main",)),
    ("groups.get_group", ("main", GROUP)),
    ("groups.get_groups_count", ("main",)),
    ("groups.get_participants", ("main", GROUP)),
    ("groups.get_invite_code", ("main", GROUP)),
    ("groups.leave_group", ("main", GROUP)),
    ("labels.create", ("main", {"name": "Lead", "color": 1})),
    ("labels.get_all", ("main",)),
    ("labels.get_chat_labels", ("main", CHAT)),
    ("labels.get_chats_by_label", ("main", "1")),
    ("labels.delete", ("main", "1")),
    ("channels.list", ("main",)),
    ("channels.get", ("main", CHANNEL)),
    ("channels.follow", ("main", CHANNEL)),
    ("status.get_new_message_id", ("main",)),
    ("status.delete_status", ("main", {"id": "AAAAAAAA", "contacts": None})),
    ("presence.set_presence", ("main", {"presence": "online"})),
    ("presence.get_presence_all", ("main",)),
    ("presence.subscribe", ("main", CHAT)),
    ("contacts.block", (ABOUT,)),
    ("contacts.unblock", (ABOUT,)),
    ("contacts.get_about", (ABOUT,)),
    ("contacts.get_profile_picture", (ABOUT,)),
    ("contacts_session.get", ("main", CHAT)),
    ("lids.get_all", ("main",)),
    ("lids.get_lids_count", ("main",)),
    ("profile.get_my_profile", ("main",)),
    ("profile.delete_profile_picture", ("main",)),
    ("chats.archive_chat", ("main", CHAT)),
    ("chats.unread_chat", ("main", CHAT)),
    ("calls.reject_call", ("main", {"from": CHAT, "id": "CALL"})),
    ("events.send_event", ("main", {"chatId": CHAT, "event": {"name": "Lunch", "startTime": 2063137000}})),
    ("api_keys.create", ({"isAdmin": False, "session": "main", "isActive": True},)),
    ("api_keys.list", ()),
    ("api_keys.media", (MAIN,)),
    ("apps.list", (MAIN,)),
    ("apps.get", ("none",)),
    ("apps.create", ({"id": "x", "session": "main", "app": "chatwoot", "config": {}},)),
    ("ping.ping", ()),
    ("health.check", ()),
    ("version.get", ()),
    ("server.get", ()),
    ("server.status", ()),
    ("server.environment", ()),
    ("server_debug.heapsnapshot", ()),
)


REFUSED = {"api_keys.media": 501, "apps.get": 404, "apps.create": 501, "server_debug.heapsnapshot": 501}
"""Whatever is behind."""
OF_WHATSAPP = {
    *(name for name, _ in CALLS if name.partition(".")[0] in {"groups", "channels"}),
    *("status.delete_status", "presence.set_presence", "presence.subscribe", "contacts.block", "contacts.unblock"),
    *("contacts.get_about", "profile.delete_profile_picture", "calls.reject_call", "events.send_event"),
}
"""What only a linked phone can do; Meta's API has none of it."""


@pytest.mark.parametrize(
    ("kind", "refused"), [(Waha, REFUSED), (Meta, REFUSED | dict.fromkeys(OF_WHATSAPP, 501))], ids=["waha", "meta"]
)
async def test_each_group_of_the_library_is_answered_or_refused_as_waha_refuses(
    kind: Callable[[], Site], refused: dict[str, int]
) -> None:
    async with gateway(kind()) as found:
        client = WahaClient(str(found.http.base_url), api_key=TOKEN)
        told = dict[str, int]()
        try:
            for name, arguments in CALLS:
                controller, _, method = name.partition(".")
                call = partial(getattr(getattr(client, controller), method), *arguments)
                told[name] = await trio.to_thread.run_sync(_status, name, call)
        finally:
            client.close()
    assert told == {name: refused.get(name, 200) for name, _ in CALLS}


def _status(name: str, call: Callable[[], object]) -> int:
    """200, or of a refusal the status, which must be in WAHA's form."""
    try:
        call()
    except httpx.HTTPStatusError as caught:
        answer = caught.response
        said = answer.json()
        assert said["statusCode"] == answer.status_code, (name, said)
        assert isinstance(said["message"], str), (name, said)
        assert said["message"], (name, said)
        assert said["error"], (name, said)
        return answer.status_code
    return 200
