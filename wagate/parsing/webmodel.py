"""A message as WhatsApp Web has it: what whatsapp-web.js hands on, and WAHA's WEBJS in ``_data``.

Source: whatsapp-web.js 1.34, src/util/Constants.js (MessageTypes), src/structures/Message.js; WhatsApp Web's own model
for what the library passes on as ``_data``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from wagate.parsing.chats import chat_key
from wagate.parsing.fields import first_text, identifier, mapping, whole
from wagate.parsing.protobuf import referral_of
from wagate.parsing.protobuf_menus import native_buttons
from wagate.parsing.raw_content import (
    NOTHING,
    RawContent,
    event_content,
    form_content,
    invite_content,
    kept,
    loose,
    menu_content,
    moment,
    objects,
    order_content,
    payment_content,
    poll_content,
    price,
    product_content,
    reply_content,
    template_content,
)

Model = dict[str, Any]
_PLAIN = {
    "chat": "text",
    "text": "text",
    "image": "image",
    "video": "video",
    "ptv": "video",
    "gif": "video",
    "audio": "audio",
    "ptt": "voice",
    "voice": "voice",
    "document": "document",
    "sticker": "sticker",
    "location": "location",
    "live_location": "location",
    "vcard": "contacts",
    "multi_vcard": "contacts",
    "contacts": "contacts",
    "sticker-pack": "sticker_pack",
}
"""WhatsApp Web's type → ours, where the words are the body's alone."""
_NOTICES = frozenset(
    {
        "album",
        "call_log",
        "ciphertext",
        "debug",
        "gp2",
        "keep_in_chat",
        "pinned_message",
        "pin_in_chat",
        "poll_update",
        "poll_vote",
        "protocol",
        "revoked",
        "reaction",
        "reaction_enc",
        "scheduled_call_edit",
        "event_response",
        "message_history_notice",
        "message_history_bundle",
        "placeholder",
        "biz_content_placeholder",
        "encrypted",
    }
)
"""Types of what is no message of anybody."""


def notice_of(kind: str) -> str:
    """The word itself when a type is a notice of WhatsApp's, and no message; '' else."""
    word = kind.lower()
    noticed = word in _NOTICES or "notification" in word or word.startswith("security")
    return word if noticed else ""


def read_model(message: Model, data: Model) -> RawContent:
    """What a message tells; ``data`` is its ``_data``. `NOTHING` when it states no type."""
    kind = (first_text(message, "type") or first_text(data, "type")).lower()
    if not kind:
        return NOTHING
    if notice := notice_of(kind):
        return RawContent(type="unknown", notice=notice)
    model = {**data, **{name: value for name, value in message.items() if value not in (None, "", [], {})}}
    if read := _READERS.get(kind):
        told = read(model)
    else:
        told = RawContent(type=_PLAIN.get(kind, "unknown"), text=first_text(model, "body", "caption"))
        if told.type == "unknown":
            told = replace(told, details={"type": kind})
    return replace(told, details=told.details | _around(model))


def _around(model: Model) -> dict[str, Any]:
    forwarded = model.get("isForwarded") is True or bool(whole(model.get("forwardingScore")))
    return kept(
        forwarded=forwarded,
        view_once=model.get("isViewOnce") is True,
        referral=referral_of(model.get("ctwaContext"), ad_for_sure=True) or referral_of(model.get("externalAdReply")),
    )


def _poll(model: Model) -> RawContent:
    given = model.get("pollOptions")
    options = [
        each if isinstance(each, str) else first_text(loose(each), "name", "optionname")
        for each in (given if isinstance(given, list) else [])
    ]
    return poll_content(first_text(model, "pollName", "body"), options, whole(model.get("pollSelectableOptionsCount")))


def _event(model: Model) -> RawContent:
    place = loose(model.get("eventLocation"))
    return event_content(
        first_text(model, "eventName", "body", "title"),
        about=first_text(model, "eventDescription", "description"),
        start=moment(model.get("eventStartTime") or model.get("scheduledTimestampMs")),
        end=moment(model.get("eventEndTime")),
        place=kept(
            name=first_text(place, "name"),
            address=first_text(place, "address"),
            latitude=place.get("degreeslatitude"),
            longitude=place.get("degreeslongitude"),
        ),
        link=first_text(model, "eventJoinLink"),
        # The library's own field is spelt with one letter less.
        canceled=True in (model.get("isEventCanceled"), model.get("isEventCaneled")),
    )


def _product(model: Model) -> RawContent:
    return product_content(
        identifier(model.get("productId")),
        first_text(model, "title"),
        about=first_text(model, "description"),
        amount=price(model.get("salePriceAmount1000") or model.get("priceAmount1000")),
        currency=first_text(model, "currencyCode", "currency"),
        retailer_id=first_text(model, "retailerId"),
        url=first_text(model, "url"),
        body="",
    )


def _payment(model: Model) -> RawContent:
    """whatsapp-web.js, src/structures/Payment.js."""
    note = model.get("paymentNoteMsg")
    return payment_content(
        price(model.get("paymentAmount1000")),
        first_text(model, "paymentCurrency"),
        note=first_text(mapping(note), "body") or (note if isinstance(note, str) else "") or first_text(model, "body"),
    )


