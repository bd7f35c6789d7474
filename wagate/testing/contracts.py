"""What every handler and every provider is held to, as classes of tests.

Subclass one, say how yours is made and how the other side behaves, and pytest (with pytest-trio) runs its tests; our
own connectors and providers pass them. `wagate.testing.ListeningContract` is for providers that listen without
webhooks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from wagate.errors import (
    NotSentError,
    OutcomeUnknownError,
    Reject,
    RequestError,
    UnauthorizedError,
    WagateError,
)
from wagate.events import Event, NewEvent
from wagate.events.kinds import EVENT_KINDS
from wagate.hooks import (
    Handler,
    InboundRequest,
    Outgoing,
    OutMessage,
    Provider,
    ProviderAccount,
    Receipt,
    RequestView,
    Sent,
    Simulation,
    Target,
    TargetName,
)
from wagate.http.errors import HttpError
from wagate.inbound.session.events import parse_session
from wagate.parsing.jsonbody import read_object
from wagate.testing.events import make_delivery, make_delivery_view, make_event
from wagate.testing.listening import FakeInlet
from wagate.testing.providers.simulated import simulated

ODD_BODIES: Final = (
    b"",
    b"{",
    b"null",
    b"[]",
    b"{}",
    b'{"event": 5}',
    b'{"event": "message", "payload": []}',
    b'{"entry": [null, {"changes": {"0": 1}}]}',
    b'{"results": [null, 5, {"message": "x"}]}',
    b'{"a": "\\ud800"}',
    b"[" * 500,
    b"MessageSid=&From=&Body=%ff",
    b"\xff\xfe\x00",
)
"""Bodies that something sends sooner or later."""
SENTENCE: Final = "a sentence that nobody may find in the log"


@dataclass(frozen=True, kw_only=True)
class HandlerUnderTest:
    """A handler, and the other side of it."""

    handler: Handler
    event: Event
    """One that it delivers; its content is `SENTENCE` or has it."""
    accepts: Callable[[], None] | None = None
    """The other side takes what comes from now on; None: there is none, since workers pull (`Handler.pull`)."""
    stumbles: Callable[[], None] | None = None
    """It answers everything with a passing failure (HTTP: 503) from now on; None likewise."""
    refuses: Callable[[], None] | None = None
    """It refuses everything permanently (HTTP: 400) from now on; None: it never does."""


class TargetsContract(ABC):
    """What holds for ``targets`` of every handler, those of workers' jobs too."""

    @abstractmethod
    async def open(self, stack: AsyncExitStack) -> tuple[Handler, Event]:
        """A handler, and an event that at least one target of it wants."""

    async def test_targets_are_the_same_each_time(self) -> None:
        """``targets`` is pure: the same event has the same targets, each once."""
        async with AsyncExitStack() as stack:
            handler, event = await self.open(stack)
            found = list(handler.targets(event))
            assert found
            assert found == list(handler.targets(event))
            assert len({each.id for each in found}) == len(found)

    async def test_no_event_breaks_targets(self) -> None:
        """Events of every kind, empty ones and odd ones, have targets or none."""
        async with AsyncExitStack() as stack:
            handler, _ = await self.open(stack)
            for kind in (*sorted(EVENT_KINDS), "of another version"):
                for fields in ({}, {"chat": "", "sender": "", "content": "", "message_id": ""}, {"content": "\x00😀"}):
                    for target in handler.targets(make_event(kind=kind, **fields)):
                        assert isinstance(target, Target)
                        assert target.id
                        assert target.id.isprintable()
                        assert "|" not in target.id

    async def test_every_target_can_be_described(self) -> None:
        """Also one that is gone."""
        async with AsyncExitStack() as stack:
            handler, event = await self.open(stack)
            for target in (*(each.id for each in handler.targets(event)), "gone"):
                assert isinstance(handler.describe(target), TargetName)

    async def test_the_request_of_a_delivery_can_be_shown(self) -> None:
        """With ``request``: for every kind of event, and a target that is gone, it returns a `RequestView` or None."""
        async with AsyncExitStack() as stack:
            handler, event = await self.open(stack)
            if handler.request is None:
                return
            for target in (*(each.id for each in handler.targets(event)), "gone"):
                for each in (event, *(make_event(kind=kind) for kind in sorted(EVENT_KINDS))):
                    delivery = make_delivery_view(each, handler=handler.name, target=target)
                    assert isinstance(await handler.request(delivery), RequestView | None)


