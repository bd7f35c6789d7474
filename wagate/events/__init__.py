"""Events: what happened on WhatsApp, in the same words for every provider. The names are WAHA's."""

from wagate.events.event import SUBMITTED, Event, Media, NewEvent, Raw, shown_media
from wagate.events.kinds import EVENT_KINDS, matches
from wagate.events.sessions import SESSION_STATES, SessionChange, SessionGroup, SessionStatus

__all__ = [
    "EVENT_KINDS",
    "SESSION_STATES",
    "SUBMITTED",
    "Event",
    "Media",
    "NewEvent",
    "Raw",
    "SessionChange",
    "SessionGroup",
    "SessionStatus",
    "matches",
    "shown_media",
]
