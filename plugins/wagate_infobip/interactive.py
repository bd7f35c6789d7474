"""Interactive messages: Meta's form → Infobip's. Pure."""

from __future__ import annotations

from typing import Any

from wagate.errors import SendRefusedError
from wagate.parsing.fields import first_text, mapping
from wagate_infobip.fields import camel, objects

_PATHS = {
    "button": "buttons",
    "list": "list",
    "cta_url": "url-button",
    "flow": "flow",
    "location_request_message": "location-request",
}
_FLOW_KEYS = {"flow_cta": "callToActionButton", "mode": "mode", "flow_action": "flowAction"}


def interactive_content(interactive: dict[str, Any], file_url: str) -> tuple[str, dict[str, Any]]:
    """Path under ``/whatsapp/1/message/`` and the content of Meta's ``{type, header?, body, footer?, action}``.

    ``file_url`` is the header's file when it has no link.

    Raises:
        SendRefusedError: a type that Infobip has no path for.
    """
    kind = first_text(interactive, "type")
    if kind not in _PATHS:
        raise SendRefusedError(f"Infobip can't send interactive messages of type {kind[:40]!r}: {', '.join(_PATHS)}")
    content: dict[str, Any] = {"body": {"text": first_text(mapping(interactive.get("body")), "text")}}
    if kind != "location_request_message":
        content["action"] = _action(kind, mapping(interactive.get("action")))
        if header := media_header(mapping(interactive.get("header")), file_url):
            content["header"] = header
        if footer := first_text(mapping(interactive.get("footer")), "text"):
            content["footer"] = {"text": footer}
    return f"interactive/{_PATHS[kind]}", content


def media_header(header: dict[str, Any], file_url: str, *, text_key: str = "text") -> dict[str, Any]:
    """``{type: image, image: {link}}`` → ``{type: IMAGE, mediaUrl}``; a text under ``text_key``; {} for none."""
    kind = first_text(header, "type")
    part = mapping(header.get(kind))
    match kind:
        case "text":
            return {"type": "TEXT", text_key: first_text(header, "text")}
        case "image" | "video" | "document":
            made = {"type": kind.upper(), "mediaUrl": first_text(part, "link") or file_url}
            filename = first_text(part, "filename")
            return made | ({"filename": filename} if kind == "document" and filename else {})
        case "location":
            return {"type": "LOCATION", "latitude": part.get("latitude"), "longitude": part.get("longitude")}
    return {}


def _action(kind: str, action: dict[str, Any]) -> dict[str, Any]:
    parameters = mapping(action.get("parameters"))
    if kind == "button":
        replies = [mapping(button.get("reply")) or button for button in objects(action.get("buttons"))]
        return {"buttons": [{"type": "REPLY", "id": each.get("id"), "title": each.get("title")} for each in replies]}
    if kind == "list":
        return {"title": first_text(action, "button"), "sections": camel(objects(action.get("sections")))}
    if kind == "cta_url":
        return {"displayText": first_text(parameters, "display_text"), "url": first_text(parameters, "url")}
    return _flow(parameters)


def _flow(parameters: dict[str, Any]) -> dict[str, Any]:
    """Infobip's words in place of Meta's: modes and actions in capitals, the version a number."""
    made = {"flowToken": parameters.get("flow_token"), "flowId": parameters.get("flow_id")}
    for name, theirs in _FLOW_KEYS.items():
        if text := first_text(parameters, name):
            made[theirs] = text if name == "flow_cta" else text.upper()
    version = str(parameters.get("flow_message_version", ""))
    if version.isdigit():
        made["flowMessageVersion"] = int(version)
    if payload := mapping(parameters.get("flow_action_payload")):
        made["flowActionPayload"] = payload
    return made
