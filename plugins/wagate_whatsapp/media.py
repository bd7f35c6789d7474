"""Files that came: fetched from WhatsApp's shelf by us, checked and opened as they come, never whole in memory.

Source: whatsmeow, download.go (keys by HKDF from the message's key, AES-256-CBC, ten bytes of an HMAC at the end).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Any, Final
from urllib.parse import quote

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.padding import PKCS7

from wagate.errors import NotSentError, SendRefusedError
from wagate.events import Media
from wagate.hooks import ProviderAccount, Sink
from wagate.http import HttpClient
from wagate_whatsapp.content import Ticket
from wagate_whatsapp.number import settings_of
from wagate_whatsapp.reasons import NO_PROXY

SHELF: Final = "https://mmg.whatsapp.net"
NOWHERE: Final = "https://web.whatsapp.net"
"""How URLs begin that some clients write, and where no file is (whatsmeow, download.go, until June 2026)."""
LARGEST: Final = 2 * 1024 * 1024 * 1024
INFO: Final = {
    "image": b"WhatsApp Image Keys",
    "video": b"WhatsApp Video Keys",
    "audio": b"WhatsApp Audio Keys",
    "document": b"WhatsApp Document Keys",
}
MMS: Final = {"image": "image", "video": "video", "audio": "audio", "document": "document"}
MAC: Final = 10
"""Bytes at the end."""


class Opener:
    """Takes the encrypted bytes as they come, gives the plain ones on; `finish` says whether all was right.

    The last block is given on only when everything was checked; what came before it is the receiver's to throw away.
    """

    def __init__(self, ticket: Ticket, sink: Sink) -> None:
        wide = HKDF(hashes.SHA256(), 112, None, INFO[ticket.kind]).derive(_bytes(ticket.key))
        start = wide[:16]
        self._ticket = ticket
        self._sink = sink
        self._cipher: Any = Cipher(algorithms.AES(wide[16:48]), modes.CBC(start)).decryptor()
        self._padding: Any = PKCS7(128).unpadder()
        self._mac = hmac.new(wide[48:80], start, hashlib.sha256)
        self._encrypted, self._plain = hashlib.sha256(), hashlib.sha256()
        self._tail = b""

    async def write(self, part: bytes) -> None:
        """The next bytes."""
        self._encrypted.update(part)
        content = self._tail + part
        body, self._tail = content[:-MAC], content[-MAC:]
        self._mac.update(body)
        await self._give(self._padding.update(self._cipher.update(body)))

    async def finish(self) -> None:
        """The end. NotSentError: it was cut off or changed on the way."""
        right = hmac.compare_digest(self._mac.digest()[:MAC], self._tail)
        if self._ticket.encrypted:
            right = right and hmac.compare_digest(self._encrypted.digest(), _bytes(self._ticket.encrypted))
        if not right:
            raise NotSentError("the file arrived damaged")
        try:
            await self._give(self._padding.update(self._cipher.finalize()) + self._padding.finalize())
        except ValueError as error:
            raise NotSentError("the file arrived damaged") from error
        if self._ticket.plain and not hmac.compare_digest(self._plain.digest(), _bytes(self._ticket.plain)):
            raise NotSentError("the file is not the one that was sent")

    async def _give(self, plain: bytes) -> None:
        if plain:
            self._plain.update(plain)
            await self._sink(plain)


class Shelf:
    """`fetch_media` of the provider."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def __call__(self, media: Media, account: ProviderAccount, sink: Sink) -> None:
        """Bring the file of an event, by the account's proxy if it has one. Raises as ``send``."""
        ticket = ticket_of(media)
        opener = Opener(ticket, sink)
        proxy = settings_of(account).proxy
        if proxy and account.trust != "operator":
            raise NotSentError(NO_PROXY.message)
        http = self._http.through(proxy, field=f"accounts.{account.name}.proxy")
        got = await http.download(url_of(ticket), opener.write, headers={}, limit=LARGEST, trust="public")
        if got.status in {404, 410}:
            raise SendRefusedError("WhatsApp no longer has the file, but the phone does")
        if got.status != 200:
            raise NotSentError(f"WhatsApp's file server answered {got.status}", http_status=got.status)
        await opener.finish()


def ticket_of(media: Media) -> Ticket:
    """Where it is and what opens it. SendRefusedError: nobody says."""
    try:
        return msgspec.json.decode(media.provider_id or "", type=Ticket)
    except msgspec.DecodeError as error:
        raise SendRefusedError("the message arrived without the file's key") from error


def url_of(ticket: Ticket) -> str:
    """Where it is fetched: the sender's URL, else its path on WhatsApp's shelf.

    The sender could write any URL: it is fetched like everybody's, never from inside.
    """
    if (ticket.url.startswith("https://") and not ticket.url.startswith(NOWHERE)) or not ticket.path:
        return ticket.url
    mark = "&" if "?" in ticket.path else "?"
    digest = quote(base64.urlsafe_b64encode(_bytes(ticket.encrypted)).decode())
    return f"{SHELF}{ticket.path}{mark}hash={digest}&mms-type={MMS[ticket.kind]}&__wa-mms="


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise SendRefusedError("the message arrived with an invalid key for its file") from error
