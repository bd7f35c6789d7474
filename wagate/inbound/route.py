"""Which targets want an event: one route for each, decided by the handlers over their snapshots."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

import structlog
from msgspec import to_builtins
from msgspec.structs import replace
from uuid_utils import uuid7

from wagate.events import Event
from wagate.hooks.contracts import Handler, Target
from wagate.plugins.values import UNROUTED
from wagate.storage.deliveries.lanes import Head
from wagate.storage.events.intake import Route
from wagate.storage.fields import clean

log = structlog.get_logger("wagate.route")


def unrouted(head: Head) -> bool:
    """Whether a delivery's targets have still to be found out."""
    return head.target_id == f"{head.handler}:{UNROUTED}"


def _own(event: Event) -> Event:
    """A copy for one plugin: what it writes into it is not in what is stored, or in the account's own metadata."""
    return replace(event, extra=to_builtins(event.extra), metadata=to_builtins(event.metadata))


class Router:
    """All handlers, asked for every event."""

    def __init__(self, handlers: Mapping[str, Handler], *, max_retries: int) -> None:
        self._handlers = handlers
        self._max_retries = max_retries

    def routes(self, event: Event) -> tuple[Route, ...]:
        """Routes to every target that wants the event. A handler that fails costs only its own routing."""
        return tuple(route for handler in self._handlers.values() for route in self._ask(handler, event))

    def routes_to(self, handler: str, targets: Iterable[Target], event: Event) -> tuple[Route, ...]:
        """Routes to the named targets of one handler, whatever it would say itself."""
        return tuple(self._route(self._handlers[handler], target, event) for target in targets)

    def route_to(self, handler: str, target: Target, event: Event) -> tuple[Route, ...]:
        """A route to one target; none when its handler is here no more."""
        return self.routes_to(handler, [target], event) if handler in self._handlers else ()

    def _ask(self, handler: Handler, event: Event) -> Iterator[Route]:
        try:
            targets = list(handler.targets(_own(event)))
        except Exception:
            # A plugin fails alone: the event is stored and routed later.
            log.exception("routing failed", plugin=handler.name, event_id=event.id)
            targets = [Target(id=UNROUTED)]
        for target in targets:
            yield self._route(handler, target, event)

    def _route(self, handler: Handler, target: Target, event: Event) -> Route:
        target_id = f"{handler.name}:{target.id}"
        unrouted = target.id == UNROUTED
        return Route(
            handler=handler.name,
            target_id=target_id,
            key=clean(f"{target_id}|{event.account_id or event.account}|{event.chat}"),
            mode="pull" if handler.pull and not unrouted else "push",
            max_retries=target.max_retries or self._max_retries,
            delivery_id=str(uuid7()),
            expires_at=event.created_at + timedelta(seconds=target.expires) if target.expires else None,
        )
