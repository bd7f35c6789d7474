"""WhatsApp's protobuf ``Message``, as JSON: what whatsmeow and Baileys hand on.

Source: WAProto (github.com/WhiskeySockets/Baileys, WAProto/WAProto.proto). Keys are compared in small letters, since
the two write them differently.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec.structs import replace

from wagate.parsing import protobuf_menus as menus
from wagate.parsing.chats import chat_key
from wagate.parsing.fields import first_text, identifier, mapping
from wagate.parsing.raw_content import (
    NOTHING,
    RawContent,
    event_content,
    invite_content,
    kept,
    lines,
    loose,
    moment,
    number,
    objects,
    order_content,
    payment_content,
    poll_content,
    price,
    product_content,
)

Part = dict[str, Any]
_DEEPEST = 8
_OF_AN_AD = ("sourceid", "sourcetype", "ctwaclid", "showadattribution")
_BESIDE = frozenset(
    {"messagecontextinfo", "senderkeydistributionmessage", "fastratchetkeysenderkeydistributionmessage"}
)
"""Comes along with messages, and says nothing."""
_NOTICES = {
    "protocolmessage": "protocol",
    "albummessage": "album",
    "pininchatmessage": "pin",
    "keepinchatmessage": "keep",
    "reactionmessage": "reaction",
    "encreactionmessage": "reaction",
    "pollupdatemessage": "poll_vote",
    "enceventresponsemessage": "event_response",
    "enccommentmessage": "comment",
    "secretencryptedmessage": "encrypted",
    "placeholdermessage": "placeholder",
    "stickersyncrmrmessage": "sync",
    "messagehistorybundle": "history",
    "messagehistorynotice": "history",
    "calllogmesssage": "call_log",
    "calllogmessage": "call_log",
    "call": "call",
    "bcallmessage": "call",
    "scheduledcalleditmessage": "call",
    "chat": "chat",
    "statusnotificationmessage": "status",
    "statusstickerinteractionmessage": "reaction",
    "declinepaymentrequestmessage": "payment",
    "cancelpaymentrequestmessage": "payment",
    "requestphonenumbermessage": "phone_number_request",
}
"""Fields of what is no message; what they bring comes as an event of its own, or only concerns phones."""


def read_protobuf(message: object) -> RawContent:
    """What a ``Message`` tells; `NOTHING` when there is none."""
    found, view_once = _unwrapped(loose(message))
    fields = {name: value for name, value in found.items() if value not in (None, "") and name not in _BESIDE}
    name = next((each for each in fields if each in _READERS), "")
    if not name:
        return _rest(fields, found)
    value = fields[name]
    part = loose(value) if isinstance(value, dict) else {"text": value}
    told = _READERS[name](part)
    view_once = view_once or part.get("viewonce") is True
    return replace(told, part=part, details=told.details | _context(part) | kept(view_once=view_once))


def referral_of(ad: object, *, ad_for_sure: bool = False) -> dict[str, Any]:
    """The ad that somebody came from, in Meta's spelling; {} when it is a mere preview of a link.

    ``ad_for_sure``: it stands where only ads do.
    """
    found = loose(ad)
    if not ad_for_sure and not any(found.get(name) for name in _OF_AN_AD):
        return {}
    return kept(
        source_url=first_text(found, "sourceurl"),
        source_id=first_text(found, "sourceid"),
        source_type=first_text(found, "sourcetype"),
        headline=first_text(found, "title"),
        body=first_text(found, "body", "description"),
        image_url=first_text(found, "originalimageurl", "thumbnailurl"),
        video_url=first_text(found, "mediaurl"),
        ctwa_clid=first_text(found, "ctwaclid"),
        ref=first_text(found, "ref"),
    )


def _unwrapped(message: Part) -> tuple[Part, bool]:
    """What stands inside ``ephemeralMessage``, ``viewOnceMessageV2`` and the like; whether it is shown once only."""
    once = False
    for _ in range(_DEEPEST):
        wrapper = next(
            (name for name, value in message.items() if mapping(mapping(value).get("message")) and name != "message"),
            "",
        )
        if not wrapper:
            break
        once = once or wrapper.startswith("viewonce")
        message = loose(mapping(message[wrapper]).get("message"))
    return message, once


def _rest(fields: Part, found: Part) -> RawContent:
    notice = next((_NOTICES[name] for name in fields if name in _NOTICES), "")
    if notice or (not fields and found):
        return RawContent(type="unknown", notice=notice or "empty")
    if not fields:
        return NOTHING
    name, value = next(iter(fields.items()))
    part = loose(value)
    return RawContent(type="unknown", text=any_text(part), details=kept(type=name) | _context(part), part=part)


def _context(part: Part) -> dict[str, Any]:
    context = loose(part.get("contextinfo"))
    forwarded = context.get("isforwarded") is True or bool(number(context.get("forwardingscore")))
    return kept(forwarded=forwarded, referral=referral_of(context.get("externaladreply")))


def any_text(part: Part) -> str:
    """The words of what is not known here."""
    body = part.get("body")
    inner = first_text(loose(body), "text") if isinstance(body, dict) else ""
    return inner or first_text(part, "text", "caption", "body", "title", "name", "description", "message")


def _text(part: Part) -> RawContent:
    return RawContent(type="text", text=first_text(part, "text"))


def _file(kind: str, part: Part) -> RawContent:
    voice = kind == "audio" and part.get("ptt") is True
    return RawContent(type="voice" if voice else kind, text=first_text(part, "caption"))


def _place(part: Part) -> RawContent:
    return RawContent(type="location", text=first_text(part, "name", "address", "caption", "comment"))


def _cards(part: Part) -> RawContent:
    return RawContent(type="contacts", text=first_text(part, "displayname"))


def _poll(part: Part) -> RawContent:
    options = [first_text(each, "optionname", "name") for each in objects(part.get("options"))]
    return poll_content(first_text(part, "name"), options, number(part.get("selectableoptionscount")))


def _poll_result(part: Part) -> RawContent:
    votes = objects(part.get("pollvotes"))
    options = [f"{first_text(each, 'optionname')}: {number(each.get('optionvotecount')) or 0}" for each in votes]
    return poll_content(first_text(part, "name"), options)


def _event(part: Part) -> RawContent:
    place = loose(part.get("location"))
    return event_content(
        first_text(part, "name"),
        about=first_text(part, "description"),
        start=moment(part.get("starttime")),
        end=moment(part.get("endtime")),
        place=kept(
            name=first_text(place, "name"),
            address=first_text(place, "address"),
            latitude=place.get("degreeslatitude"),
            longitude=place.get("degreeslongitude"),
        ),
        link=first_text(part, "joinlink"),
        canceled=part.get("iscanceled") is True,
    )


def _call(part: Part) -> RawContent:
    """A call that is to come."""
    start = moment(part.get("scheduledtimestampms"))
    return event_content(first_text(part, "title"), start=start, place={}, link="", canceled=False)


def _product(part: Part) -> RawContent:
    product = loose(part.get("product"))
    return product_content(
        identifier(product.get("productid")),
        first_text(product, "title") or first_text(loose(part.get("catalog")), "title"),
        about=first_text(product, "description"),
        amount=price(
            product.get("saleprice1000") or product.get("salepriceamount1000") or product.get("priceamount1000")
        ),
        currency=first_text(product, "currencycode"),
        retailer_id=first_text(product, "retailerid"),
        url=first_text(product, "url"),
        body=first_text(part, "body"),
    )


def _order(part: Part) -> RawContent:
    return order_content(
        identifier(part.get("orderid")),
        title=first_text(part, "ordertitle"),
        note=first_text(part, "message"),
        count=number(part.get("itemcount")),
        total=price(part.get("totalamount1000")),
        currency=first_text(part, "totalcurrencycode"),
        items=[],
    )


def _invite(part: Part) -> RawContent:
    return invite_content(
        chat_key(first_text(part, "groupjid", "newsletterjid")),
        first_text(part, "groupname", "newslettername"),
        code=first_text(part, "invitecode"),
        note=first_text(part, "caption"),
        expires=moment(part.get("inviteexpiration")),
    )


def _payment(part: Part) -> RawContent:
    note = read_protobuf(part.get("notemessage")).text or first_text(part, "note")
    return payment_content(price(part.get("amount1000")), first_text(part, "currencycodeiso4217"), note=note)


def _pack(part: Part) -> RawContent:
    return RawContent(
        type="sticker_pack", text=lines(first_text(part, "name"), first_text(part, "caption", "packdescription"))
    )


def _asked(part: Part) -> RawContent:
    """A question of a channel or a status, and its answers."""
    return RawContent(type="text", text=any_text(part))


_READERS: dict[str, Callable[[Part], RawContent]] = {
    "conversation": _text,
    "extendedtextmessage": _text,
    **{f"{kind}message": partial(_file, kind) for kind in ("image", "video", "audio", "document", "sticker")},
    "ptvmessage": partial(_file, "video"),
    "lottiestickermessage": partial(_file, "sticker"),
    "locationmessage": _place,
    "livelocationmessage": _place,
    "contactmessage": _cards,
    "contactsarraymessage": _cards,
    **dict.fromkeys((f"pollcreationmessage{version}" for version in ("", "v2", "v3", "v4", "v5", "v6")), _poll),
    **dict.fromkeys((f"pollresultsnapshotmessage{version}" for version in ("", "v3")), _poll_result),
    "eventmessage": _event,
    "scheduledcallcreationmessage": _call,
    "productmessage": _product,
    "ordermessage": _order,
    "listmessage": menus.menu_list,
    "listresponsemessage": menus.list_reply,
    "buttonsmessage": menus.buttons,
    "buttonsresponsemessage": menus.button_reply,
    "templatebuttonreplymessage": menus.button_reply,
    "interactivemessage": menus.interactive,
    "interactiveresponsemessage": menus.form,
    "templatemessage": menus.template,
    "highlystructuredmessage": menus.structured,
    "groupinvitemessage": _invite,
    "newsletteradmininvitemessage": _invite,
    "newsletterfollowerinvitemessagev2": _invite,
    "sendpaymentmessage": _payment,
    "requestpaymentmessage": _payment,
    "invoicemessage": _payment,
    "stickerpackmessage": _pack,
    "questionresponsemessage": _asked,
    "statusquestionanswermessage": _asked,
    "richresponsemessage": _asked,
}
