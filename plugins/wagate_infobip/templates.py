"""Template messages: Meta's form → Infobip's. Pure."""

from __future__ import annotations

from typing import Any

from wagate.errors import SendRefusedError
from wagate.parsing.fields import first_text, mapping
from wagate_infobip.fields import objects
from wagate_infobip.interactive import media_header

_BUTTONS = {
    "quick_reply": ("QUICK_REPLY", "payload"),
    "url": ("URL", "text"),
    "copy_code": ("COPY_CODE", "coupon_code"),
    "flow": ("FLOW", "action"),
}
"""Meta's ``sub_type`` → Infobip's type, and where Meta has the parameter."""


def template_content(template: dict[str, Any], file_url: str) -> dict[str, Any]:
    """``{templateName, templateData{body{placeholders}, header?, buttons?}, language}``.

    ``templateData`` may be given as Infobip wants it. ``file_url`` is the header's file when its component has no link.

    Raises:
        SendRefusedError: it has no name or no language.
    """
    name = first_text(template, "name", "templateName")
    language = first_text(mapping(template.get("language")), "code") or first_text(template, "language")
    if not name or not language:
        raise SendRefusedError("a template needs its name and language.code")
    own = mapping(template.get("templateData"))
    data = own or _data(objects(template.get("components")), file_url)
    return {"templateName": name, "templateData": data, "language": language}


def _data(components: list[dict[str, Any]], file_url: str) -> dict[str, Any]:
    data: dict[str, Any] = {"body": {"placeholders": []}}
    buttons: list[tuple[str, dict[str, Any]]] = []
    for component in components:
        parameters = objects(component.get("parameters"))
        match first_text(component, "type").lower():
            case "body":
                data["body"] = {"placeholders": [_text(parameter) for parameter in parameters]}
            case "header" if parameters:
                data["header"] = media_header(parameters[0], file_url, text_key="placeholder")
            case "button":
                buttons.append((str(component.get("index", len(buttons))), _button(component, parameters)))
    if buttons:
        data["buttons"] = [button for _, button in sorted(buttons, key=lambda each: each[0].rjust(3))]
    return data


def _text(parameter: dict[str, Any]) -> str:
    """What a placeholder becomes: its text; a currency or a date in the words given for it."""
    kind = first_text(parameter, "type")
    return first_text(parameter, "text") or first_text(mapping(parameter.get(kind)), "fallback_value")


def _button(component: dict[str, Any], parameters: list[dict[str, Any]]) -> dict[str, Any]:
    kind = first_text(component, "sub_type").lower()
    theirs, place = _BUTTONS.get(kind, (kind.upper(), "text"))
    parameter = parameters[0] if parameters else {}
    value = parameter.get(place) or first_text(parameter, "payload", "text", "coupon_code")
    return {"type": theirs, "parameter": value}
