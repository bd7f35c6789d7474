"""What each type of message says in Chatwoot. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from wagate.events import Event, kinds
from wagate.parsing.fields import first_text, identifier, mapping
from wagate.parsing.vcards import card_of
from wagate_chatwoot.to_chatwoot.markdown import escaped, to_markdown

Say = Callable[..., str]

_MAPS: Final = "https://www.google.com/maps/search/?api=1&query="
_MOST_CARDS: Final = 20


def body_of(event: Event, say: Say) -> str:
    """A message's text as Markdown; '' when its file says it all."""
    text = _OF.get(event.type, _text)(event, say)
    product = mapping(event.extra.get("referredProduct"))
    if article := identifier(product.get("product_retailer_id")) or identifier(product.get("catalog_id")):
        text = say("message.about_product", product=escaped(article), text=text)
    if event.extra.get("view_once") is True:
        text = say("message.view_once", text=text)
    if event.extra.get("forwarded") is True:
        text = say("message.forwarded", text=text)
    return "\n\n".join(part for part in (_ad(event, say), text) if part)


def say_reaction(event: Event, say: Say) -> str:
    """Put or taken back."""
    emoji = first_text(mapping(event.extra.get("reaction")), "text") or event.content
    return say("message.reaction", emoji=to_markdown(emoji)) if emoji else say("message.reaction_removed")


def say_call(event: Event, say: Say) -> str:
    """Rings, was answered, was not."""
    if event.kind == kinds.CALL_ACCEPTED:
        return say("call.accepted")
    if event.kind == kinds.CALL_REJECTED:
        return say("call.rejected")
    call = mapping(event.extra.get("call"))
    return say("call.video" if call.get("isVideo") is True else "call.voice")


def _text(event: Event, _say: Say) -> str:
    return to_markdown(event.content)


def _location(event: Event, say: Say) -> str:
    place = mapping(event.extra.get("location"))
    at = [place.get("latitude"), place.get("longitude")]
    link = f"{_MAPS}{at[0]},{at[1]}" if all(isinstance(each, int | float) for each in at) else ""
    link = link or to_markdown(first_text(place, "url"))
    name, written = to_markdown(first_text(place, "name")), to_markdown(event.content)
    if place.get("live") is True:
        shown = say("message.live_location", link=link)
    else:
        address = to_markdown(first_text(place, "address"))
        shown = say("message.location", name=name or written, address=address, link=link)
        written = written if name and name != written else ""
    return "\n".join(part for part in (shown, written) if part)


def _contacts(event: Event, say: Say) -> str:
    cards = _list(event.extra.get("contacts"))
    if not cards:
        cards = [card_of(each) for each in _list(event.extra.get("vcards")) if isinstance(each, str)]
    shown = [_card(card, say) for card in cards[:_MOST_CARDS] if isinstance(card, dict)]
    return "\n\n".join(shown) or to_markdown(event.content)


def _card(card: dict[str, Any], say: Say) -> str:
    org = mapping(card.get("org"))
    lines = [", ".join(part for name in ("title", "department", "company") if (part := first_text(org, name)))]
    for kind, field in (("phones", "phone"), ("emails", "email"), ("urls", "url")):
        lines += [first_text(mapping(each), field, "wa_id") for each in _list(card.get(kind))]
    return say(
        "message.contact",
        name=escaped(first_text(mapping(card.get("name")), "formatted_name", "first_name")),
        phones="\n".join(to_markdown(line) for line in lines if line),
    )


def _poll(event: Event, say: Say) -> str:
    poll = mapping(event.extra.get("poll"))
    names = [
        each if isinstance(each, str) else first_text(mapping(each), "name") for each in _list(poll.get("options"))
    ]
    options = [say("message.poll_option", option=to_markdown(name)) for name in names if name]
    question = to_markdown(first_text(poll, "name", "question") or event.content)
    return say("message.poll", question=question, options="\n".join(options)) if question or options else ""


def _interactive(event: Event, _say: Say) -> str:
    """What was chosen; of a row its description, too."""
    chosen = mapping(event.extra.get("interactive"))
    about = first_text(chosen, "description") if chosen.get("type") == "list_reply" else ""
    return "\n".join(part for part in (to_markdown(event.content), to_markdown(about)) if part)


def _vote(event: Event, say: Say) -> str:
    if mapping(event.extra.get("vote")).get("failed") is True:
        return say("message.poll_vote_hidden")
    return (
        say("message.poll_vote", options=to_markdown(event.content)) if event.content else say("message.poll_vote_back")
    )


def _event(event: Event, say: Say) -> str:
    canceled = mapping(event.extra.get("calendar_event")).get("canceled") is True
    key = "message.event_canceled" if canceled else "message.event"
    return say(key, text=to_markdown(event.content)) if event.content else ""


def _product(event: Event, say: Say) -> str:
    return say("message.product", text=to_markdown(event.content)) if event.content else ""


def _invite(event: Event, say: Say) -> str:
    return say("message.invite", text=to_markdown(event.content)) if event.content else ""


def _payment(event: Event, say: Say) -> str:
    return say("message.payment", text=to_markdown(event.content)) if event.content else ""


def _order(event: Event, say: Say) -> str:
    order = mapping(event.extra.get("order"))
    items = [mapping(each) for each in _list(order.get("product_items"))]
    if not items:
        return to_markdown(event.content or first_text(order, "text"))
    note = to_markdown(first_text(order, "text"))
    lines = [
        say(
            "message.order_item",
            count=_count(item),
            name=escaped(first_text(item, "name") or identifier(item.get("product_retailer_id"))),
            price=_price(_number(item.get("item_price")), item),
        )
        for item in items
    ]
    count = sum(_count(item) for item in items)
    total = sum((_number(item.get("item_price")) * int(_count(item)) for item in items), Decimal())
    text = say("message.order", count=count, total=_price(total, items[0]), items="\n".join(lines))
    return f"{text}\n\n{note}" if note else text


def _ad(event: Event, say: Say) -> str:
    """What somebody saw before they wrote."""
    ad = mapping(event.extra.get("referral"))
    if not ad:
        return ""
    return say(
        "message.ad",
        title=to_markdown(first_text(ad, "headline", "title") or identifier(ad.get("source_id"))),
        text=to_markdown(first_text(ad, "body")),
        link=to_markdown(first_text(ad, "source_url")),
    )


def _count(item: dict[str, Any]) -> int:
    number = _number(item.get("quantity"))
    return max(1, int(number))


def _number(value: object) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return Decimal()
    return number if number.is_finite() and abs(number) < Decimal(10) ** 12 else Decimal()


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _price(amount: Decimal, item: dict[str, Any]) -> str:
    return f"{amount:.2f} {escaped(first_text(item, 'currency'))}".strip()


_OF: Final[Mapping[str, Callable[[Event, Say], str]]] = {
    "location": _location,
    "contacts": _contacts,
    "poll": _poll,
    "order": _order,
    "interactive": _interactive,
    "poll_vote": _vote,
    "event": _event,
    "event_response": _event,
    "product": _product,
    "invite": _invite,
    "payment": _payment,
}
