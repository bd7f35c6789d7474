"""WAHA's buttons and lists, for whoever has Meta's ``interactive`` message."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from wagate.errors import UnprocessableError
from wagate.hooks.messages import OutMessage
from wagate.web.messages.body import Text
from wagate.web.messages.content import Draft, read_chat
from wagate.web.waha.bodies import Body, ChatBody, WahaMessage
from wagate.web.waha.desk import Call
from wagate.web.waha.send import quoting, send_draft

TITLE, BUTTON_TITLE = 60, 20
"""Characters: Meta's limits, which the ``interactive`` message has."""


class Button(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A button."""

    type: Literal["reply", "url", "call", "copy"]
    text: Annotated[str, Meta(min_length=1, max_length=BUTTON_TITLE)]
    id: str | None = None
    url: str | None = None


class ButtonsBody(ChatBody, frozen=True, kw_only=True, rename="camel"):
    """``sendButtons``."""

    header: str = ""
    body: Text
    footer: str = ""
    buttons: Annotated[list[Button], Meta(min_length=1, max_length=10)]


class ListRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A row of a list."""

    title: str
    row_id: str
    description: str | None = None


class ListSection(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a list."""

    title: str = ""
    rows: Annotated[list[ListRow], Meta(min_length=1, max_length=10)]


class ListMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A list."""

    title: str = ""
    description: str | None = None
    footer: str | None = None
    button: Annotated[str, Meta(min_length=1, max_length=BUTTON_TITLE)]
    sections: Annotated[list[ListSection], Meta(min_length=1, max_length=10)]


class ListBody(Body, frozen=True, kw_only=True, rename="camel"):
    """``sendList``."""

    message: ListMessage


async def send_buttons(call: Call, body: ButtonsBody) -> WahaMessage:
    """Buttons in Meta's form. UnprocessableError: there is no message with such buttons in it."""
    action: dict[str, Any]
    made: dict[str, Any] = {"type": "button", "body": {"text": body.body}} | _header_footer(body.header, body.footer)
    urls = [each for each in body.buttons if each.type == "url"]
    if len(body.buttons) == 1 and urls:
        made["type"] = "cta_url"
        action = {"name": "cta_url", "parameters": {"display_text": urls[0].text, "url": urls[0].url or ""}}
    elif all(each.type == "reply" for each in body.buttons) and len(body.buttons) <= 3:
        action = {"buttons": [_reply_button(each) for each in body.buttons]}
    else:
        raise UnprocessableError("WhatsApp has up to three buttons of type reply, or one of type url", field="buttons")
    message = OutMessage(
        chat=read_chat(body.chat_id, "chatId"), type="interactive", interactive=made | {"action": action}
    )
    return await send_draft(call, Draft(message=message), body.session)


def _reply_button(button: Button) -> dict[str, Any]:
    return {"type": "reply", "reply": {"id": button.id or button.text, "title": button.text}}


def _header_footer(header: str, footer: str | None) -> dict[str, Any]:
    """What there is of them."""
    found: dict[str, Any] = {"header": {"type": "text", "text": header[:TITLE]}} if header else {}
    return found | ({"footer": {"text": footer[:TITLE]}} if footer else {})


async def send_list(call: Call, body: ListBody) -> WahaMessage:
    """A list in Meta's form."""
    given = body.message
    sections = [
        {
            "title": part.title,
            "rows": [
                {"id": row.row_id, "title": row.title} | ({"description": row.description} if row.description else {})
                for row in part.rows
            ],
        }
        for part in given.sections
    ]
    made: dict[str, Any] = {
        "type": "list",
        "body": {"text": given.description or given.title or given.button},
        "action": {"button": given.button, "sections": sections},
    } | _header_footer(given.title if given.description else "", given.footer)
    base = await quoting(call, body)
    message = msgspec.structs.replace(base, type="interactive", interactive=made)
    return await send_draft(call, Draft(message=message), body.session)
