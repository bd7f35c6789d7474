"""Which endpoints want an event: found by client, number and event name, changed one by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from wagate.events import Event, matches
from wagate.events.kinds import GROUP_PREFIX, MESSAGE, MESSAGE_ANY, WEBHOOK_DISABLED, WEBHOOK_FAILING
from wagate.storage.rows import WebhookRow

EVERY = "*"
"""As ``phone_number``: all numbers of the client; as an event's name: all but message.any."""
OF_NO_NUMBER = frozenset({WEBHOOK_FAILING, WEBHOOK_DISABLED})
"""Events about a target: any of the client's endpoints may tell of them."""

Place = tuple[int, str, str]
"""(client id, number, event name)."""


class EndpointIndex:
    """Active endpoints. What a look-up costs depends on those found alone."""

    def __init__(self) -> None:
        self.rows: dict[str, WebhookRow] = {}
        """By id."""
        self._at: defaultdict[Place, set[str]] = defaultdict(set)

    def put(self, row: WebhookRow) -> None:
        """This one is as it says now."""
        self.drop(row.id)
        self.rows[row.id] = row
        for place in _places(row):
            self._at[place].add(row.id)

    def drop(self, endpoint_id: str) -> None:
        """This one is gone, or switched off."""
        row = self.rows.pop(endpoint_id, None)
        for place in _places(row) if row is not None else ():
            self._at[place].discard(endpoint_id)
            if not self._at[place]:
                del self._at[place]

    def wanting(self, event: Event) -> Sequence[str]:
        """Ids of those that want an event, in the order of their making."""
        numbers = {""} if event.kind in OF_NO_NUMBER else {EVERY, event.phone, event.account} - {""}
        names = {event.kind, EVERY, MESSAGE_ANY if event.kind == MESSAGE else "", _group(event.kind)} - {""}
        places = ((event.client_id, number, name) for number in numbers for name in names)
        found = {each for place in places for each in self._at.get(place, ())}
        return sorted(each for each in found if matches(self.rows[each].events, event.kind))


def _places(row: WebhookRow) -> Iterator[Place]:
    for name in row.events:
        yield row.client_id, row.phone_number, name
        yield row.client_id, "", name


def _group(kind: str) -> str:
    return f"{GROUP_PREFIX}*" if kind.startswith(GROUP_PREFIX) else ""
