"""Buttons, lists, forms and templates in WhatsApp's protobuf ``Message``, and what people chose in them.

Source: WAProto, as `wagate.parsing.protobuf`, whose readers these are.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from wagate.parsing.fields import first_text, mapping
from wagate.parsing.raw_content import (
    RawContent,
    form_content,
    kept,
    lines,
    loose,
    menu_content,
    objects,
    read_answers,
    reply_content,
    template_content,
)

Part = dict[str, Any]


def list_reply(part: Part) -> RawContent:
    """A row of a list, chosen."""
    row = first_text(loose(part.get("singleselectreply")), "selectedrowid")
    title, about = first_text(part, "title"), first_text(part, "description")
    return reply_content("list_reply", reply_id=row, title=title, about=about)


def button_reply(part: Part) -> RawContent:
    """A button, tapped."""
    chosen = first_text(part, "selectedbuttonid", "selectedid")
    # A choice among protobuf's alternatives stands one level deeper in Go.
    title = first_text(part, "selecteddisplaytext") or first_text(loose(part.get("response")), "selecteddisplaytext")
    return reply_content("button_reply", reply_id=chosen, title=title)


def form(part: Part) -> RawContent:
    """The answer of a flow; of a quick reply, which comes in the same form, the button."""
    inner = loose(part.get("interactiveresponsemessage")) or part
    flow = loose(inner.get("nativeflowresponsemessage"))
    shown = first_text(loose(part.get("body")), "text")
    name, given = first_text(flow, "name"), flow.get("paramsjson")
    if name in {"quick_reply", "menu_options", "single_select"} and shown:
        return reply_content("button_reply", reply_id=first_text(mapping(read_answers(given)), "id"), title=shown)
    return form_content(name, given, shown=shown)


def buttons(part: Part) -> RawContent:
    """A text with buttons."""
    header = first_text(part, "text", "headertext") or first_text(loose(part.get("header")), "text")
    choices = [
        kept(id=first_text(each, "buttonid"), title=first_text(loose(each.get("buttontext")), "displaytext"))
        for each in objects(part.get("buttons"))
    ]
    return menu_content(
        "button",
        header=header,
        body=first_text(part, "contenttext"),
        footer=first_text(part, "footertext"),
        choices=choices,
    )


def menu_list(part: Part) -> RawContent:
    """A text with rows to choose from."""
    rows = [row for section in objects(part.get("sections")) for row in objects(section.get("rows"))]
    choices = [
        kept(id=first_text(row, "rowid"), title=first_text(row, "title"), description=first_text(row, "description"))
        for row in rows
    ]
    return menu_content(
        "list",
        header=first_text(part, "title"),
        body=first_text(part, "description"),
        footer=first_text(part, "footertext"),
        choices=choices,
    )


def interactive(part: Part) -> RawContent:
    """A text with native buttons, or a carousel of them."""
    inner = loose(part.get("interactivemessage")) or part
    header = loose(part.get("header"))
    return menu_content(
        "interactive",
        header=lines(first_text(header, "title"), first_text(header, "subtitle")),
        body=first_text(loose(part.get("body")), "text"),
        footer=first_text(loose(part.get("footer")), "text"),
        choices=_native(inner) + [choice for card in _shown_cards(inner) for choice in card],
    )


def _native(part: Part) -> list[dict[str, Any]]:
    return native_buttons(loose(part.get("nativeflowmessage")).get("buttons"))


def native_buttons(buttons: object) -> list[dict[str, Any]]:
    """Buttons, each with its parameters in JSON."""
    found = []
    for button in objects(buttons):
        given = mapping(read_answers(button.get("buttonparamsjson")))
        found.append(
            kept(
                id=first_text(given, "id"),
                title=first_text(given, "display_text", "title") or first_text(button, "name"),
                url=first_text(given, "url"),
                phone=first_text(given, "phone_number"),
                description=first_text(given, "copy_code"),
            )
        )
    return found


def _shown_cards(part: Part) -> list[list[dict[str, Any]]]:
    """Each card of a carousel: its words, then its buttons."""
    found = []
    for card in objects(loose(part.get("carouselmessage")).get("cards")):
        title = lines(first_text(loose(card.get("header")), "title"), first_text(loose(card.get("body")), "text"))
        found.append([kept(title=title.replace("\n", " · ")), *_native(card)])
    return found


def template(part: Part) -> RawContent:
    """A template: one of its two forms, or interactive inside. Go has the form one level deeper, under ``Format``."""
    inner = loose(part.get("format")) or part
    menu = inner.get("interactivemessagetemplate")
    if menu:
        return replace(interactive(loose(menu)), type="template")
    body = loose(inner.get("hydratedtemplate") or inner.get("hydratedfourrowtemplate") or part.get("hydratedtemplate"))
    if not body:
        return structured(loose(loose(inner.get("fourrowtemplate")).get("content")))
    choices = []
    for button in objects(body.get("hydratedbuttons")):
        holder = loose(button.get("hydratedbutton")) or button
        one = next((loose(value) for name, value in holder.items() if name.endswith("button") and value), {})
        choices.append(
            kept(
                id=first_text(one, "id"),
                title=first_text(one, "displaytext"),
                url=first_text(one, "url"),
                phone=first_text(one, "phonenumber"),
            )
        )
    title = first_text(body, "hydratedtitletext") or first_text(loose(body.get("title")), "hydratedtitletext")
    return template_content(
        first_text(body, "templateid") or first_text(part, "templateid"),
        header=title,
        body=first_text(body, "hydratedcontenttext"),
        footer=first_text(body, "hydratedfootertext"),
        choices=choices,
    )


def structured(part: Part) -> RawContent:
    """The oldest form of templates: a name, and what was put into it."""
    hydrated = part.get("hydratedhsm")
    if hydrated:
        return template(loose(loose(hydrated)))
    params = part.get("params")
    body = lines(*(each for each in params if isinstance(each, str))) if isinstance(params, list) else ""
    return template_content(first_text(part, "elementname"), header="", body=body, footer="", choices=[])
