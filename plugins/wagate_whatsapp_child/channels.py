"""What the gateway may ask about channels, which whatsmeow calls newsletters (``newsletter.go``)."""

from __future__ import annotations

from typing import Any

from wagate_whatsapp_child.flat import Json, jid
from wagate_whatsapp_child.library import Library
from wagate_whatsapp_child.session import Act, Session, as_jid


def followed(library: Library, session: Session, _line: Json) -> list[Json]:
    """The channels that the number follows."""
    raw = library.go.GetSubscribedNewsletters(session.key)
    found = library.answer("GetSubscribedNewslettersReturnFunction", raw)
    return [_channel(library, each) for each in found.Newsletter]


def read(library: Library, session: Session, line: Json) -> Json | None:
    """One channel, by its JID (``chat``) or the ``code`` of its link; None when there is none."""
    if line.get("code"):
        raw = library.go.GetNewsletterInfoWithInvite(session.key, line["code"].encode())
    else:
        raw = library.go.GetNewsletterInfo(*session.of(as_jid(library, line["chat"])))
    found = library.answer("CreateNewsLetterReturnFunction", raw)
    return _channel(library, found.NewsletterMetadata) if found.HasField("NewsletterMetadata") else None


def mark(library: Library, session: Session, line: Json) -> None:
    """``follow``, ``unfollow``, ``mute`` or ``unmute`` a channel."""
    chat, word = session.of(as_jid(library, line["chat"])), line["mark"]
    if word == "follow":
        library.done(library.go.FollowNewsletter(*chat))
    elif word == "unfollow":
        library.done(library.go.UnfollowNewsletter(*chat))
    else:
        library.done(library.go.NewsletterToggleMute(*chat, word == "mute"))


def create(library: Library, session: Session, line: Json) -> Json:
    """A new channel with a ``name`` and a ``description``."""
    wanted = library.types.CreateNewsletterParams(
        Name=line["name"], Description=line["description"], Picture=b""
    ).SerializeToString()
    raw = library.go.CreateNewsletter(*session.of(wanted))
    return _channel(library, library.answer("CreateNewsLetterReturnFunction", raw).NewsletterMetadata)


def _channel(library: Library, found: Any) -> Json:
    about, viewer = found.ThreadMeta, found.ViewerMeta
    role = library.types.NewsletterRole.Name(viewer.Role).lower() if found.HasField("ViewerMeta") else "guest"
    return {
        "jid": jid(found.ID),
        "name": about.Name.Text,
        "description": about.Description.Text,
        "invite": about.InviteCode,
        "picture": about.Picture.URL or about.Preview.URL,
        "subscribers": about.SubscriberCount,
        "role": role,
        "verified": about.VerificationState == library.types.NewsletterThreadMetadata.VERIFIED,
    }


CHANNELS: dict[str, Act] = {
    "channels": followed,
    "channel_read": read,
    "channel_mark": mark,
    "channel_create": create,
}
"""By the name that the gateway asks with."""
