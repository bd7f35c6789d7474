"""Chatwoot as a real HTTP server (source: github.com/chatwoot/chatwoot, v4.15.1)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import trio

from wagate.testing.chatwoot import api, talk
from wagate.testing.chatwoot.agent import Agent
from wagate.testing.chatwoot.faults import Limits
from wagate.testing.chatwoot.public import Public
from wagate.testing.chatwoot.routes import Answer, Ask, Route, given, matched, refused
from wagate.testing.chatwoot.state import Account, Conversation, Inbox, Message, RefusedError, Role, State, User
from wagate.testing.chatwoot.webhooks import Habits, Webhooks
from wagate.testing.server import FakeServer, Reply, Seen

ROUTES: tuple[Route, ...] = (*api.ROUTES, *talk.ROUTES)
VERSION = "4.15.1"


class FakeChatwoot(FakeServer):
    """One account with an agent, an administrator, a bot and an API inbox; run it with `wagate.testing.server.running`.

    ``seen`` are all requests in order, ``webhooks.sent`` all webhooks; ``habits`` and `fail` make it misbehave.
    """

    def __init__(self, *, secret: str = "whsecFAKE0123456789abcdef", now: Callable[[], float] = time.time) -> None:  # noqa: S107
        super().__init__(self._respond_to)
        self.state = State(now=now)
        """``now`` may be changed: tests that shift the gateway's clock give it here, too."""
        self.webhooks = Webhooks(self.state, lambda: self.url)
        self.state.tell = self.webhooks.tell
        self.limits = Limits()
        self.latency = 0.0
        """Seconds that every request takes."""
        self.drops_underscores = False
        """A proxy in front drops headers with underscores: every token is lost."""
        self.file_host = ""
        """Where files lie, ``http://…``; '' is this server. The URLs in messages redirect there."""
        self.meanwhile: list[tuple[str, Callable[[], None]]] = []
        """(part of a path, act): done once, right before the next such request; for races."""
        self._public = Public(self.state, lambda: self.url)
        self.account = Account(id=1, name="Acme")
        self.state.accounts.append(self.account)
        self.inbox = Inbox(
            id=7,
            account=self.account,
            name="WhatsApp +1 555 000-0001",
            webhook_url="",
            secret=secret,
            identifier="fakeInboxIdentifier01234",
        )
        self.state.inboxes.append(self.inbox)
        self.user = self.add_user("Bia Agent", "agent")
        self.agent = Agent(self.state, self.user)
        self.admin = self.add_user("Ada Admin", "administrator")
        self.bot = self.add_user("Bob Bot", "bot")

    @property
    def habits(self) -> Habits:
        """How webhooks are sent."""
        return self.webhooks.habits

    def add_user(self, name: str, role: Role, account: Account | None = None) -> User:
        """Somebody with a token."""
        number = self.state.next_id("users", first=3)
        user = User(
            id=number,
            account=account or self.account,
            name=name,
            email=f"{name.partition(' ')[0].lower()}@acme.example",
            token=f"fakeToken{number:04}",
            role=role,
        )
        self.state.users.append(user)
        return user

    def settings(self, **more: Any) -> dict[str, Any]:
        """``[plugins.chatwoot.inboxes.<name>]`` for this server."""
        found = {
            "url": self.url,
            "account_id": self.account.id,
            "token": self.user.token,
            "inbox_id": self.inbox.id,
            "secret": self.inbox.secret,
        }
        return found | more

    def conversation(self, source_id: str) -> Conversation:
        """The latest conversation of who has this name in the inbox."""
        rows = [each for each in self.state.conversations if each.contact_inbox.source_id == source_id]
        assert rows, f"no conversation of {source_id}"
        return rows[-1]

    def posted(self, source_id: str = "") -> list[Message]:
        """What came over the API, in the order of its coming: all, or with who has this name in the inbox."""
        return [
            each
            for each in self.state.messages
            if each.by_api and source_id in {"", each.conversation.contact_inbox.source_id}
        ]

    async def until_posted(self, count: int, seconds: float = 60.0) -> None:
        """Wait until so many messages came over the API. TooSlowError."""
        await self.until(lambda: len(self.posted()) >= count, seconds)

    async def beside(self) -> None:
        """Send the webhooks."""
        await self.webhooks.beside()

    async def _respond_to(self, seen: Seen) -> Reply:
        await trio.sleep(self.latency)
        if (too_many := self.limits.refuse(seen, self.state.now())) is not None:
            return too_many
        for entry in [each for each in self.meanwhile if each[0] in seen.path]:
            self.meanwhile.remove(entry)
            entry[1]()
        before = len(self.webhooks.sent)
        try:
            reply = self._reply(seen)
        except RefusedError as error:
            reply = refused(error)
        if self.habits.before_answer:
            for webhook in self.webhooks.sent[before:]:
                await webhook.done.wait()
        return reply

    def _reply(self, seen: Seen) -> Reply:
        if seen.path == "/api":
            return Reply(json={"version": VERSION, "queue_services": "ok", "data_services": "ok"})
        if (file := self._file(seen)) is not None:
            return file
        if (public := self._public.answer(seen)) is not None:
            return public
        for method, pattern, answer in ROUTES:
            parts = matched(pattern, seen.path)
            if method == seen.method and parts is not None:
                return self._authorized(seen, parts, answer)
        raise RefusedError(404, {"status": 404, "error": "Not Found"})

    def _authorized(self, seen: Seen, parts: tuple[str, ...], answer: Answer) -> Reply:
        token = "" if self.drops_underscores else seen.headers.get("api_access_token", "")
        user = next((each for each in self.state.users if each.token == token), None)
        if user is None:
            raise RefusedError(401, {"error": "Invalid Access Token"})
        if user.role == "bot" and answer not in talk.BOTS:
            raise RefusedError(401, {"error": "Access to this endpoint is not authorized for bots"})
        if parts and str(user.account.id) != parts[0]:
            raise RefusedError(401, {"error": "You are not authorized to access this account"})
        if user.account.suspended:
            raise RefusedError(401, {"error": "Account is suspended"})
        return answer(Ask(seen=seen, state=self.state, base=self.url, user=user, parts=parts[1:], given=given(seen)))

    def _file(self, seen: Seen) -> Reply | None:
        """``…/redirect/…`` leads to ``/disk/…``, where the bytes are."""
        for pattern in ("rails/active_storage/blobs/redirect/*/*", "rails/active_storage/representations/redirect/*/*"):
            if (parts := matched(pattern, seen.path)) is not None:
                row = self.state.attachment(parts[0].rpartition("--")[2])
                where = f"{self.file_host or self.url}/disk/{row.id}/{seen.path.rpartition('/')[2]}"
                return Reply(status=302, headers={"location": where, "content-type": "text/html"})
        if (parts := matched("disk/*/*", seen.path)) is None:
            return None
        row = self.state.attachment(parts[0])
        return Reply(body=row.content, headers={"content-type": row.content_type})
