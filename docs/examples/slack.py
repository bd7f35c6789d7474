"""Forwards messages to a Slack channel, with their files.

    [plugins.slack]
    file = "slack.py"
    token = "env:SLACK_BOT_TOKEN"     # a bot's, with the scopes chat:write and files:write
    channel = "C0123456789"

Slack's methods: chat.postMessage, files.getUploadURLExternal, files.completeUploadExternal (api.slack.com/methods).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

import msgspec

from wagate.errors import NotFoundError, Reject, Retry
from wagate.events import Event
from wagate.hooks import Delivery, Handler, PluginContext, Receipt, SecretText, Target, hookimpl

MOST = 20_000_000
"""Bytes of a file that is uploaded; of a larger one the link is posted."""
OURS_TO_MEND = frozenset(
    {"invalid_auth", "account_inactive", "token_revoked", "not_authed", "missing_scope", "channel_not_found",
     "not_in_channel", "is_archived"}
)  # fmt: skip
"""Errors that every message gets until somebody changes something: it all waits meanwhile, and nothing is lost."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """``[plugins.slack]``."""

    token: SecretText
    channel: str
    base_url: str = "https://slack.com"


@hookimpl
def settings_type() -> type[msgspec.Struct]:
    return Settings


@hookimpl
def register_handlers(context: PluginContext) -> Iterable[Handler]:
    settings = context.settings
    assert isinstance(settings, Settings)
    slack = Slack(context, settings)

    async def handle(delivery: Delivery) -> Receipt:
        event = delivery.event
        text = f"*{escaped(event.contact_name or event.chat)}*\n{escaped(event.content)}"
        if event.media is not None and (posted := await slack.upload(event, text)):
            return posted
        return await slack.call("chat.postMessage", {"channel": settings.channel, "text": text})

    return [Handler(name=context.name, targets=targets, handle=handle, concurrency=1)]


def targets(event: Event) -> list[Target]:
    """What others write."""
    return [Target(id="channel")] if event.kind == "message" else []


def escaped(text: str) -> str:
    """Slack reads ``&``, ``<`` and ``>`` as markup: nobody's message may call the whole channel (``<!channel>``)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class Slack:
    """The three methods that are used here."""

    def __init__(self, context: PluginContext, settings: Settings) -> None:
        self._context = context
        self._settings = settings

    async def upload(self, event: Event, text: str) -> Receipt | None:
        """The file with the text above it; None when there is no file that can be had, or it is too large."""
        try:
            file = await self._context.media.open(event)
        except NotFoundError:
            return None
        if file.size > MOST:
            return None
        asked = await self._answer("files.getUploadURLExternal", form={"filename": file.filename, "length": file.size})
        body = b"".join([chunk async for chunk in file.chunks()])
        answer = await self._context.http.request("POST", asked["upload_url"], content=body, timeout=60.0)
        if answer.status != 200:
            raise Retry(f"Slack's file host answered {answer.status}", http_status=answer.status)
        files = [{"id": asked["file_id"], "title": file.filename}]
        done = {"files": files, "channel_id": self._settings.channel, "initial_comment": text}
        return await self.call("files.completeUploadExternal", done)

    async def call(self, method: str, body: dict[str, Any]) -> Receipt:
        await self._answer(method, body=body)
        return Receipt(http_status=200)

    async def _answer(
        self, method: str, *, body: dict[str, Any] | None = None, form: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        kind = "application/json; charset=utf-8" if form is None else "application/x-www-form-urlencoded"
        answer = await self._context.http.request(
            "POST",
            f"{self._settings.base_url}/api/{method}",
            headers={"Authorization": f"Bearer {self._settings.token}", "Content-Type": kind},
            content=msgspec.json.encode(body) if form is None else urlencode(form).encode(),
            timeout=self._context.timeout,
            trust="operator",
        )
        if answer.status == 429:
            after = float(answer.headers.get("retry-after") or 1)
            raise Retry("Slack asks to slow down", after=after, http_status=429)
        if answer.status >= 500:
            raise Retry(f"Slack answered {answer.status}", http_status=answer.status)
        try:
            found: dict[str, Any] = msgspec.json.decode(answer.body, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise Retry("Slack's answer is no JSON", http_status=answer.status) from error
        if found.get("ok"):
            return found
        reason = str(found.get("error"))
        if reason in OURS_TO_MEND:
            raise Retry(f"Slack refuses: {reason}", down=True, http_status=answer.status)
        raise Reject(f"Slack refuses: {reason}", http_status=answer.status)
