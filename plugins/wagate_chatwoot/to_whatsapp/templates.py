"""ChatWoot's ``template_params`` as a template in Meta's form. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wagate.parsing.fields import first_text, mapping

_MEDIA = frozenset({"image", "video", "document"})


def template_of(params: dict[str, Any]) -> dict[str, Any] | None:
    """``name``, ``language.code`` and ``components``; None without a name.

    ``processed_params`` is either flat (``{"1": "Ana"}``: the body's, older servers) or by component
    (``{"header": {"media_url", "media_type"}, "body": {"1": …}, "buttons": [{"type", "parameter"}]}``; source:
    ChatWoot's app/services/whatsapp/template_processor_service.rb).
    """
    name = first_text(params, "name")
    if not name:
        return None
    language = first_text(params, "language") or first_text(mapping(params.get("language")), "code") or "en"
    given = mapping(params.get("processed_params"))
    by_component = any(isinstance(value, dict | list) for value in given.values())
    components = [*_components(given)] if by_component else [*_body(given)]
    template: dict[str, Any] = {"name": name, "language": {"code": language}}
    return template | ({"components": components} if components else {})


def _components(given: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from _header(mapping(given.get("header")))
    yield from _body(mapping(given.get("body")))
    buttons = given.get("buttons")
    for index, button in enumerate(buttons if isinstance(buttons, list) else []):
        yield from _button(index, mapping(button))


def _header(header: dict[str, Any]) -> Iterator[dict[str, Any]]:
    url, kind = first_text(header, "media_url"), first_text(header, "media_type").lower()
    if url and kind in _MEDIA:
        media = {"link": url}
        if kind == "document" and (name := first_text(header, "media_name")):
            media["filename"] = name
        yield {"type": "header", "parameters": [{"type": kind, kind: media}]}
    else:
        texts = {key: value for key, value in header.items() if not key.startswith("media_")}
        if parameters := _texts(texts):
            yield {"type": "header", "parameters": parameters}


def _body(given: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if parameters := _texts(given):
        yield {"type": "body", "parameters": parameters}


def _button(index: int, button: dict[str, Any]) -> Iterator[dict[str, Any]]:
    kind, parameter = first_text(button, "type").lower(), first_text(button, "parameter")
    if not parameter:
        return
    value = {"type": "coupon_code", "coupon_code": parameter} if kind == "copy_code" else None
    yield {
        "type": "button",
        "sub_type": kind or "url",
        "index": str(index),
        "parameters": [value or {"type": "text", "text": parameter}],
    }


def _texts(given: dict[str, Any]) -> list[dict[str, Any]]:
    """Numbered parameters in their order, named ones with their names."""
    pairs = [(key, value) for key, value in given.items() if isinstance(value, str | int | float)]
    if all(key.isascii() and key.isdigit() and len(key) < 4 for key, _ in pairs):
        return [{"type": "text", "text": str(value)} for _, value in sorted(pairs, key=lambda pair: int(pair[0]))]
    return [{"type": "text", "parameter_name": key, "text": str(value)} for key, value in pairs]
