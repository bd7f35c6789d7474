"""Sending: what WhatsApp's answer, or its silence, means for a message."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, Final

import structlog
import trio
from msgspec.structs import replace

from wagate.clock import Clock
from wagate.errors import NotSentError, SendRefusedError, StorageError
from wagate.hooks import MEDIA_TYPES, Edit, Outgoing, Profile, ProviderAccount, SendLimits, Sent, Signal
from wagate.parsing.chats import GROUP, USER, chat_key
from wagate.parsing.fields import first_text
from wagate_whatsapp.compose import UPLOADED_AS, composed, edition, mentions_all, revocation
from wagate_whatsapp.ids import Key, jid_of, key_of
from wagate_whatsapp.number import Number, settings_of
from wagate_whatsapp.parse import parse
from wagate_whatsapp.process import Json
from wagate_whatsapp.reach import BACK_SOON, Reach, preparing, sending
from wagate_whatsapp.voice import drawn

LIMITS: Final = SendLimits(
    per_second=1.0, burst=10, chat_per_second=1.0, chat_burst=5, new_chats_per_hour=6.0, new_chats_burst=5
)
"""As fast as a busy person: WhatsApp bans numbers that are faster, and above all those that write to strangers."""
MOST_AN_HOUR: Final = 1_000_000.0
LARGEST: Final = 100 * 1024 * 1024
"""Bytes of a file: what can be uploaded in the minute that a send has."""
CONFIRMED: Final = 50.0
"""Seconds for WhatsApp to confirm a message; fewer when what came before has taken most of the core's minute."""
UPLOADED: Final = 48.0
"""Seconds for an upload, the reading before it included: it ends before nobody waits for it any more."""
MARGIN: Final = 4.0
"""Seconds that it ends sooner when less is left, for its answer to be in time."""
UPLOADS: Final = 4
"""Files at once."""
PER_CHARACTER: Final = 0.02
LONGEST_TYPING: Final = 4.0
KNOWN: Final = 50_000
"""People whose being on WhatsApp is remembered."""

log = structlog.get_logger("wagate.plugins.whatsapp")


