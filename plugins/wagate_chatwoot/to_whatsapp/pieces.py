"""What one message of an agent becomes on WhatsApp: its text, then each of its files. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from msgspec.structs import replace

from wagate.hooks import OutLocation, OutMedia, OutMessage
from wagate.parsing.fields import first_text, mapping
from wagate_chatwoot.to_chatwoot.markdown import to_whatsapp
from wagate_chatwoot.to_whatsapp.actions import Attachment, Send, name_of

MOST_CAPTION = 1024
"""Characters under a file (source: Meta's Cloud API, media messages); a longer text goes by itself."""
_CAPTIONED = frozenset({"image", "video", "document"})
_IMAGES = frozenset({"image/jpeg", "image/jpg", "image/png"})
_VIDEOS = frozenset({"video/mp4", "video/3gpp"})
_VOICES = frozenset({"audio/ogg", "audio/opus"})
_BY_EXTENSION = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "mp4": "video/mp4",
    "3gp": "video/3gpp",
    "ogg": "audio/ogg",
    "oga": "audio/ogg",
    "opus": "audio/ogg",
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "aac": "audio/aac",
    "amr": "audio/amr",
    "pdf": "application/pdf",
}

OTHERWISE = {"voice": "audio", "audio": "document", "image": "document", "video": "document"}
"""What a file is sent as when the provider does not have its own type."""

_MEDIA = frozenset({"image", "video", "document"})


def parts_of(
    send: Send, chat: str, *, signature: str = "", reply_to: str = "", all_voice: bool = False
) -> list[OutMessage]:
    """The messages, in order; [] when there is nothing in it that WhatsApp could show.

    ``signature`` is put in front of the text (on a line of its own), ``reply_to`` is quoted by the first message.
    ``all_voice``: every sound is a voice message. A lone file carries a short text as its caption.
    """
    if send.template is not None and (template := template_of(send.template)) is not None:
        return [OutMessage(chat=chat, type="template", template=template, reply_to=reply_to)]
    text = _text(send)
    if text and signature:
        text = f"{signature}\n{text}"
    files = [_file(each, chat, all_voice=all_voice) for each in send.attachments]
    if text and len(files) == 1 and files[0].type in _CAPTIONED and len(text) <= MOST_CAPTION:
        files, text = [replace(files[0], text=text)], ""
    texts = [OutMessage(chat=chat, type="text", text=text)] if text else []
    parts = [*texts, *files]
    return [replace(part, reply_to=reply_to) for part in parts[:1]] + parts[1:]


def _text(send: Send) -> str:
    lines = [to_whatsapp(send.content).strip(), *(f"- {title}" for title in send.items)]
    return "\n".join(line for line in lines if line)


def _file(attachment: Attachment, chat: str, *, all_voice: bool) -> OutMessage:
    if attachment.latitude is not None and attachment.longitude is not None:
        place = OutLocation(latitude=attachment.latitude, longitude=attachment.longitude, name=attachment.title)
        return OutMessage(chat=chat, type="location", location=place)
    name, kind = name_of(attachment.url), mimetype_of(attachment)
    media = OutMedia(url=attachment.url, mimetype=kind, filename=name)
    return OutMessage(chat=chat, type=_type(attachment, kind, all_voice=all_voice), media=media)


def _type(attachment: Attachment, kind: str, *, all_voice: bool) -> str:
    if kind in _IMAGES:
        return "image"
    if kind in _VIDEOS:
        return "video"
    if kind.startswith("audio/") or attachment.file_type == "audio":
        return "voice" if all_voice or attachment.voice or kind in _VOICES else "audio"
    return "document"


def mimetype_of(attachment: Attachment) -> str:
    """As told, else by the name's ending; '' when nothing tells."""
    if attachment.content_type and attachment.content_type != "application/octet-stream":
        return attachment.content_type
    ending = attachment.extension or PurePosixPath(name_of(attachment.url)).suffix.lower().lstrip(".")
    return _BY_EXTENSION.get(ending, attachment.content_type)


def template_of(params: dict[str, Any]) -> dict[str, Any] | None:
    """``name``, ``language.code`` and ``components``; None without a name.

    ``processed_params`` is either flat (``{"1": "Ana"}``: the body's, older servers) or by component
    (``{"header": {"media_url", "media_type"}, "body": {"1": …}, "buttons": [{"type", "parameter"}]}``; source:
    Chatwoot's app/services/whatsapp/template_processor_service.rb).
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
