"""Template messages: Meta's form → Infobip's. Pure.

Source: Infobip's OpenAPI document 3.210.0, TemplateContent; Meta's Cloud API, message templates.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from wagate.errors import SendRefusedError
from wagate.parsing.fields import first_text, mapping, whole
from wagate_infobip.fields import objects
from wagate_infobip.interactive import call_of, header_of, product_sections
from wagate_infobip.orders import order_details

_PLAIN = {
    "quick_reply": ("QUICK_REPLY", "payload"),
    "url": ("URL", "text"),
    "copy_code": ("COPY_CODE", "coupon_code"),
}
"""Meta's ``sub_type`` → Infobip's type, and where Meta has the parameter."""
_HEADERS = frozenset({"text", "image", "video", "document", "gif", "location"})


def template_content(template: dict[str, Any], file_url: str) -> dict[str, Any]:
    """``{templateName, templateData{body{placeholders}, header?, buttons?, carousel?, …}, language}``.

    ``templateData`` may be given as Infobip wants it. ``file_url`` is the header's file when its component has no link.

    Raises:
        SendRefusedError: it has no name or no language, or a component or button that Infobip does not have.
    """
    name = first_text(template, "name", "templateName")
    language = first_text(mapping(template.get("language")), "code") or first_text(template, "language")
    if not name or not language:
        raise SendRefusedError("a template needs its name and language.code")
    own = mapping(template.get("templateData"))
    data = own or {"body": {"placeholders": []}} | _data(objects(template.get("components")), file_url)
    return {"templateName": name, "templateData": data, "language": language}


def _data(components: list[dict[str, Any]], file_url: str) -> dict[str, Any]:
    data: dict[str, Any] = {}
    buttons: list[tuple[int, dict[str, Any]]] = []
    for component in components:
        parameters = objects(component.get("parameters"))
        match kind := first_text(component, "type").lower():
            case "body":
                data["body"] = {"placeholders": [_text(parameter) for parameter in parameters]}
            case "header":
                if parameters:
                    data["header"] = header_of(parameters[0], file_url, _HEADERS, text_key="placeholder")
            case "button":
                place = whole(component.get("index"))
                buttons.append((len(buttons) if place is None else place, _button(component, parameters)))
            case "carousel":
                data["carousel"] = {"cards": [_card(card, file_url) for card in objects(component.get("cards"))]}
            case "limited_time_offer":
                data["limitedTimeOffer"] = {"expirationTime": _offer_ends(parameters)}
            case "footer":
                pass  # It has no parameters, so nothing of it is sent.
            case _:
                raise SendRefusedError(f"Infobip's templates have no component of type {kind[:40]!r}")
    if buttons:
        data["buttons"] = [button for _, button in sorted(buttons, key=lambda each: each[0])]
    return data


def _card(card: dict[str, Any], file_url: str) -> dict[str, Any]:
    data = _data(objects(card.get("components")), file_url)
    if "header" not in data:
        raise SendRefusedError("each card of a template's carousel needs its header")
    return data


def _offer_ends(parameters: list[dict[str, Any]]) -> str:
    offer = mapping(parameters[0].get("limited_time_offer")) if parameters else {}
    ends = whole(offer.get("expiration_time_ms"))
    if ends is None:
        raise SendRefusedError("a limited-time offer needs limited_time_offer.expiration_time_ms: Unix milliseconds")
    try:
        return datetime.fromtimestamp(ends / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        raise SendRefusedError("limited_time_offer.expiration_time_ms must be Unix milliseconds") from None


def _text(parameter: dict[str, Any]) -> str:
    """What a placeholder becomes: its text; a currency or a date in the words given for it."""
    kind = first_text(parameter, "type")
    return first_text(parameter, "text") or first_text(mapping(parameter.get(kind)), "fallback_value")


def _button(component: dict[str, Any], parameters: list[dict[str, Any]]) -> dict[str, Any]:
    kind = first_text(component, "sub_type").lower()
    parameter = parameters[0] if parameters else {}
    action = mapping(parameter.get("action"))
    thumbnail = first_text(action, "thumbnail_product_retailer_id")
    shown = {"thumbnailProductRetailerId": thumbnail} if thumbnail else {}
    match kind:
        case "quick_reply" | "url" | "copy_code":
            theirs, place = _PLAIN[kind]
            return {"type": theirs, "parameter": _plain(parameter, place, kind)}
        case "flow":
            data, token = mapping(action.get("flow_action_data")), first_text(action, "flow_token")
            return {"type": "FLOW"} | ({"flowToken": token} if token else {}) | ({"data": data} if data else {})
        case "catalog":
            return {"type": "CATALOG", **shown}
        case "mpm":
            return {"type": "MULTI_PRODUCT", **shown, "sections": product_sections(action.get("sections"))}
        case "order_details":
            return {"type": "ORDER_DETAILS", "action": order_details(mapping(action.get("order_details")), "")}
        case "voice_call":
            given = {first_text(each, "type"): each.get(first_text(each, "type")) for each in parameters}
            return {"type": "VOICE_CALL", **call_of(given)}
    raise SendRefusedError(f"Infobip's templates have no button of type {kind[:40]!r}")


def _plain(parameter: dict[str, Any], place: str, kind: str) -> str:
    value = first_text(parameter, place, "payload", "text", "coupon_code")
    if not value:
        raise SendRefusedError(f"a button of type {kind!r} needs its parameter: {place}")
    return value
