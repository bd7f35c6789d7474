"""Which deliveries a command is about: the same options everywhere, with a gateway and without."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Annotated, Any, get_type_hints

import msgspec
import typer
from msgspec.structs import replace

from wagate.cli.errors import UsageError
from wagate.rules.filters import DeliveryFilter
from wagate.rules.states import Status


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries, and whose."""

    which: DeliveryFilter
    client: str | None
    """Slug or id; None: those of all that the token may see."""

    def only(self, state: Status | None) -> Chosen:
        """Those in this state; None: in any."""
        return replace(self, which=replace(self.which, status=state))

    def by_name(self, targets: Iterable[Mapping[str, Any]]) -> Chosen:
        """Those for the target that is called so, of ``targets`` (``id``, ``name``); an id comes first. UsageError."""
        given, handler = self.which.target, self.which.handler
        mine = [row for row in targets if handler in {None, row["id"].partition(":")[0]}]
        named = sorted({row["id"] for row in mine if row["name"] == given})
        if not named or any(row["id"].partition(":")[2] == given for row in mine):
            return self
        if len(named) > 1:
            raise UsageError(f"{given!r} could be {len(named)} targets, such as {', '.join(named[:3])}; give the id")
        handler, _, own_id = named[0].partition(":")
        return replace(self, which=replace(self.which, handler=handler, target=own_id))

    @property
    def params(self) -> dict[str, str]:
        """The query of ``GET /api/jobs``."""
        chosen = {"connector" if name == "handler" else name: value for name, value in _set(self.which).items()}
        return chosen | ({"client": self.client} if self.client else {})


def choose(
    *,
    connector: Annotated[str | None, typer.Option(help="Only those of this connector.")] = None,
    target: Annotated[
        str | None, typer.Option(help="Only those for this target: its name, a webhook's id, or webhook:<id>.")
    ] = None,
    client: Annotated[str | None, typer.Option(help="Only those of this client, by slug or id.")] = None,
    account: Annotated[str | None, typer.Option(help="Only those of this account.")] = None,
    chat: Annotated[str | None, typer.Option(help="Only those of this chat: +15551234567, 15551234567@c.us.")] = None,
    message_id: Annotated[str | None, typer.Option(help="Only those of this message.")] = None,
    stuck: Annotated[bool, typer.Option("--stuck", help="Only stuck ones, which need manual action.")] = False,
    error: Annotated[str | None, typer.Option(help="Only those whose last error contains this text.")] = None,
    since: Annotated[str | None, typer.Option(help="Only those stored since: 2h, 30d, or a time (2026-01-31).")] = None,
    until: Annotated[str | None, typer.Option(help="Only those stored before; written like --since.")] = None,
) -> Chosen:
    """What the options mean. UsageError."""
    now = datetime.now(UTC)
    named, colon, own_id = (target or "").partition(":")
    if colon and connector in {None, named}:  # as lists print it
        connector, target = named, own_id
    which = DeliveryFilter(
        handler=connector or None,
        target=target or None,
        account=account or None,
        chat=_key(chat) if chat else None,
        message_id=message_id or None,
        stuck=stuck or None,
        error=error or None,
        since=moment_of(since, "since", now=now) if since else None,
        until=moment_of(until, "until", now=now) if until else None,
    )
    return Chosen(which=which, client=client or None)


def takes_filters(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `choose`, and what they mean as ``which``."""
    options = inspect.signature(choose, eval_str=True).parameters
    own = inspect.signature(command, eval_str=True).parameters

    @wraps(command)
    def run(**given: Any) -> None:
        chosen = choose(**{name: given.pop(name) for name in options})
        command(which=chosen, **given)

    shown = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*own.values(), *options.values())]
    run.__signature__ = inspect.Signature([each for each in shown if each.name != "which"])  # type: ignore[attr-defined]
    run.__annotations__ = get_type_hints(command) | get_type_hints(choose)
    return run


def moment_of(text: str, option: str, *, now: datetime) -> datetime:
    """``2h`` ago, or the time that is written; a time without a zone is this machine's. UsageError."""
    from wagate.config import Duration

    try:
        return now - timedelta(seconds=Duration(text))
    except (ValueError, OverflowError):
        pass
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f'--{option} {text!r}: write "2h", "30d", or a time such as "2026-01-31T12:00"') from error


def _key(chat: str) -> str:
    from wagate.parsing.chats import chat_key

    return chat_key(chat)


def _set(which: DeliveryFilter) -> dict[str, str]:
    fields = {name: value for name, value in msgspec.structs.asdict(which).items() if value is not None}
    return {name: _text(value) for name, value in fields.items()}


def _text(value: Any) -> str:
    match value:
        case datetime():
            return _moment(value)
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def _moment(when: datetime) -> str:
    # With all its digits: what was stored within the same millisecond is on one side of it.
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")
