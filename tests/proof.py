"""What a receiver must have got of what a provider had accepted: everything, in order, and hardly anything twice."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import groupby

from tests.gateway import GatewayProcess
from tests.provider import Chat, Provider
from tests.sink import Got, Sink

AGAIN = "2s"
"""`delivery.max_delay`: when what failed comes again, in place of 5 s and longer."""
PATIENT = {"delivery": {"timeout": "60s", "max_delay": AGAIN}}
"""However slow the machine is, no attempt is given up and made again: only a kill may cause a repetition."""


def fails_at_first(*, every: int) -> Callable[[Got], int]:
    """Answer 500 to one in ``every`` messages when it first comes, spread evenly, so that no chat waits much longer."""
    seen: set[str] = set()

    def script(got: Got) -> int:
        text = text_of(got)
        first = text not in seen
        seen.add(text)
        chat, place = text.split(":")
        return 500 if first and (int(chat) + int(place)) % every == every - 1 else 200

    return script


def text_of(got: Got) -> str:
    """The message's text, which is its id."""
    return str(got.json["content"])


async def until_delivered(sink: Sink, provider: Provider, seconds: float) -> None:
    """Wait until everything that the provider had accepted has arrived. Fails with what is missing."""
    wanted = {text for chat in provider.chats for text in chat.accepted}
    arrived: set[str] = set()
    looked_at = 0

    def done(sink: Sink) -> bool:
        nonlocal looked_at
        arrived.update(text_of(got) for got in sink.accepted[looked_at:])
        looked_at = len(sink.accepted)
        return wanted <= arrived

    try:
        await sink.until(done, seconds)
    except AssertionError as error:
        missing = sorted(wanted - arrived)
        raise AssertionError(f"{len(missing)} of {len(wanted)} lost or late: {missing[:20]}") from error


async def given_up(server: GatewayProcess) -> list[tuple[str, str]]:
    """Text and error of deliveries that the gateway counts as failed."""
    answer = await server.http.get("/api/jobs", params={"status": "failed"})
    assert answer.status_code == 200, answer.text
    return [(job["content"], job["error"]) for job in answer.json()["data"]]


def assert_in_order(sink: Sink, chats: Sequence[Chat]) -> None:
    """Each chat's messages arrived in the order of their acceptance; a repetition comes at once or not at all."""
    arrived: dict[str, list[str]] = {}
    for got in sink.accepted:
        text = text_of(got)
        arrived.setdefault(text.partition(":")[0], []).append(text)
    for chat in chats:
        once = [text for text, _ in groupby(arrived.get(f"{chat.number:03}", []))]
        assert once == chat.accepted, f"chat {chat.number}"


def repeated(sink: Sink) -> list[tuple[Got, Got]]:
    """For each message accepted again by the receiver: as it was accepted before, and as again."""
    last: dict[str, Got] = {}
    pairs: list[tuple[Got, Got]] = []
    for got in sink.accepted:
        text = text_of(got)
        if text in last:
            pairs.append((last[text], got))
        last[text] = got
    return pairs


def assert_explained(
    pairs: Sequence[tuple[Got, Got]], kills: Sequence[int], in_flight: int, survivor: Collection[int] = ()
) -> None:
    """Each repetition came first from a process that was killed, then from another; no kill explains too many.

    ``kills``: how many connections the receiver had seen when each was done. Whatever a dead process had sent came
    over one of these, since the receiver has its part in the greeting of TLS; when it was read says nothing, for a busy
    receiver reads late. ``survivor``: ports of the connections that another process had at the kill.
    """
    for before, again in pairs:
        assert before.peer not in survivor, (before, again)
        other = again.peer in survivor
        assert any(before.connection <= kill and (other or again.connection > kill) for kill in kills), (before, again)
    assert len(pairs) <= len(kills) * in_flight
