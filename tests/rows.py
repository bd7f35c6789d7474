"""Makers of events and intakes for storage tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from uuid_utils import uuid7

from wagate.events import Event
from wagate.storage.events.intake import Intake, Route

NOW = datetime(2025, 1, 20, 10, 0, tzinfo=UTC)


def event(**fields: Any) -> Event:
    made = {
        "id": str(uuid7()),
        "kind": "message",
        "account": "main",
        "phone": "5511888888888",
        "provider": "meta",
        "client_id": 1,
        "tenant": "default",
        "created_at": NOW,
        "timestamp": NOW,
        "chat": "5511999999999@c.us",
        "sender": "5511999999999@c.us",
        "recipient": "5511888888888@c.us",
        "message_id": "wamid.1",
        "type": "text",
        "content": "Hello",
    }
    owned = {"account_id": id_of(str((made | fields)["account"]))}
    return Event(**(made | owned | fields))


def id_of(account: str) -> str:
    """The id of an account that no table has."""
    return f"id-of-{account}" if account else ""


def route(target: str = "webhook:w1", chat: str = "5511999999999@c.us", **fields: Any) -> Route:
    made = {
        "handler": target.split(":", maxsplit=1)[0],
        "target_id": target,
        "key": f"{target}|main|{chat}",
        "mode": "push",
        "max_retries": 3,
        "delivery_id": str(uuid7()),
    }
    return Route(**(made | fields))


def intake(dedupe_key: str = "", routes: tuple[Route, ...] | None = None, **fields: Any) -> Intake:
    return Intake(
        event=event(**fields),
        dedupe_key=dedupe_key,
        raw=b"{}",
        routes=(route(chat=fields.get("chat", "5511999999999@c.us")),) if routes is None else routes,
    )