class HandlerContract(TargetsContract):
    """What holds for every handler. One without ``handle`` is a pull handler, and delivers nothing itself."""

    @abstractmethod
    async def make(self, stack: AsyncExitStack) -> HandlerUnderTest:
        """A handler with its other side, which accepts."""

    async def open(self, stack: AsyncExitStack) -> tuple[Handler, Event]:
        """As `TargetsContract` wants it."""
        made = await self.make(stack)
        return made.handler, made.event

    async def test_it_pushes_to_another_side_or_workers_pull(self) -> None:
        """With ``handle`` there is another side, which can fail; without it there is none."""
        async with AsyncExitStack() as stack:
            made = await self.make(stack)
            other_side = (made.accepts is not None, made.stumbles is not None)
            assert other_side == ((False, False) if made.handler.pull else (True, True))
            assert made.refuses is None or not made.handler.pull

    async def test_what_the_other_side_takes_is_delivered(self) -> None:
        """It returns a `Receipt`, or None."""
        async with AsyncExitStack() as stack:
            made = await self.make(stack)
            if made.accepts is not None:
                made.accepts()
                assert isinstance(await _handled(made), Receipt | None)

    async def test_trouble_means_later(self) -> None:
        """A passing failure raises, and never `Reject`; afterwards the same delivery succeeds."""
        async with AsyncExitStack() as stack:
            made = await self.make(stack)
            if made.accepts is None or made.stumbles is None:
                return
            made.stumbles()
            with pytest.raises(WagateError) as caught:
                await _handled(made)
            assert not isinstance(caught.value, Reject)
            made.accepts()
            assert isinstance(await _handled(made), Receipt | None)

    async def test_a_refusal_means_never(self) -> None:
        """A permanent refusal raises `Reject`."""
        async with AsyncExitStack() as stack:
            made = await self.make(stack)
            if made.refuses is not None:
                made.refuses()
                with pytest.raises(Reject):
                    await _handled(made)

    async def test_what_people_write_stays_out_of_the_log(self) -> None:
        """Whether it is delivered or not, or waits for a worker."""
        async with AsyncExitStack() as stack:
            made = await self.make(stack)
            assert SENTENCE in made.event.content
            with capture_logs() as lines:
                assert list(made.handler.targets(made.event))
                for side in (made.accepts, made.stumbles):
                    if side is not None:
                        side()
                        with suppress(WagateError):
                            await _handled(made)
            assert SENTENCE not in str(lines)


async def _handled(made: HandlerUnderTest) -> object:
    assert made.handler.handle is not None
    target, *_ = made.handler.targets(made.event)
    return await made.handler.handle(make_delivery(made.event, target=target.id))


@dataclass(frozen=True, kw_only=True)
class ProviderUnderTest:
    """A provider, an account of it, and the service behind it."""

    provider: Provider
    account: ProviderAccount
    webhook: InboundRequest | None = None
    """A webhook as the service posts it, proof included: one text message, `SENTENCE`, from ``person``; None: it posts
    none, since the provider listens (`Provider.listens`)."""
    writes: Callable[[str], Awaitable[None]] | None = None
    """For a provider that listens: ``person`` writes a text."""
    inlet: FakeInlet | None = None
    """Likewise: what its ``run`` hears, which runs until the stack is closed. The account is linked, if it must be."""
    person: str
    """Somebody's key: ``15550002222@c.us``."""
    accepts: Callable[[], None]
    """The service takes what is sent from now on."""
    stumbles: Callable[[], None]
    """It answers 503 to everything from now on."""
    hangs_up: Callable[[], None]
    """It reads each request and closes the connection without an answer."""


class SendingContract(ABC):
    """What holds for every provider that sends."""

    @abstractmethod
    async def open(self, stack: AsyncExitStack) -> ProviderUnderTest:
        """A provider whose service accepts."""

    async def test_a_text_is_sent(self) -> None:
        """What the service took has its id."""
        async with AsyncExitStack() as stack:
            made = await self.open(stack)
            sent = await _sent(made)
            assert isinstance(sent, Sent)
            assert sent.message_id

    async def test_trouble_is_no_refusal(self) -> None:
        """503 means not sent, or that nobody knows; never that the message is refused or the account is stopped."""
        async with AsyncExitStack() as stack:
            made = await self.open(stack)
            made.stumbles()
            with pytest.raises((NotSentError, OutcomeUnknownError, HttpError)):
                await _sent(made)

    async def test_what_may_have_left_is_never_called_not_sent(self) -> None:
        """The connection ends after the request was read: the outcome is unknown."""
        async with AsyncExitStack() as stack:
            made = await self.open(stack)
            made.hangs_up()
            with pytest.raises((OutcomeUnknownError, HttpError)) as caught:
                await _sent(made)
            assert not isinstance(caught.value, HttpError) or caught.value.sent

    async def test_what_it_says_it_can_do_it_has(self) -> None:
        """Abilities and functions go together; secrets are settings."""
        async with AsyncExitStack() as stack:
            made = await self.open(stack)
            settings: Any = made.provider.settings_type
            assert made.provider.secrets <= set(settings.__struct_fields__)
            assert made.provider.chosen <= made.provider.secrets
            assert made.provider.config_only <= set(settings.__struct_fields__)
            assert made.provider.send is not None
            assert ("revoke" in made.provider.abilities) == (made.provider.revoke is not None)
            if {"seen", "typing"} & made.provider.abilities:
                assert made.provider.signal is not None


