"""Messages that go nowhere: what was submitted, and what becomes of it by script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from wagate.clock import Clock
from wagate.errors import ConflictError, NotFoundError, SendError, UnprocessableError
from wagate.hooks import AccountView, MessageFilter, MessageView, OutMessage, Page, ReaderView, Signal
from wagate.outbound.submitted import parted
from wagate.parsing.chats import digits_of
from wagate.rules.filters import ALL_MESSAGES
from wagate.testing.fakes import FakeAccounts


class FakeMessages:
    """`wagate.hooks.context.Messages`. A message is queued until somebody waits for it; then ``becomes`` happens."""

    def __init__(self, accounts: FakeAccounts, clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock
        self.becomes: str | SendError = "sent"
        """The status that the next messages get, or why they fail."""
        self.cannot: set[str] = set()
        """Message types, kinds of signals, ``revoke`` and ``edit``: what the provider does not have."""
        self.longest_text = 0
        """Characters that the provider takes; longer texts are split as the core does."""
        self.submitted: list[OutMessage] = []
        """In order; a key counts once."""
        self.metadata: dict[str, dict[str, Any]] = {}
        """By message id."""
        self.rows: dict[str, MessageView] = {}
        """By message id, oldest first."""
        self.signals: list[Signal] = []
        self.revoked: list[str] = []
        """Message ids, in order."""
        self.edited: list[tuple[str, str]] = []
        """(message id, new text), in order."""
        self._keys: dict[tuple[int, str], str] = {}

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
        """Note it. NotFoundError, UnprocessableError."""
        if key and (client_id, key) in self._keys:
            return self.rows[self._keys[client_id, key]]
        chosen = self._account(client_id, account)
        self._check(message.type, chosen)
        parts = parted(message, self.longest_text)
        for message_id, part in parts:
            self.submitted.append(part)
            self.metadata[message_id] = dict(metadata or {})
            self.rows[message_id] = self._row(message_id, part, chosen, job_id)
        if key:
            self._keys[client_id, key] = parts[0][0]
        return self.rows[parts[0][0]]

    def _row(self, message_id: str, message: OutMessage, chosen: AccountView, job_id: str | None) -> MessageView:
        now, client_id = self._clock.now(), chosen.client_id
        return MessageView(
            id=message_id,
            client_id=client_id,
            tenant_id=self._accounts.owners[client_id].slug,
            account=chosen.name,
            provider=chosen.provider,
            chat=message.chat,
            to=digits_of(message.chat),
            type=message.type,
            content=message.text,
            status="queued",
            message_id=None,
            error=None,
            error_code=None,
            job_id=job_id,
            created_at=now,
            sent_at=None,
            delivered_at=None,
            read_at=None,
            failed_at=None,
            updated_at=now,
            part=message.part,
        )

    async def wait(self, message_id: str, *, client_id: int | None, seconds: float) -> MessageView:
        """The message, after what ``becomes`` says; with no seconds as it is."""
        row = await self.get(message_id, client_id=client_id)
        if seconds > 0 and row.status == "queued":
            row = self.rows[message_id] = self._after(row)
        return row

    async def get(self, message_id: str, *, client_id: int | None) -> MessageView:
        """One message. NotFoundError."""
        row = self.rows.get(message_id)
        if row is None or client_id not in {None, row.client_id}:
            raise NotFoundError("no such message")
        return row

    async def page(
        self, which: MessageFilter = ALL_MESSAGES, *, client_id: int | None, limit: int, cursor: str | None = None
    ) -> Page[MessageView]:
        """A page, newest first."""
        wanted = {name: value for name, value in msgspec.structs.asdict(which).items() if value is not None}
        found = [
            row
            for row in reversed(self.rows.values())
            if client_id in {None, row.client_id}
            and all(getattr(row, name) == value for name, value in wanted.items())
            and (cursor is None or row.id < cursor)
        ]
        return Page(data=found[:limit], next_cursor=found[limit - 1].id if len(found) > limit else None)

    async def readers(self, message_id: str, *, client_id: int | None) -> Sequence[ReaderView]:
        """Nobody."""
        await self.get(message_id, client_id=client_id)
        return ()

    async def signal(self, signal: Signal, *, client_id: int, account: str | None = None) -> None:
        """Note it, unless the provider has no such signal; raises ``becomes`` when that is an error."""
        self._account(client_id, account)
        if signal.kind in self.cannot:
            return
        if isinstance(self.becomes, SendError):
            raise self.becomes
        self.signals.append(signal)

    async def revoke(self, message_id: str, *, client_id: int | None) -> None:
        """Note it; raises ``becomes`` when that is an error. NotFoundError, ConflictError, UnprocessableError."""
        row = await self._sent(message_id, client_id, "revoke")
        self.revoked.append(row.id)

    async def edit(self, message_id: str, text: str, *, client_id: int | None) -> None:
        """Note it; raises as `revoke`."""
        row = await self._sent(message_id, client_id, "edit")
        self.edited.append((row.id, text))

    async def _sent(self, message_id: str, client_id: int | None, ability: str) -> MessageView:
        row = await self.get(message_id, client_id=client_id)
        if row.status not in {"sent", "delivered", "read"}:
            raise ConflictError(f"it was not sent: {row.status}")
        if ability in self.cannot:
            raise UnprocessableError(f"{row.provider} can't {ability} messages")
        if isinstance(self.becomes, SendError):
            raise self.becomes
        return row

    def _account(self, client_id: int, name: str | None) -> AccountView:
        theirs = [each for each in self._accounts.accounts.values() if each.client_id == client_id]
        for account in theirs:
            if name in {None, account.name}:
                return account
        if name is None:
            raise UnprocessableError("there is no account that can send", field="account")
        raise NotFoundError(f"no account {name!r}")

    def _check(self, ability: str, account: AccountView) -> None:
        if ability in self.cannot:
            raise UnprocessableError(f"{account.provider} can't send {ability}")

    def _after(self, row: MessageView) -> MessageView:
        now = self._clock.now()
        if isinstance(self.becomes, SendError):
            error = self.becomes
            return replace(
                row, status="failed", error=error.reason, error_code=error.code or None, failed_at=now, updated_at=now
            )
        if self.becomes in {"sent", "delivered", "read"}:
            return replace(row, status=self.becomes, message_id=f"fake.{row.id}", sent_at=now, updated_at=now)
        return replace(row, status=self.becomes, updated_at=now)
