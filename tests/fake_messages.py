"""Messages that go nowhere: `wagate.hooks.context.Messages` as far as the API sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from uuid_utils import uuid7

from wagate.errors import NotFoundError
from wagate.hooks import MessageView, OutMedia, OutMessage, Page, ReaderView, Signal
from wagate.rules.filters import ALL_MESSAGES, MessageFilter
from wagate.web.messages.sending import SendingContext

NOW = datetime(2025, 9, 10, 10, 30, 5, tzinfo=UTC)
PHONE = "5511888888888"


def sent(view: MessageView) -> MessageView:
    """The provider took it."""
    return msgspec.structs.replace(view, status="sent", message_id=f"wamid.{view.content}", sent_at=NOW)


async def _no_file(_message: OutMessage, _client_id: int, fetch: bool = False) -> None:
    return None


def _no_room() -> Any:
    raise AssertionError("nothing is converted here")


class FakeMessages:
    """What was submitted, and what becomes of it."""

    def __init__(self, becomes: Callable[[MessageView], MessageView] = sent) -> None:
        self.becomes = becomes
        """What a message is after a wait."""
        self.views: list[MessageView] = []
        self.messages: list[OutMessage] = []
        self.metadata: list[Mapping[str, Any] | None] = []
        self.kept: list[tuple[int, bytes, str, str]] = []
        """(client, bytes, file's name, type) of each file."""
        self.signals: list[tuple[Signal, str | None]] = []
        self.refuse: Exception | None = None
        """Raised by `send`, `signal`, `revoke` and `edit`."""
        self.revoked: list[str] = []
        """Our ids."""
        self.edited: list[tuple[str, str]] = []
        self.tasks: Callable[[str], Any] = _no_jobs
        self._keys: dict[tuple[int, str], MessageView] = {}

    @property
    def outbound(self) -> SendingContext:
        """What the API is given."""
        files = {"keep": self.keep, "file_of": _no_file, "room": _no_room}
        return SendingContext(messages=self, jobs=self.tasks, check_link=_no_check, **files)

    async def send(
        self,
        message: OutMessage,
        *,
        client_id: int,
        account: str | None = None,
        job_id: str | None = None,
        key: str = "",
        metadata: Mapping[str, Any] | None = None,
    ) -> MessageView:
        if self.refuse is not None:
            raise self.refuse
        if key and (client_id, key) in self._keys:
            return self._now(self._keys[client_id, key])
        view = MessageView(
            id=str(uuid7()),
            client_id=client_id,
            tenant_id="acme",
            account=account or "main",
            provider="infobip",
            chat=message.chat,
            to=message.chat,
            type=message.type,
            content=message.text,
            status="queued",
            message_id=None,
            error=None,
            error_code=None,
            job_id=job_id,
            created_at=NOW,
            sent_at=None,
            delivered_at=None,
            read_at=None,
            failed_at=None,
            updated_at=NOW,
        )
        self._keys[client_id, key] = view
        self.messages.append(message)
        self.metadata.append(metadata)
        self.views.append(view)
        return view

    async def wait(self, message_id: str, *, client_id: int | None, seconds: float) -> MessageView:
        found = await self.get(message_id, client_id=client_id)
        changed = self.becomes(found)
        self.views[self.views.index(found)] = changed
        return changed

    async def get(self, message_id: str, *, client_id: int | None) -> MessageView:
        for view in self.views:
            if view.id == message_id and client_id in {None, view.client_id}:
                return view
        raise NotFoundError("no such message")

    async def page(
        self, which: MessageFilter = ALL_MESSAGES, *, client_id: int | None, limit: int, cursor: str | None = None
    ) -> Page[MessageView]:
        wanted = {name: value for name, value in msgspec.structs.asdict(which).items() if value is not None}
        found = [
            view
            for view in reversed(self.views)
            if client_id in {None, view.client_id}
            and (cursor is None or view.id < cursor)
            and all(getattr(view, name) == value for name, value in wanted.items())
        ]
        return Page(data=found[:limit], next_cursor=found[limit - 1].id if len(found) > limit else None)

    async def readers(self, message_id: str, *, client_id: int | None) -> Sequence[ReaderView]:
        await self.get(message_id, client_id=client_id)
        return ()

    async def signal(self, signal: Signal, *, client_id: int, account: str | None = None) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.signals.append((signal, account))

    async def revoke(self, message_id: str, *, client_id: int | None) -> None:
        await self.get(message_id, client_id=client_id)
        if self.refuse is not None:
            raise self.refuse
        self.revoked.append(message_id)

    async def edit(self, message_id: str, text: str, *, client_id: int | None) -> None:
        await self.get(message_id, client_id=client_id)
        if self.refuse is not None:
            raise self.refuse
        self.edited.append((message_id, text))

    async def keep(
        self, chunks: AsyncIterator[bytes], *, client_id: int, filename: str = "", mimetype: str = ""
    ) -> OutMedia:
        data = b"".join([chunk async for chunk in chunks])
        self.kept.append((client_id, data, filename, mimetype))
        return OutMedia(media_id=f"m-{len(self.kept)}", filename=filename, mimetype=mimetype or "image/png")

    def _now(self, view: MessageView) -> MessageView:
        return next(each for each in self.views if each.id == view.id)


async def _no_check(_url: str) -> None:
    """Any link will do."""


def _no_jobs(handler: str) -> Any:
    raise NotFoundError(f"no such job: {handler}")