class ProviderContract(SendingContract):
    """What holds for every provider, whichever way it hears.

    It reads webhooks of its own (``verify`` and ``parse``); or it has neither, and ``sessions``: then its webhooks are
    those of session engines, which wagate verifies and reads; or it listens.
    """

    async def test_it_hears_in_one_of_three_ways(self) -> None:
        """And it says in which."""
        async with AsyncExitStack() as stack:
            made = await self.open(stack)
            provider = made.provider
            assert (provider.verify is None) == (provider.parse is None)
            assert (made.writes is not None, made.inlet is not None) == (provider.listens, provider.listens)
            assert (made.webhook is not None) == (provider.parse is not None or not provider.listens)
            assert provider.parse is not None or provider.sessions or provider.listens
            assert provider.simulate is None or provider.parse is not None

    async def test_a_webhook_of_the_service_passes_and_no_other(self) -> None:
        """Without its proof it raises UnauthorizedError."""
        async with AsyncExitStack() as stack:
            made = await self.open(stack)
            verify = made.provider.verify
            if verify is None or made.webhook is None:
                return
            assert verify(made.webhook, made.account) in {None, True}
            with pytest.raises(UnauthorizedError):
                verify(replace(made.webhook, headers=_without_proof(made.webhook.headers)), made.account)

    async def test_a_message_is_one_event_with_the_same_ids_each_time(self) -> None:
        """The service posts a webhook again when it missed our answer: duplicates are found by these ids."""
        async with AsyncExitStack() as stack:
            made = await self.open(stack)
            once = _read(made, made.webhook) if made.webhook is not None else await _heard(made)
            [message] = [each for each in once if each.kind in {"message", "message.any"}]
            assert (message.content, message.sender, message.chat) == (SENTENCE, made.person, made.person)
            assert message.provider_id
            assert not message.from_me
            if made.webhook is not None:  # `ListeningContract` has what a provider that listens hears again
                ids = [(each.kind, each.provider_id) for each in once]
                assert [(each.kind, each.provider_id) for each in _read(made, made.webhook)] == ids

    async def test_what_it_simulates_it_takes(self) -> None:
        """``wagate simulate message`` posts what `Provider.simulate` makes."""
        async with AsyncExitStack() as stack:
            made = await self.open(stack)
            provider = made.provider
            if provider.verify is None or provider.parse is None or made.webhook is None:
                return
            wanted = Simulation(sender=made.person.partition("@")[0], text=SENTENCE, url=made.webhook.url)
            signed = simulated(provider, made.account, wanted)
            if signed is None:
                return
            body, headers = signed
            lower = {name.lower(): value for name, value in headers.items()}
            request = replace(made.webhook, body=body, headers=lower)
            assert provider.verify(request, made.account) in {None, True}
            [message] = [each for each in provider.parse(request, made.account) if each.kind == "message"]
            assert (message.content, message.sender) == (SENTENCE, made.person)

    async def test_no_body_breaks_it(self) -> None:
        """Of each of `ODD_BODIES` it makes events, or says in a RequestError that it can't be read."""
        async with AsyncExitStack() as stack:
            made = await self.open(stack)
            if made.webhook is None:
                return
            for body in ODD_BODIES:
                request = replace(made.webhook, body=body)
                if made.provider.verify is not None:
                    with suppress(RequestError):
                        made.provider.verify(request, made.account)
                with suppress(RequestError):
                    _read(made, request)


def _read(made: ProviderUnderTest, webhook: InboundRequest) -> list[NewEvent]:
    """By the provider; else as wagate's door for session engines does."""
    if made.provider.parse is not None:
        return list(made.provider.parse(webhook, made.account))
    return parse_session(read_object(webhook.body), account=made.account.name, phone=made.account.phone)


async def _heard(made: ProviderUnderTest) -> list[NewEvent]:
    """What becomes of a message that it listens to."""
    assert made.writes is not None
    assert made.inlet is not None
    inlet = made.inlet
    await made.writes(SENTENCE)
    await inlet.until(lambda: SENTENCE in inlet.texts)
    return inlet.events


def _without_proof(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name in {"content-type", "host"}}


async def _sent(made: ProviderUnderTest) -> Sent:
    assert made.provider.send is not None
    message = OutMessage(chat=made.person, type="text", text="Hello")
    return await made.provider.send(Outgoing(id="0190", message=message, account=made.account))
