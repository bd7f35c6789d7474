"""Words that several pages share: states, times and counts in plain English."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from wagate.events import SessionGroup
from wagate.rules.targets import Standing
from wagate.storage.passes import Link

TARGETS = {
    Standing.UP: ("ok", "Up"),
    Standing.FAILING: ("wait", "Failing"),
    Standing.DOWN: ("bad", "Down"),
    Standing.PAUSED: ("off", "Paused"),
    Standing.DISABLED: ("off", "Disabled"),
}
"""A receiver's state → the mark's kind, and the word."""

NUMBERS = {
    SessionGroup.CONNECTED: ("ok", "Connected"),
    SessionGroup.LOADING: ("info", "Starting"),
    SessionGroup.NEEDS_QR: ("wait", "Waits for a scan"),
    SessionGroup.DISCONNECTED: ("bad", "Not connected"),
    SessionGroup.ERROR: ("bad", "Error"),
}
"""A number's state → the mark's kind, and the word."""

DELIVERIES = {
    "pending": ("wait", "Waiting"),
    "delivering": ("info", "On its way"),
    "delivered": ("ok", "Delivered"),
    "failed": ("bad", "Failed"),
    "cancelled": ("off", "Cancelled"),
    "expired": ("off", "Expired"),
    "waiting": ("wait", "Waiting"),
    "leaving": ("wait", "Outgoing"),
    "lost": ("bad", "Permanently failed"),
    "handed": ("ok", "Accepted"),
}
"""A delivery's status → the mark's kind, and the word; and those of `wagate.rules.filters`, for sentences."""

KEYS = (
    ("?", "Show these keys"),
    ("/", "Search"),
    ("g o", "Overview"),
    ("g n", "Numbers"),
    ("g d", "Deliveries"),
    ("g c", "Conversations"),
    ("g w", "Webhooks"),
    ("j", "Next row"),
    ("k", "Row before"),
    ("x", "Pick the row"),
    ("Enter", "Open the row"),
    ("r", "Retry what is picked, or the row; try a receiver now"),
    ("p", "Pause live figures, or go on"),
    ("t", "Light or dark"),
    ("Esc", "Close"),
)
"""What is pressed, one after another → what it does; static/wagate.js does it."""
KEYS_TO_ACT = frozenset({"Pick the row", KEYS[11][1]})
"""Of these, what nobody needs who only looks."""

PARTS = {"healthy": ("ok", "Works"), "degraded": ("wait", "Impaired"), "unhealthy": ("bad", "Broken")}
"""How a part of the gateway is → the mark's kind, and the word."""

TICKS = {
    "queued": ("", "wait", "waiting"),
    "sending": ("", "info", "on its way"),
    "sent": ("tick", "ok", "sent"),
    "delivered": ("ticks", "ok", "delivered"),
    "read": ("ticks", "ok", "read"),
    "failed": ("", "bad", "not sent"),
    "unknown": ("", "bad", "perhaps sent"),
}
"""An outgoing message's status → the tick's icon, the mark's kind, and the word."""

EVENTS = {
    "message": "Messages",
    "message.any": "Our own messages as well",
    "message.ack": "Delivered and read",
    "message.reaction": "Reactions",
    "message.edited": "Edited",
    "message.revoked": "Deleted",
    "message.failed": "Not sent",
    "session.status": "State of the number",
    "call.received": "Calls",
    "group.*": "Groups",
    "webhook.failing": "A receiver fails",
    "*": "Everything but our own messages",
}
"""An event's name → what people call it; others go by their names."""

REFUSED = {
    "signature": "Missing or wrong signature",
    "challenge": "Wrong verify token",
    "body": "Can't be read",
}
"""Why a webhook was refused → what people call it."""

CONNECTORS = {"webhook": "webhook", "chatwoot": "Chatwoot", "n8n": "n8n", "outbound": "sending"}
"""A connector's name → what people call it."""

PROBLEMS = {
    403: "Not allowed",
    404: "Not here",
    409: "Not possible now",
    413: "Too large",
    429: "Too many requests",
    500: "Something went wrong",
    503: "Not available now",
}
"""A refused page's status → its title; of all others it is that it didn't work."""

SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


TOO_SLOW: Final = "That took too long. Add a receiver or a time."
"""Of a list of deliveries, or what is asked of all of them."""


def unwritable(reason: str) -> str:
    """That the database takes nothing: on every page, and for who signs in."""
    return f"wagate can't write right now: {reason}. Webhooks are answered 503, so senders keep them."


