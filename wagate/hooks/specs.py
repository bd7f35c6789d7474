"""The hooks: synchronous; all but ``choose_account`` are called once, at start, and what they return may be async."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import pluggy

if TYPE_CHECKING:
    import quart
    import typer

    from wagate.hooks.context import PluginContext
    from wagate.hooks.contracts import AccountView, Handler, Task
    from wagate.hooks.messages import OutMessage
    from wagate.hooks.panels import Panel
    from wagate.hooks.providers import Check, Provider

F = TypeVar("F", bound=Callable[..., Any])

PROJECT = "wagate"
"""Name of pluggy's project and of the entry point group of connectors: each is on when its table is there."""
PROVIDERS = "wagate.providers"
"""The entry point group of providers: each that is installed is available."""

_spec = pluggy.HookspecMarker(PROJECT)
_impl = pluggy.HookimplMarker(PROJECT)


def hookimpl(function: F) -> F:
    """Mark a function of a plugin as the implementation of the hook of the same name."""
    return _impl(function)


class Hooks:
    """What a plugin may implement; every hook is optional.

    wagate checks everything that a plugin returns or raises. A wrong value at the start is reported in one line with
    the plugin's name, and the gateway does not start. Later, only the call that returned it fails, and the delivery and
    the log name the plugin and the type. Every exception except trio's Cancelled is a failure, SystemExit too.
    Values must have exactly the declared types: wagate converts none; numbers are finite, times have a zone.
    ``wagate check`` calls all hooks with a context that does nothing: use it in what you return, not in the hook.
    """

    @_spec
    def settings_type(self) -> type[msgspec.Struct]:  # type: ignore[empty-body]
        """The typed settings of ``[plugins.<name>]``: defaults filled in, unknown keys refused."""

    @_spec
    def check_settings(self, context: PluginContext) -> Iterable[str]:  # type: ignore[empty-body]
        """Find problems in settings that take too long to check at every start; name the key first, then the cure.

        Only ``wagate check`` calls it, outside the event loop; it may take seconds, and asks no other machine.
        """

    @_spec
    def take_settings(self, context: PluginContext, settings: msgspec.Struct) -> Callable[[], None] | None:
        """New settings while the gateway serves: what puts them in force, or None when only a restart does.

        Called by ``wagate reload`` when ``[plugins.<name>]`` or a secret in it has changed. Check them here, and change
        nothing yet: when this raises, here or in another plugin, the whole reload is refused. ``context.settings``
        stays as it was at the start. Without this hook, the answer says that a restart is needed.
        """

    @_spec
    def register_handlers(self, context: PluginContext) -> Iterable[Handler]:  # type: ignore[empty-body]
        """Handlers of events: push (wagate calls the target) or pull (workers take jobs).

        ``targets`` yields `Target`s whose ids are printable and have no "|". If it fails, this handler's deliveries of
        the event are routed again by the retry schedule. ``handle`` returns `Receipt` or None. If it returns anything
        else, the delivery fails permanently, since the request has been made. An ``after`` below 1 s or above a day is
        changed to that limit. An ``after`` that is no number, or any other exception, is one failed attempt.
        """

    @_spec
    def register_providers(self, context: PluginContext) -> Iterable[Provider]:  # type: ignore[empty-body]
        """Providers: ways to reach WhatsApp. An account names one in ``provider``.

        A request is verified if ``verify`` returns None or True. False is answered 401, any other value or exception
        503, and the request is not taken in. If ``parse`` returns something other than `NewEvent`, that becomes
        an event of kind ``unknown`` with the whole body. If ``send`` returns something other than `Sent`,
        the message's outcome is unknown. A `SendError` with wrong fields keeps its class and loses those fields.
        """

    @_spec
    def register_routes(self, context: PluginContext) -> Iterable[quart.Blueprint]:  # type: ignore[empty-body]
        """HTTP routes, under ``/plugins/<name>/`` unless the blueprint has a prefix. An exception is answered 503."""

    @_spec
    def register_tasks(self, context: PluginContext) -> Iterable[Task]:  # type: ignore[empty-body]
        """Long-running tasks. A task that raises is restarted with backoff; one that returns has ended."""

    @_spec(firstresult=True)
    def choose_account(self, message: OutMessage, accounts: Sequence[AccountView]) -> str | None:
        """The account to send this message from, or None to leave the choice to the next plugin or to wagate.

        Called for every message that names no account, if its client has several. It must be quick and have no side
        effects. If it fails, or names an account that is not in the list, the next plugin or wagate chooses.
        """

    @_spec
    def register_checks(self, context: PluginContext) -> Iterable[Check]:  # type: ignore[empty-body]
        """Checks of this plugin for ``wagate doctor``: functions that return their findings within 15 s."""

    @_spec
    def register_panels(self, context: PluginContext) -> Iterable[Panel]:  # type: ignore[empty-body]
        """Panels on the dashboard: on a page of the plugin, and on the pages of its receivers.

        ``render`` gives data, of which wagate makes the page, and has 1 s. A panel that fails, is late or gives
        anything else costs that panel only, and the page says so. Never show one client another client's data: see
        `PanelAsked.client_id`.
        """

    @_spec
    def register_commands(self) -> Iterable[typer.Typer]:  # type: ignore[empty-body]
        """Commands for ``wagate <plugin> …``."""

    @_spec
    def lifespan(self, context: PluginContext) -> AbstractAsyncContextManager[None]:  # type: ignore[empty-body]
        """A context around all traffic: entered before the first delivery, left after the last.

        If it does not yield within 30 s, the gateway does not start. An exit that takes over 5 s is cancelled. If it
        ends in between, the gateway goes on, and ``/health`` says that the plugin does not work.
        """
