"""The way in for messages to be sent: chosen, checked, stored, and waited for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import trio
from msgspec.structs import replace

from wagate.errors import ConflictError, NotFoundError, OutcomeUnknownError, UnprocessableError
from wagate.hooks.messages import Edit, MessageView, OutMessage, ReaderView, Signal
from wagate.hooks.providers import Provider
from wagate.hooks.views import Page
from wagate.http import HttpError, on_behalf_of
from wagate.outbound import announce
from wagate.outbound.abilities import as_shown, can_signal, check_edit, check_revoke, fit
from wagate.outbound.announce import stored_form, view_of
from wagate.outbound.choose import choose, sendable
from wagate.outbound.context import Choose, OutboundContext
from wagate.outbound.handover import as_send_error
from wagate.outbound.submitted import in_dialogue, is_no_dialogue, links_in, parted
from wagate.parsing.split import length_of
from wagate.rules.filters import ALL_MESSAGES, MessageFilter
from wagate.storage.outbox.acks import readers_of
from wagate.storage.outbox.messages import (
    MessageRow,
    Submission,
    find_by_key,
    get_message,
    list_messages,
    own_account,
    submit,
)
from wagate.storage.owners.directory import Account
from wagate.storage.threads.chat_marks import mark_chat
from wagate.storage.threads.conversations import last_incoming

LOOK = 0.5
"""Seconds between looks while somebody waits: another process may send it."""
SIGNAL_SECONDS = 10.0
REVOKE_SECONDS = 20.0
OPEN = frozenset({"queued", "sending"})
"""Statuses of messages of which more is to come before anybody need wait no longer."""
NOT_SENT = {
    "queued": "it has not been sent yet: cancel its delivery",
    "sending": "it is being sent right now: try again",
    "failed": "it failed",
    "unknown": "it is unknown whether it was sent",
}
"""Status → why a message can't be revoked, or edited."""