def link_shows(link: Link) -> str:
    """What its holder can do with a client's link, after "you can"."""
    shows = {
        "all": "see its numbers, receivers and messages",
        "deliveries": "see its numbers, receivers and deliveries without what is in them",
        "state": "see the state of its numbers and receivers",
    }[link.sees]
    acts = "and act on them" if link.sees == "all" else "and try again what failed"
    return f"{shows}, {acts if link.may_act else 'but change nothing'}"


def signed_in_by(client: str, *, sees: str, may_retry: bool) -> str:
    """On every page of who came by a link and can't do all."""
    shows = {
        "all": f"view everything of {client}",
        "deliveries": f"view the numbers, receivers and deliveries of {client}, without what is in them",
        "state": f"view the state of the numbers and receivers of {client}",
    }[sees]
    return f"You signed in with a link: you can {shows}, {'and retry' if may_retry else 'but change nothing'}."


def number(count: int) -> str:
    """In words up to ten, as headings have it."""
    return SMALL[count] if count <= 10 else f"{count:,}"


def ordinal(count: int) -> str:
    """``1st``, ``2nd``, ``13th``, ``1,001st``."""
    end = {1: "st", 2: "nd", 3: "rd"}.get(count % 10, "th") if count % 100 not in {11, 12, 13} else "th"
    return f"{count:,}{end}"


def plural(count: int, one: str, many: str = "") -> str:
    """``1 message``, ``214 messages``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def chat(key: str) -> str:
    """A chat for people: ``+12025550119`` of a phone number, else its key."""
    local, _, domain = key.partition("@")
    return f"+{local}" if domain == "c.us" and local.isdecimal() else key


def short(seconds: float) -> str:
    """With tenths below a minute: ``0.2 s``, ``8.4 s``, ``14 min``."""
    return f"{max(seconds, 0):.1f} s" if seconds < 60 else duration(seconds)


def duration(seconds: float) -> str:
    """The two largest units: ``28 s``, ``14 min``, ``2 h 41 min``, ``3 days``."""
    left = max(int(seconds), 0)
    if left < 60:
        return f"{left} s"
    if left < 3600:
        return f"{left // 60} min"
    if left < 86400:
        minutes = left % 3600 // 60
        return f"{left // 3600} h" + (f" {minutes} min" if minutes else "")
    return plural(left // 86400, "day")


def ago(moment: datetime, now: datetime) -> str:
    """``28 s ago``, ``14 min ago``, ``2 h 41 min ago``, ``yesterday 06:12``, ``20 Jan 06:12``, in UTC."""
    seconds = (now - moment).total_seconds()
    days = (now.astimezone(UTC).date() - moment.astimezone(UTC).date()).days
    if seconds < 0:
        return "in " + duration(-seconds)
    if days == 0 or seconds < 6 * 3600:
        return f"{duration(seconds)} ago"
    if days == 1:
        return f"yesterday {moment:%H:%M}"
    return f"{moment.day} {moment:%b %H:%M}" if moment.year == now.year else f"{moment.day} {moment:%b %Y}"


def at_most(seconds: float | None) -> str:
    """The upper end of what was measured: "≤ 1 s"; "–" when nothing was."""
    return "–" if seconds is None else f"≤ {seconds:g} s" if seconds < float("inf") else "over 2 min"


def sentence(text: str) -> str:
    """A finding as a sentence. What begins with a name of ours, such as ``server.public_url``, keeps its letters."""
    first = text.partition(" ")[0]
    begun = text[:1].upper() + text[1:] if first.rstrip(",:;").isalpha() else text
    return begun if begun.endswith((".", "?", "!")) or not begun else f"{begun}."


def part(name: str) -> str:
    """A part that the doctor looked at: ``account main`` is "Number main"."""
    if name.startswith("account "):
        return f"Number {name.removeprefix('account ')}"
    return {"public_url": "Public URL"}.get(name, name[:1].upper() + name[1:])


def size(count: float) -> str:
    """Bytes: "1.2 GB", "340 MB"; below that "less than 1 MB"."""
    for unit, bytes_ in (("GB", 1e9), ("MB", 1e6)):
        if count >= bytes_:
            return f"{count / bytes_:,.1f} {unit}" if count < 10 * bytes_ else f"{count / bytes_:,.0f} {unit}"
    return "less than 1 MB"