def _order(model: Model) -> RawContent:
    return order_content(
        identifier(model.get("orderId")),
        title=first_text(model, "orderTitle", "title"),
        note=first_text(model, "message", "body"),
        count=whole(model.get("itemCount")),
        total=price(model.get("totalAmount1000")),
        currency=first_text(model, "totalCurrencyCode", "currency"),
        items=[_item(each) for each in objects(model.get("products"))],
    )


def _item(product: Model) -> dict[str, Any]:
    """An article, where the engine looked up the order (whatsapp-web.js, ``Order.products``)."""
    return kept(
        product_retailer_id=identifier(product.get("id")),
        name=first_text(product, "name"),
        quantity=whole(product.get("quantity")),
        item_price=product.get("price"),
        currency=first_text(product, "currency"),
    )


def _list_reply(model: Model) -> RawContent:
    reply = loose(model.get("listResponse"))
    row = first_text(loose(reply.get("singleselectreply")), "selectedrowid") or first_text(model, "selectedRowId")
    title = first_text(reply, "title") or first_text(model, "title", "body")
    about = first_text(reply, "description") or first_text(model, "description")
    return reply_content("list_reply", reply_id=row, title=title, about=about)


def _button_reply(model: Model) -> RawContent:
    chosen = first_text(model, "selectedButtonId", "selectedId")
    return reply_content("button_reply", reply_id=chosen, title=first_text(model, "body", "selectedDisplayText"))


def _form(model: Model) -> RawContent:
    held = ("nativeFlowResponseMessage", "nativeFlowResponse", "interactiveResponse")
    flow = loose(next((model[name] for name in held if mapping(model.get(name))), model))
    name = first_text(flow, "name", "nativeflowname")
    given = flow.get("paramsjson") or flow.get("nativeflowresponsejson")
    return form_content(name, given, shown=first_text(model, "body"))


def _list(model: Model) -> RawContent:
    menu = loose(model.get("list"))
    rows = [row for section in objects(menu.get("sections")) for row in objects(section.get("rows"))]
    choices = [
        kept(id=first_text(row, "rowid"), title=first_text(row, "title"), description=first_text(row, "description"))
        for row in rows
    ]
    return menu_content(
        "list",
        header=first_text(menu, "title"),
        body=first_text(menu, "description") or first_text(model, "body"),
        footer=first_text(menu, "footertext") or first_text(model, "footer"),
        choices=choices,
    )


def _interactive(model: Model) -> RawContent:
    header = loose(model.get("interactiveHeader"))
    return menu_content(
        "interactive",
        header=first_text(header, "title") or first_text(model, "title"),
        body=first_text(model, "body", "caption"),
        footer=first_text(model, "footer"),
        choices=_choices(model),
    )


def _template(model: Model) -> RawContent:
    return template_content(
        identifier(model.get("templateId")),
        header=first_text(model, "title"),
        body=first_text(model, "body", "caption"),
        footer=first_text(model, "footer"),
        choices=_choices(model),
    )


def _choices(model: Model) -> list[dict[str, Any]]:
    """Buttons, in any of their forms."""
    found = []
    for button in objects(model.get("dynamicReplyButtons")):
        title = first_text(loose(button.get("buttontext")), "displaytext")
        found.append(kept(id=first_text(button, "buttonid"), title=title))
    for button in objects(model.get("hydratedButtons")):
        one = next((loose(value) for name, value in button.items() if name.endswith("button") and value), {})
        found.append(
            kept(
                id=first_text(one, "id"),
                title=first_text(one, "displaytext"),
                url=first_text(one, "url"),
                phone=first_text(one, "phonenumber"),
            )
        )
    return found + native_buttons(loose(model.get("interactivePayload")).get("buttons"))


def _invite(model: Model) -> RawContent:
    invite = mapping(model.get("inviteV4"))
    return invite_content(
        chat_key(identifier(invite.get("groupId") or _wid(model.get("inviteGrp")))),
        first_text(invite, "groupName") or first_text(model, "inviteGrpName"),
        code=first_text(invite, "inviteCode") or first_text(model, "inviteCode"),
        note=first_text(model, "comment", "caption", "body"),
        expires=moment(invite.get("inviteCodeExp") or model.get("inviteCodeExp")),
    )


def _wid(value: object) -> object:
    return mapping(value).get("_serialized") if isinstance(value, dict) else value


_READERS: dict[str, Callable[[Model], RawContent]] = {
    "poll_creation": _poll,
    "poll": _poll,
    "scheduled_event_creation": _event,
    "event_creation": _event,
    "event": _event,
    "scheduled_call": _event,
    "scheduled_call_creation": _event,
    "payment": _payment,
    "product": _product,
    "order": _order,
    "list": _list,
    "list_response": _list_reply,
    "buttons_response": _button_reply,
    "template_button_reply": _button_reply,
    "interactive": _interactive,
    "interactive_response": _form,
    "native_flow_response": _form,
    "native_flow": _interactive,
    "buttons": _interactive,
    "hsm": _template,
    "template": _template,
    "groups_v4_invite": _invite,
    "newsletter_admin_invite": _invite,
}