class Sender:
    """`send`, `signal`, `revoke`, `edit` and `profile` of the provider."""

    def __init__(self, reach: Reach, clock: Clock) -> None:
        self._reach = reach
        self._clock = clock
        self._uploads = trio.CapacityLimiter(UPLOADS)
        self._there: dict[str, None] = {}

    async def send(self, outgoing: Outgoing) -> Sent:
        """Send one message."""
        number = self._reach.linked(outgoing.account)
        message = outgoing.message
        to = jid_of(message.chat)
        with preparing():
            body = await self._prepared(number, outgoing, to)
        sent = await self._confirmed(number, to, body)
        self._remember(message.chat)
        chat = chat_key(sent["chat"]) if message.chat.endswith("@lid") else message.chat
        own = number.us.phone if chat.endswith(f"@{GROUP}") else ""
        key = Key(chat=chat, id=first_text(sent, "id"), from_me=True, participant=own)
        return Sent(message_id=key.whole)

    async def _prepared(self, number: Number, outgoing: Outgoing, to: str) -> Json:
        """The message as WhatsApp's; all is done that comes before it."""
        message = outgoing.message
        await self._check_there(number, message.chat)
        uploaded = await self._uploaded(number, outgoing) if message.type in MEDIA_TYPES else None
        members = await self._members(number, to) if mentions_all(message) else ()
        body = composed(message, number.us, outgoing.file, uploaded, members=members)
        if message.type != "reaction":  # it has none at WhatsApp's own clients either
            body |= {"messageContextInfo": {"messageSecret": number.references.secret(outgoing.id)}}
        if message.type == "text" and not to.endswith("@broadcast") and settings_of(outgoing.account).typing:
            await self._type(number, to, message.text)
        return body

    async def _confirmed(self, number: Number, to: str, body: Json, **note: Json) -> Json:
        """Send it; what WhatsApp's server says of it. Its time tells how right our clock is."""
        before = self._clock.time()
        with sending(message=True):
            sent: Json = await self._reach.ask("send", number, patience=CONFIRMED, to=to, message=body, **note)
        if theirs := sent["time"]:
            number.compare(theirs, before, self._clock.time())
        return sent

    async def signal(self, signal: Signal, account: ProviderAccount) -> None:
        """Mark messages as read, show or end typing or recording."""
        number = self._reach.linked(account)
        if signal.kind != "seen":
            on, voice = signal.kind != "paused", signal.kind == "recording"
            await self._reach.told("typing", number, to=jid_of(signal.chat), on=on, voice=voice)
            return
        by_sender: dict[str, list[str]] = {}
        for key in map(key_of, signal.message_ids):
            by_sender.setdefault(key.participant or key.chat, []).append(key.id)
        for sender, ids in by_sender.items():
            await self._reach.told("read", number, chat=jid_of(signal.chat), sender=jid_of(sender), ids=ids)

    async def revoke(self, message_id: str, chat: str, account: ProviderAccount) -> None:
        """Delete a message of ours for everyone."""
        await self._change(account, chat, revocation(message_id))

    async def edit(self, edit: Edit, account: ProviderAccount) -> None:
        """Change the text of a message of ours."""
        await self._change(account, edit.chat, edition(edit, self._clock.time()))

    async def _change(self, account: ProviderAccount, chat: str, body: Json) -> None:
        """Send what changes an earlier message, and take it in: the device that sends it does not get it back."""
        number = self._reach.linked(account)
        here = {"chat": jid_of(chat), "group": chat.endswith(f"@{GROUP}"), "from_me": True, "sender": number.us.jid}
        # The engine notes it, too: should we be killed before we do, the next start takes it in. Twice is once.
        sent = await self._confirmed(number, jid_of(chat), body, note=here)
        if number.inlet is None:
            return
        line = {"event": "Message", "id": first_text(sent, "id"), "time": sent["time"] * 1000, "message": body, **here}
        try:
            await number.inlet.take(parse(line, number.us))
        except StorageError as error:  # it was sent all the same
            log.warning("change not taken in", account_id=number.id, reason=str(error))

    async def profile(self, chat: str, account: ProviderAccount) -> Profile:
        """Name and picture, as far as they can be seen."""
        found = await self._reach.told("profile", self._reach.linked(account), chat=jid_of(chat))
        return Profile(name=first_text(found, "name"), picture=first_text(found, "picture"))

    async def _check_there(self, number: Number, chat: str) -> None:
        """Before the first message to a person: a number that is not on WhatsApp costs reputation."""
        if not chat.endswith(f"@{USER}") or chat in self._there:
            return
        jid = await self._reach.told("exists", number, phone=chat.partition("@")[0])
        if not jid:
            raise SendRefusedError("this number is not on WhatsApp", code="NOT_ON_WHATSAPP")
        self._remember(chat)

    def _remember(self, chat: str) -> None:
        self._there.pop(chat, None)
        self._there[chat] = None
        if len(self._there) > KNOWN:
            del self._there[next(iter(self._there))]

    async def _type(self, number: Number, to: str, text: str) -> None:
        """Show typing as long as it takes to write the text, a few seconds at most. That it fails is no matter."""
        try:
            await self._reach.told("presence", number, on=True)
            await self._reach.told("typing", number, to=to, on=True)
        except NotSentError:
            return
        await self._clock.sleep(min(len(text) * PER_CHARACTER, LONGEST_TYPING))

    async def _members(self, number: Number, group: str) -> list[str]:
        """JIDs of everybody in a group."""
        found = await self._reach.told("group", number, chat=group)
        return [each for each in found["members"] if isinstance(each, str)]

    async def _uploaded(self, number: Number, outgoing: Outgoing) -> dict[str, Any]:
        file = outgoing.file
        if file is None or file.path is None:
            raise SendRefusedError("the file is missing: it could not be fetched")
        try:
            size = file.path.stat().st_size
        except FileNotFoundError as error:
            raise SendRefusedError("the file is missing: it was deleted") from error
        if size > LARGEST:
            raise SendRefusedError(f"the file has {size} bytes, and this engine sends at most {LARGEST}")
        kind = UPLOADED_AS.get(outgoing.message.type, outgoing.message.type)
        async with self._uploads:
            seconds = min(UPLOADED, trio.current_effective_deadline() - trio.current_time() - MARGIN)
            if seconds <= 0:
                raise NotSentError("no time is left for the upload", after=BACK_SOON, slow="account")
            found: dict[str, Any] = await self._reach.told(
                "upload", number, path=_absolute(file.path), kind=kind, seconds=seconds
            )
        if outgoing.message.type == "voice":
            seconds, bars = await trio.to_thread.run_sync(drawn, file.path)
            found |= {"seconds": seconds, "waveform": base64.b64encode(bars).decode()} if seconds else {}
        return found


def limits_of(account: ProviderAccount) -> SendLimits:
    """How fast this number may send."""
    rate = settings_of(account).new_chats
    per_hour = min(rate.count / rate.seconds * 3600, MOST_AN_HOUR)
    return replace(LIMITS, new_chats_per_hour=per_hour)


def _absolute(path: Path) -> str:
    """As another process sees it."""
    return str(path.absolute())
