"""What an engine's raw data says about a message, in one form for all engines; and its words, for people.

Keys of ``details`` are those of Meta's API, where it has the thing: so one reader shows every provider's.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from wagate.errors import BadRequestError
from wagate.parsing.fields import first_text, instant, mapping, shortened, whole
from wagate.parsing.jsonbody import read_json

NONE = "—"
"""Stands for an answer that was left empty."""
_NOT_ANSWERS = frozenset({"flow_token", "flowToken"})
_DEEPEST = 6


class RawContent(msgspec.Struct, frozen=True, kw_only=True):
    """One message."""

    type: str
    """Our word; '' when the raw data names none."""
    text: str = ""
    """Its words: the text, the caption, a poll with its options, what was chosen …"""
    details: dict[str, Any] = {}
    """For `NewEvent.extra`: ``poll``, ``calendar_event``, ``product``, ``order``, ``interactive``, ``template``,
    ``invite``, ``referral``, ``forwarded``, ``view_once``."""
    part: dict[str, Any] = {}
    """The object that describes its file, with keys in small letters."""
    notice: str = ""
    """The engine's word for what is no message (``album``, ``call_log``); '' for messages."""


NOTHING = RawContent(type="")


def loose(value: object) -> dict[str, Any]:
    """An object with keys in small letters: Go writes ``selectedRowID`` and ``PTT``, JavaScript ``selectedRowId``."""
    return {key.lower(): item for key, item in mapping(value).items()}


