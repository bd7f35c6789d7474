"""What a message in the engine's own format tells beside its text: places, cards, polls, orders, choices. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from wagate.parsing.fields import degrees, first_text, identifier, mapping, shortened, whole
from wagate.parsing.raw_content import (
    RawContent,
    event_content,
    form_content,
    invite_content,
    kept,
    moment,
    order_content,
    poll_content,
    product_content,
    reply_content,
)
from wagate.parsing.vcards import card_of

Part = dict[str, Any]


def told_of(kind: str, part: object) -> RawContent:
    """The words and details of a message of one of `READERS`' types; ``part`` is what stands under its type."""
    read = READERS.get(kind)
    return RawContent(type=kind) if read is None else read(part)


def _location(part: object) -> RawContent:
    place = mapping(part)
    known: Part = {name: at for name in ("latitude", "longitude") if (at := degrees(place.get(name))) is not None}
    known |= {name: text for name in ("name", "address", "url") if (text := first_text(place, name))}
    return RawContent(type="location", details={"location": known})


def _contacts(part: object) -> RawContent:
    """Cards in Meta's form, or vCards."""
    given = part if isinstance(part, list) else mapping(part).get("contacts", [part])
    cards = [_card(each) for each in given] if isinstance(given, list) else []
    vcards = [text for each in given if (text := _vcard(each))] if isinstance(given, list) else []
    return RawContent(type="contacts", details=kept(contacts=[card for card in cards if card], vcards=vcards))


def _vcard(given: object) -> str:
    return given if isinstance(given, str) else first_text(mapping(given), "vcard")


def _card(given: object) -> Part:
    vcard = _vcard(given)
    return card_of(vcard) if vcard else mapping(given)


def _poll(part: object) -> RawContent:
    poll = mapping(part)
    return poll_content(first_text(poll, "name", "question", "title"), _names(poll.get("options")))


def _names(given: object) -> list[str]:
    """Of options: texts, or objects with a name."""
    listed = given if isinstance(given, list) else []
    names = [each if isinstance(each, str) else first_text(mapping(each), "name", "title") for each in listed]
    return [name for name in names if name]


def _vote(part: object) -> RawContent:
    vote = mapping(part)
    chosen = _names(vote.get("selectedOptions", vote.get("options", vote.get("selected"))))
    about = identifier(vote.get("poll_id") or vote.get("poll") or vote.get("message_id"))
    return RawContent(type="poll_vote", text=", ".join(chosen), details={"vote": {"selected": chosen, "poll": about}})


def _event(part: object) -> RawContent:
    event = mapping(part)
    return event_content(
        first_text(event, "name", "title"),
        about=first_text(event, "description"),
        start=moment(event.get("start", event.get("startTime"))),
        end=moment(event.get("end", event.get("endTime"))),
        place=mapping(event.get("location")),
        link=first_text(event, "join_link", "joinLink"),
        canceled=event.get("canceled") is True,
    )


def _product(part: object) -> RawContent:
    product = mapping(part)
    return product_content(
        identifier(product.get("id") or product.get("productId")),
        first_text(product, "title", "name"),
        about=first_text(product, "description"),
        amount=identifier(product.get("price")) or str(product.get("price") or ""),
        currency=first_text(product, "currency"),
        retailer_id=first_text(product, "product_retailer_id", "retailerId"),
        url=first_text(product, "url"),
        body=first_text(product, "body", "text"),
    )


def _order(part: object) -> RawContent:
    order = mapping(part)
    items = [mapping(each) for each in order["product_items"]] if isinstance(order.get("product_items"), list) else []
    told = order_content(
        identifier(order.get("id")),
        title=first_text(order, "title"),
        note=first_text(order, "text", "message"),
        count=whole(order.get("item_count")),
        total=identifier(order.get("total")),
        currency=first_text(order, "currency"),
        items=items,
    )
    return RawContent(type="order", text=told.text, details={"order": shortened(order)})


def _interactive(part: object) -> RawContent:
    """A choice or a form's answer: in Meta's form, or with what was chosen at the top."""
    given = mapping(part)
    kind = first_text(given, "type")
    reply = mapping(given.get(kind)) or given
    if kind == "nfm_reply":
        shown = first_text(reply, "body")
        return form_content(first_text(reply, "name"), reply.get("response_json") or reply.get("response"), shown=shown)
    title = first_text(reply, "title", "text", "body")
    about = first_text(reply, "description")
    chosen = identifier(reply.get("id") or reply.get("payload"))
    told = reply_content(kind or "button_reply", reply_id=chosen, title=title, about=about)
    return replace(told, details={"interactive": shortened(reply) | told.details["interactive"]})


def _invite(part: object) -> RawContent:
    invite = mapping(part)
    return invite_content(
        first_text(invite, "chat", "group", "groupJid"),
        first_text(invite, "name", "groupName"),
        code=first_text(invite, "code", "inviteCode"),
        note=first_text(invite, "text", "caption"),
        expires=moment(invite.get("expires")),
    )


READERS: Mapping[str, Callable[[object], RawContent]] = {
    "location": _location,
    "contacts": _contacts,
    "poll": _poll,
    "poll_vote": _vote,
    "event": _event,
    "product": _product,
    "order": _order,
    "interactive": _interactive,
    "button": _interactive,
    "invite": _invite,
}
