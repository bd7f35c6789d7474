"""What a plugin gets when no gateway runs: enough to say what it registers and to ask the outside, no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, NoReturn

from wagate.cli.errors import CommandError

if TYPE_CHECKING:
    from wagate.config import Config
    from wagate.hooks.context import PluginContext
    from wagate.plugins.loader import Plugin


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
        raise AbsentError(f"context.{self._name} is there only while a gateway runs")


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
