"""Webhooks as a WhatsApp engine posts them, made up.

The session form follows what avoylenko/wwebjs-api posts (src/sessions.js, src/utils.js) with whatsapp-web.js'
``Message.rawData`` and ``Message`` fields; the engine's own form is the one of ``POST /webhook/inbound``.
"""

from __future__ import annotations

import secrets
import time
from typing import Any

OUR_NUMBER = "15550000001"


def chat_number(place: int) -> str:
    """The digits of made-up customer number ``place``: of a range that is never given to anybody."""
    return f"1555{0o1000 + place:07d}"


def session_message(sender: str, text: str, *, name: str = "Ana", to: str = OUR_NUMBER) -> dict[str, Any]:
    """A text message that came in, as data of the session event ``message``."""
    moment = int(time.time())
    here = f"{sender}@c.us"
    bare = "3EB0" + secrets.token_hex(8).upper()
    message_id = {"fromMe": False, "remote": here, "id": bare, "_serialized": f"false_{here}_{bare}"}
    shared = {"id": message_id, "body": text, "type": "chat", "from": here, "to": f"{to}@c.us", "ack": 1}
    raw = shared | {"t": moment, "notifyName": name, "self": "in", "isNewMsg": True, "star": False, "links": []}
    return {
        "message": shared
        | {
            "_data": raw,
            "timestamp": moment,
            "hasMedia": False,
            "fromMe": False,
            "deviceType": "android",
            "isForwarded": False,
            "forwardingScore": 0,
            "isStatus": False,
            "isStarred": False,
            "broadcast": False,
            "hasQuotedMsg": False,
            "hasReaction": False,
            "vCards": [],
            "mentionedIds": [],
            "groupMentions": [],
            "isGif": False,
            "isEphemeral": False,
            "links": [],
        }
    }


def session_event(event: str, data: dict[str, Any]) -> dict[str, Any]:
    """The envelope around a session event. The URL says whose it is: a name would be taken for the engine's session."""
    return {"event": event, "dataType": event, "data": data}


def qr() -> dict[str, Any]:
    """Data of the session event ``qr``: the form of a WhatsApp Web pairing code."""
    return {"qr": "2@" + ",".join(secrets.token_urlsafe(size) for size in (96, 33, 33, 33)) + ",1"}


def inbound_message(sender: str, text: str, *, tenant: str, name: str = "Ana") -> dict[str, Any]:
    """A text message in the engine's own format, to the tenant's default account."""
    return {
        "from": f"+{sender}",
        "message": {"text": text},
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "message_id": "wamid." + secrets.token_hex(16),
        "tenant_id": tenant,
        "contact_name": name,
    }
