"""Call all that a plugin implements, with a context behind which nothing runs, and say what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn

from wagate.cli.errors import CommandError
from wagate.errors import WagateError

if TYPE_CHECKING:
    from wagate.config import Config
    from wagate.hooks.context import PluginContext
    from wagate.hooks.contracts import Handler
    from wagate.plugins.loader import Plugin

REGISTERS: Final = ("register_providers", "register_routes", "register_tasks", "register_checks", "register_panels")


def faults(plugin: Plugin, context: PluginContext) -> list[str]:
    """One line for each thing that is wrong; [] when nothing is, as far as it can be seen without a gateway."""
    from wagate.hooks.messages import OutMessage

    hooks = set(plugin.implements())
    calls: list[Callable[[], Any]] = [
        partial(plugin.gather, hook, context=context) for hook in REGISTERS if hook in hooks
    ]
    if "register_commands" in hooks:
        calls.append(partial(plugin.gather, "register_commands"))
    if "lifespan" in hooks:
        calls.append(partial(plugin.lifespans, context))
    if "choose_account" in hooks:
        message = OutMessage(chat="15550000512@c.us", type="text", text="hello")
        calls.append(partial(plugin.choose_account, message, [_account("a"), _account("b")]))
    found = [line for call in calls for line in _tried(call)]
    if "check_settings" in hooks:
        found += _told_by(plugin, context)
    if "register_handlers" in hooks:
        found += _handlers(plugin, context)
    return found


def _handlers(plugin: Plugin, context: PluginContext) -> Iterator[str]:
    handlers: Sequence[Handler] = []
    try:
        handlers = plugin.gather("register_handlers", context=context)
    except WagateError as error:
        yield from _told(error)
    for handler in handlers:
        yield from _tried(partial(handler.targets, _sample()))
        yield from _tried(partial(handler.limits, "a"))


def _told_by(plugin: Plugin, context: PluginContext) -> list[str]:
    """What the plugin itself finds wrong with its settings."""
    try:
        return [f"plugins.{plugin.name}.{line}" for line in plugin.gather("check_settings", context=context)]
    except WagateError as error:
        return _told(error)


def _tried(call: Callable[[], Any]) -> list[str]:
    try:
        call()
    except WagateError as error:
        return _told(error)
    return []


def _told(error: WagateError) -> list[str]:
    """Its line; none when it asked for what only a gateway has."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, AbsentError):
            return []
        cause = cause.__cause__
    return [str(error)]


def _account(name: str) -> Any:
    from wagate.hooks.contracts import AccountView

    return AccountView(name=name, client_id=1, provider="meta", phone="15550000100", metadata={})


def _sample() -> Any:
    from wagate.events import Event

    now = datetime.now(UTC)
    return Event(
        id="0198c5b2-0000-7000-8000-000000000000",
        kind="message",
        account="a",
        phone="15550000100",
        provider="meta",
        client_id=1,
        tenant="default",
        created_at=now,
        timestamp=now,
        chat="15550000512@c.us",
        sender="15550000512@c.us",
        message_id="wamid.1",
        type="text",
        content="hello",
    )


class AbsentError(CommandError):
    """Something was asked of a part that only a running gateway has."""


class Absent:
    """A part that only a running gateway has: it may be passed on, and not be used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Absent:
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent(f"{self._name}.{name}")

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse."""
        raise AbsentError(f"context.{self._name} is available only while a gateway is running")


class NoEndpoints(Absent):
    """The table of endpoints, before anybody registered one."""

    def snapshot(self) -> Mapping[int, Sequence[Any]]:
        """None."""
        return {}

    def active(self, _endpoint_id: str) -> None:
        """None."""


class NoAccounts(Absent):
    """Accounts and clients, before there are any."""

    def get(self, _name: str) -> None:
        """None."""

    def by_phone(self, _client_id: int, _phone: str) -> None:
        """None."""

    def client(self, _client_id: int) -> None:
        """None."""

    def clients(self) -> Sequence[Any]:
        """None."""
        return ()

    def of(self, _client_id: int) -> Sequence[Any]:
        """None."""
        return ()


def inert_context(config: Config, plugin: Plugin) -> PluginContext:
    """The context of a plugin without a gateway behind it."""
    import structlog

    from wagate import __version__
    from wagate.clock import Clock
    from wagate.hooks.context import PluginContext
    from wagate.process.assemble import http_client

    parts: dict[str, Any] = {field.name: Absent(field.name) for field in fields(PluginContext)}
    delivery = config.delivery
    return PluginContext(
        **parts
        | {
            "name": plugin.name,
            "settings": plugin.settings,
            "public_url": config.server.public_url,
            "version": __version__,
            "allow_http": delivery.allow_http,
            "max_retries": delivery.max_retries,
            "timeout": delivery.timeout,
            "http": http_client(config),
            "log": structlog.get_logger(f"wagate.plugins.{plugin.name}").bind(plugin=plugin.name),
            "accounts": NoAccounts("accounts"),
            "endpoints": NoEndpoints("endpoints"),
            "clock": Clock(),
            "on_change": lambda _listener: None,
        }
    )