class Outbox:
    """`wagate.hooks.context.Messages` for one source: ``api``, or a plugin's name."""

    def __init__(self, source: str, context: OutboundContext, watch: Watch) -> None:
        self._source = source
        self._context = context
        self._watch = watch

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
        """Submit a message, a text that is too long for one as several, in one commit. See the protocol.

        StorageError: nothing was stored.
        """
        context = self._context
        if key:
            known = await context.database.read(find_by_key, self._source, client_id, key)
            if known is not None:
                return view_of(known, context.live.now)
        message = in_dialogue(message)
        await self._check_links(message)
        chosen = await self._account(message, client_id, account)
        provider = context.providers.need(chosen.provider)
        context.providers.account(chosen)  # settings that can't be used are told now, not in the chat's turn
        now, submissions = context.clock.now(), []
        for message_id, part in parted(message, provider.longest_text, provider.longest_caption):
            _, warnings = fit(provider, part)
            intake = announce.submission(chosen, part, message_id, context.router, fixed=account is not None, now=now)
            submissions.append(
                Submission(
                    id=message_id,
                    intake=intake,
                    message=stored_form(part),
                    source=self._source,
                    source_key=_key_of(key, part),
                    job_id=job_id,
                    metadata=dict(metadata or {}),
                    warnings=warnings,
                )
            )
        return await self.get(await self._store(submissions), client_id=client_id)

    async def _store(self, submissions: list[Submission]) -> str:
        """The id of the first one, or of the one that was there with its key."""
        database = self._context.database
        if len(submissions) == 1:
            done = [await database.write_bulk(submit, submissions[0])]
        else:
            done = await database.write(submit, submissions)
        self._context.ring([each.stored for each in done if each.stored is not None])
        return done[0].id

    async def _check_links(self, message: OutMessage) -> None:
        """Whoever submits it: a provider in the operator's network would fetch what only it can reach.

        Raises:
            UnprocessableError: a link leads where nobody may be sent.
        """
        for url in links_in(message):
            try:
                await self._context.check_link(url)
            except HttpError as error:
                raise UnprocessableError(error.reason, field="url") from error

    async def wait(self, message_id: str, *, client_id: int | None, seconds: float) -> MessageView:
        """The message, as soon as it is sent, failed or unknown, or when the seconds are over. NotFoundError."""
        clock = self._context.clock
        deadline = clock.monotonic() + seconds
        while True:
            with self._watch.on(message_id) as came:
                view = await self.get(message_id, client_id=client_id)
                left = deadline - clock.monotonic()
                if view.status not in OPEN or left <= 0:
                    return view
                await clock.wait(came, min(left, LOOK))

    async def get(self, message_id: str, *, client_id: int | None) -> MessageView:
        """One message by our id. NotFoundError."""
        row = await self._context.database.read(get_message, message_id, client_id=client_id)
        return view_of(row, self._context.live.now)

    async def page(
        self, which: MessageFilter = ALL_MESSAGES, *, client_id: int | None, limit: int, cursor: str | None = None
    ) -> Page[MessageView]:
        """A page of messages, newest first."""
        browse = self._context.database.browse
        page = await browse(list_messages, which, client_id=client_id, limit=limit, cursor=cursor)
        return Page(data=[view_of(row, self._context.live.now) for row in page.data], next_cursor=page.next_cursor)

    async def readers(self, message_id: str, *, client_id: int | None) -> Sequence[ReaderView]:
        """Who of a group has got a message, who has read it. NotFoundError."""
        database = self._context.database
        row = await database.read(get_message, message_id, client_id=client_id)
        found = await database.browse(readers_of, row.client_id, row.account_id, row.bare_id, row.chat)
        return [ReaderView(participant=each.participant, status=each.status, at=each.at) for each in found]

    async def signal(self, signal: Signal, *, client_id: int, account: str | None = None) -> None:
        """Mark as seen, show or end typing or recording; at once, not stored. See the protocol."""
        if signal.kind != "seen" and is_no_dialogue(signal.chat):
            return  # nobody would see it
        chosen = await self._account(OutMessage(chat=signal.chat, type="text"), client_id, account, choosers=())
        await self._tell(signal, chosen)
        if signal.kind == "seen":
            write, name, now = self._context.database.write, chosen.name, self._context.clock.now()
            await write(mark_chat, client_id=client_id, account=name, chat=signal.chat, mark="read", now=now)

    async def _tell(self, signal: Signal, chosen: Account) -> None:
        provider = self._context.providers.need(chosen.provider)
        signal = as_shown(provider, signal)
        if provider.signal is None or not can_signal(provider, signal):
            return
        if not signal.message_ids and not provider.sessions and signal.kind != "paused":
            # WhatsApp's own API marks messages, not chats: the last one that came in stands for all before it.
            last = await self._context.database.read(last_incoming, chosen.client_id, chosen.name, signal.chat)
            if not last:
                return
            signal = replace(signal, message_ids=(last,))
        seen = self._context.providers.account(chosen)
        await _asked(chosen, provider.signal(signal, seen), SIGNAL_SECONDS)

    async def revoke(self, message_id: str, *, client_id: int | None) -> None:
        """Take a message that was sent back from everyone; at once, not stored. See the protocol."""
        row, provider, account = await self._sent(message_id, client_id, check_revoke)
        assert provider.revoke is not None  # checked just now
        seen = self._context.providers.account(account)
        await _asked(account, provider.revoke(row.provider_id, row.chat, seen), REVOKE_SECONDS)

    async def edit(self, message_id: str, text: str, *, client_id: int | None) -> None:
        """Change a sent message's text or caption; at once, not stored. See the protocol."""
        row, provider, account = await self._sent(message_id, client_id, check_edit)
        assert provider.edit is not None  # checked just now
        if provider.longest_text and length_of(text) > provider.longest_text:
            detail = f"{provider.name} takes texts of at most {provider.longest_text} characters"
            raise UnprocessableError(detail, field="text")
        seen = self._context.providers.account(account)
        edit = Edit(message_id=row.provider_id, chat=row.chat, type=row.type, text=text)
        await _asked(account, provider.edit(edit, seen), REVOKE_SECONDS)

    async def _sent(
        self, message_id: str, client_id: int | None, check: Callable[[Provider, str], None]
    ) -> tuple[MessageRow, Provider, Account]:
        """A message that was sent, and who can still do something about it. Raises as `revoke`."""
        context = self._context
        row = await context.database.read(get_message, message_id, client_id=client_id)
        if row.status in NOT_SENT:
            raise ConflictError(NOT_SENT[row.status])
        provider, account = context.providers.need(row.provider), self._sender(row)
        check(provider, row.type)
        if not row.provider_id:
            raise UnprocessableError(f"{provider.name} returned no id for this message, so it can't be changed")
        return row, provider, account

    def _sender(self, row: MessageRow) -> Account:
        """The account that sent a message. UnprocessableError: it is gone, or goes through another provider now."""
        found = self._context.live.now.by_id.get(row.account_id)
        if found is None or found.client_id != row.client_id or found.provider != row.provider:
            raise UnprocessableError(f"the account {row.account!r} of {row.provider} that sent it no longer exists")
        return found

    async def _account(
        self, message: OutMessage, client_id: int, name: str | None, *, choosers: tuple[Choose, ...] | None = None
    ) -> Account:
        """The account that is to send it. NotFoundError, UnprocessableError."""
        context = self._context
        if name is not None:
            found = context.live.now.accounts.get(name)
            if found is None or found.client_id != client_id:
                raise NotFoundError(f"no account {name[:100]!r}")
            return found
        accounts = sendable(context.live.now, context.providers, client_id)
        if not accounts:
            raise UnprocessableError("no account can send", field="account")
        own = await context.database.read(own_account, client_id, message.chat) if len(accounts) > 1 else None
        asked = context.choosers if choosers is None else choosers
        return choose(message, accounts, own=own, providers=context.providers, choosers=asked)


def _key_of(key: str, message: OutMessage) -> str | None:
    """The parts of one text have keys of their own; the first one has the text's."""
    if not key or message.part is None or message.part.number == 1:
        return key or None
    return f"{key}#{message.part.number}"


async def _asked(account: Account, doing: Awaitable[None], seconds: float) -> None:
    """Have an account's provider do something at once. SendError: it did not, or nobody knows."""
    try:
        with trio.fail_after(seconds), on_behalf_of(account.client_id):
            await doing
    except trio.TooSlowError as error:
        raise OutcomeUnknownError(f"no answer from {account.provider} within {seconds:g} s") from error
    except Exception as error:
        raise as_send_error(error) from error


@dataclass
class Watch:
    """Events by message; those of messages nobody waits for are not kept."""

    _waiting: dict[str, list[trio.Event]] = field(default_factory=dict)

    @contextmanager
    def on(self, message_id: str) -> Iterator[trio.Event]:
        """Set as soon as something became of the message."""
        came = trio.Event()
        self._waiting.setdefault(message_id, []).append(came)
        try:
            yield came
        finally:
            self._waiting[message_id].remove(came)
            if not self._waiting[message_id]:
                del self._waiting[message_id]

    def ring(self, message_id: str) -> None:
        """Something became of it."""
        for came in self._waiting.get(message_id, ()):
            came.set()
