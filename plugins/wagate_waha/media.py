"""Where the file of a message can be fetched."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from wagate.errors import AccountStoppedError, NotSentError, OutcomeUnknownError, SendRefusedError
from wagate.events import Media
from wagate.hooks import MediaRequest, ProviderAccount
from wagate.http import HttpClient
from wagate.parsing.fields import first_text, mapping
from wagate_waha.client import WahaClient, in_path
from wagate_waha.ids import read_id
from wagate_waha.settings import settings_of

FILES = "/api/files/"
_ITSELF = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104  (what WAHA calls itself)


class MediaLocator:
    """`locate_media` of the provider."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def __call__(self, media: Media, account: ProviderAccount) -> MediaRequest:
        """The file's URL as we reach it; what WAHA has not downloaded, or has deleted, it is asked for by its message.

        Raises:
            SendRefusedError: WAHA doesn't have the file.
            HttpError, SendError: WAHA did not answer.
        """
        url = media.url or await self._asked(media, account)
        return media_request(media, url, account)

    async def _asked(self, media: Media, account: ProviderAccount) -> str:
        found = read_id(media.provider_id)
        if not found.chat:
            raise SendRefusedError("WAHA gave no URL for this file, and no id to request it")
        session = in_path(settings_of(account).session)
        path = f"/api/{session}/chats/{in_path(found.chat)}/messages/{in_path(found.whole)}"
        client = WahaClient(self._http, account)
        try:
            message = await client.read(path, query={"downloadMedia": "true"})
        except OutcomeUnknownError as error:
            # Is it WAHA that is in trouble, or only this download?
            await client.read(f"/api/sessions/{session}")
            raise NotSentError(f"{error.reason}, though its session answers") from error
        except AccountStoppedError as error:
            # A session that is not there is named so; else it is this message.
            if error.http_status != 404 or "session" in (error.response or "").lower():
                raise
            raise SendRefusedError("WAHA no longer has this message", http_status=404) from error
        url = first_text(mapping(mapping(message).get("media")), "url")
        if not url:
            raise SendRefusedError("WAHA could not download this file from WhatsApp")
        return url


def media_request(media: Media, url: str, account: ProviderAccount) -> MediaRequest:
    """Fetch from the account's own WAHA with its key, from elsewhere (S3) without.

    The host in WAHA's URLs is its idea of itself, often http://localhost:3000, so the path tells: what lies below
    /api/files/ is fetched there from ``base_url``. No other path of WAHA's API gets the key.
    """
    settings, target = settings_of(account), urlsplit(url)
    begin = target.path.find(FILES)
    prefix = target.path[:begin]
    known = prefix in {"", urlsplit(settings.base_url).path.rstrip("/")} or target.hostname in _ITSELF
    if begin < 0 or not known or ".." in unquote(target.path).split("/"):
        return MediaRequest(url=url, mimetype=media.mimetype, size=media.size)
    query = f"?{target.query}" if target.query else ""
    return MediaRequest(
        url=f"{settings.base_url.rstrip('/')}{target.path[begin:]}{query}",
        headers={"X-Api-Key": settings.api_key} if settings.api_key else {},
        trust=account.trust,
        mimetype=media.mimetype,
        size=media.size,
    )
