"""What one message of an agent becomes on WhatsApp: its text, then each of its files. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from msgspec.structs import replace

from wagate.hooks import OutLocation, OutMedia, OutMessage
from wagate.parsing.chats import is_group
from wagate_chatwoot.to_chatwoot.markdown import to_whatsapp
from wagate_chatwoot.to_whatsapp.actions import Attachment, Send
from wagate_chatwoot.to_whatsapp.templates import template_of

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
_MENTION = re.compile(r"(?<![\w@])@(\d{7,15})\b")

OTHERWISE = {"voice": "audio", "audio": "document", "image": "document", "video": "document"}
"""What a file is sent as when the provider does not have its own type."""


def parts_of(send: Send, chat: str, *, signature: str = "", reply_to: str = "") -> list[OutMessage]:
    """The messages, in order; [] when there is nothing in it that WhatsApp could show.

    ``signature`` is put in front of the text (on a line of its own), ``reply_to`` is quoted by the first message.
    A lone file carries a short text as its caption.
    """
    if send.template is not None and (template := template_of(send.template)) is not None:
        return [OutMessage(chat=chat, type="template", template=template, reply_to=reply_to)]
    text = _text(send)
    if text and signature:
        text = f"{signature}\n{text}"
    files = [_file(each, chat) for each in send.attachments]
    if text and len(files) == 1 and files[0].type in _CAPTIONED and len(text) <= MOST_CAPTION:
        files, text = [replace(files[0], text=text)], ""
    texts = [OutMessage(chat=chat, type="text", text=text, mentions=_mentions(text, chat))] if text else []
    parts = [*texts, *files]
    return [replace(part, reply_to=reply_to) for part in parts[:1]] + parts[1:]


def _text(send: Send) -> str:
    lines = [to_whatsapp(send.content).strip(), *(f"- {title}" for title in send.items)]
    return "\n".join(line for line in lines if line)


def _file(attachment: Attachment, chat: str) -> OutMessage:
    if attachment.latitude is not None and attachment.longitude is not None:
        place = OutLocation(latitude=attachment.latitude, longitude=attachment.longitude, name=attachment.title)
        return OutMessage(chat=chat, type="location", location=place)
    name, kind = name_of(attachment.url), mimetype_of(attachment)
    media = OutMedia(url=attachment.url, mimetype=kind, filename=name)
    return OutMessage(chat=chat, type=_type(attachment, kind), media=media)


def _type(attachment: Attachment, kind: str) -> str:
    if kind in _IMAGES:
        return "image"
    if kind in _VIDEOS:
        return "video"
    if kind.startswith("audio/") or attachment.file_type == "audio":
        return "voice" if attachment.voice or kind in _VOICES else "audio"
    return "document"


def mimetype_of(attachment: Attachment) -> str:
    """As told, else by the name's ending; '' when nothing tells."""
    if attachment.content_type and attachment.content_type != "application/octet-stream":
        return attachment.content_type
    ending = attachment.extension or PurePosixPath(name_of(attachment.url)).suffix.lower().lstrip(".")
    return _BY_EXTENSION.get(ending, attachment.content_type)


def name_of(url: str) -> str:
    """The file's name: the last part of ChatWoot's URL."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return ""
    return unquote(path.rpartition("/")[2])[:255]


def _mentions(text: str, chat: str) -> tuple[str, ...]:
    if not is_group(chat):
        return ()
    return tuple(dict.fromkeys(_mentioned(text)))


def _mentioned(text: str) -> Iterator[str]:
    for found in _MENTION.finditer(text):
        yield f"{found[1]}@c.us"