def objects(value: object) -> list[dict[str, Any]]:
    """The objects of a list, with keys in small letters; [] when it is none."""
    return [loose(item) for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def lines(*texts: str) -> str:
    """Those that say something, one below the other."""
    return "\n".join(text for text in texts if text)


def listed(names: Iterable[str]) -> str:
    """One line for each."""
    return "\n".join(f"- {name}" for name in names if name)


def kept(**values: object) -> dict[str, Any]:
    """What is there, with files in base64 left out."""
    return {name: shortened(value) for name, value in values.items() if value not in ("", None, [], {}, False)}


def number(value: object) -> int | None:
    """A whole number, also in Baileys' form for 64 bits: ``{low, high}``."""
    if isinstance(value, dict):
        low, high = whole(value.get("low")), whole(value.get("high"))
        return None if low is None or high is None else (high << 32) + (low & 0xFFFFFFFF)
    return whole(value)


def price(thousandths: object) -> str:
    """``129900`` thousandths → ``129.90``; '' for none."""
    amount = number(thousandths)
    return "" if amount is None else f"{Decimal(amount) / 1000:.2f}"


def moment(value: object) -> str:
    """A time as ISO 8601 in UTC, '' for none."""
    found = instant(number(value) if isinstance(value, dict) else value)
    return found.isoformat().replace("+00:00", "Z") if found else ""


def poll_content(name: str, options: list[str], selectable: int | None = None) -> RawContent:
    """A poll with its options."""
    poll = kept(name=name, options=[{"name": option} for option in options], selectable=selectable)
    return RawContent(type="poll", text=lines(name, listed(options)), details={"poll": poll})


def event_content(
    name: str, *, about: str = "", start: str = "", end: str = "", place: dict[str, Any], link: str, canceled: bool
) -> RawContent:
    """An appointment."""
    when = f"{start} – {end}" if start and end else start
    where = ", ".join(text for text in (first_text(place, "name"), first_text(place, "address")) if text)
    event = kept(name=name, description=about, start=start, end=end, location=place, join_link=link, canceled=canceled)
    return RawContent(type="event", text=lines(name, when, where, about, link), details={"calendar_event": event})


def product_content(
    product_id: str, title: str, *, about: str, amount: str, currency: str, retailer_id: str, url: str, body: str
) -> RawContent:
    """An article of a catalog."""
    product = kept(
        id=product_id,
        title=title,
        description=about,
        price=amount,
        currency=currency,
        product_retailer_id=retailer_id,
        url=url,
        body=body,
    )
    text = lines(title, about, f"{amount} {currency}".strip() if amount else "", url, body)
    return RawContent(type="product", text=text, details={"product": product})


def order_content(
    order_id: str, *, title: str, note: str, count: int | None, total: str, currency: str, items: list[dict[str, Any]]
) -> RawContent:
    """An order; ``items`` as in Meta's ``product_items`` (engines seldom have them)."""
    order = kept(
        id=order_id, title=title, text=note, item_count=count, total=total, currency=currency, product_items=items
    )
    bought = bought_lines(items)
    if not bought and count and not title:
        bought = [f"{count} {'item' if count == 1 else 'items'}"]
    sum_of = f"{total} {currency}".strip() if total else ""
    counted = f"{count} × {title}" if count and title and not items else title
    return RawContent(type="order", text=lines(counted, *bought, sum_of, note), details={"order": order})


def bought_lines(items: list[dict[str, Any]]) -> list[str]:
    """A line for each article; one whose name and number are not given still counts."""
    return [
        f"{whole(item.get('quantity')) or 1} × {first_text(item, 'name', 'product_retailer_id') or 'an item'}"
        for item in items
    ]


def payment_content(amount: str, currency: str, *, note: str) -> RawContent:
    """Money that is sent or asked for, and what was written with it."""
    amount = f"{amount} {currency}".strip() if amount else ""
    return RawContent(type="payment", text=lines(amount, note), details={"payment": kept(amount=amount, text=note)})


def reply_content(kind: str, *, reply_id: str = "", title: str, about: str = "") -> RawContent:
    """A tap on a button or a row: ``button_reply``, ``list_reply``."""
    chosen = {"type": kind} | kept(id=reply_id, title=title, description=about)
    return RawContent(type="interactive", text=title or reply_id, details={"interactive": chosen})


def form_content(name: str, response: object, *, shown: str = "") -> RawContent:
    """The answer of a flow, or of another native form; ``shown`` is what WhatsApp shows of it."""
    answers = _read(response)
    found = {"type": "nfm_reply"} | kept(name=name, body=shown, response=answers)
    return RawContent(type="interactive", text=answers_text(answers) or shown, details={"interactive": found})


def menu_content(kind: str, *, header: str, body: str, footer: str, choices: list[dict[str, Any]]) -> RawContent:
    """A message with buttons or rows; ``choices`` are ``{id, title, description, url, phone}``."""
    menu = {"type": kind} | kept(header=header, body=body, footer=footer, buttons=choices)
    return RawContent(type="interactive", text=_menu_text(header, body, footer, choices), details={"interactive": menu})


def template_content(
    template_id: str, *, header: str, body: str, footer: str, choices: list[dict[str, Any]]
) -> RawContent:
    """A template of a business."""
    template = kept(id=template_id, header=header, body=body, footer=footer, buttons=choices)
    return RawContent(type="template", text=_menu_text(header, body, footer, choices), details={"template": template})


def invite_content(chat: str, name: str, *, code: str, note: str, expires: str) -> RawContent:
    """Into a group or a channel."""
    link = f"https://chat.whatsapp.com/{code}" if code else ""
    invite = kept(chat=chat, name=name, code=code, text=note, expires=expires, link=link)
    return RawContent(type="invite", text=lines(name, note, link), details={"invite": invite})


def answers_text(answers: object) -> str:
    """What was filled in, in full, a line for each field: lists in one line, objects as ``address.city: …``."""
    found = mapping(answers)
    return "\n".join(
        line for name, value in found.items() if name not in _NOT_ANSWERS for line in _answer(str(name), value, 0)
    )


def read_answers(response: object) -> Any:
    """A form's answers: JSON in a text, or the object itself; the text as it is when it is no JSON."""
    return _read(response)


def _read(response: object) -> Any:
    if not isinstance(response, str) or not response:
        return response or {}
    try:
        return read_json(response.encode())
    except BadRequestError:
        return response


def _answer(name: str, value: object, depth: int) -> list[str]:
    if isinstance(value, dict) and value and depth < _DEEPEST:
        return [line for key, item in value.items() for line in _answer(f"{name}.{key}", item, depth + 1)]
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value) and depth < _DEEPEST:
        return [line for at, item in enumerate(value, 1) for line in _answer(f"{name}.{at}", item, depth + 1)]
    if isinstance(value, list) and value:
        return [f"{name}: {', '.join(map(_word, value))}"]
    return [f"{name}: {_word(value)}"]


def _word(value: object) -> str:
    if value in ("", None, [], {}):
        return NONE
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return str(shortened(text))


def _menu_text(header: str, body: str, footer: str, choices: list[dict[str, Any]]) -> str:
    shown = []
    for choice in choices:
        more = first_text(choice, "description", "url", "phone")
        shown.append(f"{first_text(choice, 'title', 'id')}" + (f": {more}" if more else ""))
    return lines(header, body, listed(shown), footer)
