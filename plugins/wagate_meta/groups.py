"""Groups: made, changed, joined, left."""

from __future__ import annotations

from typing import Any

import msgspec

from wagate.events import NewEvent, kinds
from wagate.parsing.chats import chat_key
from wagate.parsing.fields import fingerprint, first_text, identifier, instant, mapping
from wagate_meta.change import Change, group_key, opaque_key

_PEOPLE = ("added_participants", "removed_participants", "failed_participants")


def group_event(item: dict[str, Any], change: Change) -> NewEvent | None:
    """``group.create``, ``group.delete``, ``group.join``, ``group.leave`` or ``group.update``; None without its id."""
    chat = group_key(item.get("group_id"))
    if not chat:
        return None
    about = {name: text for name in ("subject", "description") if (text := first_text(item, name))}
    return NewEvent(
        kind=kinds.GROUP_PREFIX + _what(item, change.field),
        provider_id=chat,
        # Meta gives these no id of their own, and repeats one as it was.
        variant=fingerprint(change.field, msgspec.json.encode(item).decode()),
        chat=chat,
        recipient=change.ours,
        type="group",
        content=about.get("subject", ""),
        timestamp=instant(item.get("timestamp")),
        extra={
            "group": {"id": chat, **about},
            "type": first_text(item, "type"),
            "participants": [key for name in _PEOPLE[:2] for key in _people(item.get(name))],
        }
        | ({"group_name": about["subject"]} if "subject" in about else {}),
    )


def _what(item: dict[str, Any], field: str) -> str:
    """By the field first: in Meta's own examples ``type`` says group_create of a removal, too."""
    kind = first_text(item, "type")
    if field == "group_participants_update" or kind.startswith("group_participants"):
        if item.get("removed_participants"):
            return "leave"
        return "join" if item.get("added_participants") else "update"
    return {"group_create": "create", "group_delete": "delete"}.get(kind, "update")


def _people(value: object) -> list[str]:
    if not isinstance(value, list):
        return []
    people = (mapping(each) for each in value)
    keys = (
        chat_key(identifier(one.get("wa_id") or one.get("input"))) or opaque_key(one.get("user_id")) for one in people
    )
    return [key for key in keys if key]
