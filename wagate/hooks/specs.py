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

    What a plugin gives or raises is checked where it enters. At the start a wrong thing is one line with the plugin's
    name, and the gateway does not start; later it is the failure of what the plugin was asked for, with plugin and type
    in the job and the log. Every exception but trio's Cancelled is such a failure, SystemExit too. Structs are held to
    their types, without conversions; numbers are finite, times are aware. ``wagate check`` calls all hooks with a
    context behind which nothing runs; use its parts in what you return, not in the hook.
    """

    @_spec
    def settings_type(self) -> type[msgspec.Struct]:  # type: ignore[empty-body]
        """The typed settings of ``[plugins.<name>]``: defaults filled in, unknown keys refused."""

    @_spec
    def take_settings(self, context: PluginContext, settings: msgspec.Struct) -> Callable[[], None] | None:
        """New settings while the gateway serves: what puts them in force, or None when only a restart does.

        Called by ``wagate reload`` when ``[plugins.<name>]`` or a secret in it has changed. Check them here, and change
        nothing yet: when this raises, here or in another plugin, the whole reload is refused. ``context.settings``
        stays as it was at the start. Without this hook, the answer says that a restart is needed.
        """

    @_spec
    def register_handlers(self, context: PluginContext) -> Iterable[Handler]:  # type: ignore[empty-body]
        """Handlers of events: push (we call the target) or pull (somebody takes jobs).

        ``targets`` gives `Target`s of printable ids without "|"; a wrong one delays this handler's deliveries of the
        event, which are routed again by the retry schedule. ``handle`` returns `Receipt` or None: a return of anything
        else is final, since its work is done. An ``after`` is brought between 1 s and a day. What can't be read as
        seconds, and whatever else is raised, is one failed attempt.
        """

    @_spec
    def register_providers(self, context: PluginContext) -> Iterable[Provider]:  # type: ignore[empty-body]
        """Ways to WhatsApp; an account names one in ``provider``.

        ``verify`` returns None or True: False is 401, and anything else, an exception too, is 503 and believes nobody.
        An item of ``parse`` that is no `NewEvent` becomes one event of kind ``unknown`` with the whole body. When
        ``send`` gives no `Sent`, nobody knows whether the message left; an error of its with wrong fields keeps its
        class, and loses the fields.
        """

    @_spec
    def register_routes(self, context: PluginContext) -> Iterable[quart.Blueprint]:  # type: ignore[empty-body]
        """HTTP routes; under ``/plugins/<name>/`` unless the blueprint names its own prefix. An exception is a 503."""

    @_spec
    def register_tasks(self, context: PluginContext) -> Iterable[Task]:  # type: ignore[empty-body]
        """Long-running tasks: restarted with backoff after any exception, and over when they return."""

    @_spec(firstresult=True)
    def choose_account(self, message: OutMessage, accounts: Sequence[AccountView]) -> str | None:
        """The name of the account that sends this message, or None to leave it to the next plugin or to the core.

        Called for every message that names no account, when its client has several; quick, and without side effects.
        When it fails, or names an account that is not among them, the next plugin or the core chooses.
        """

    @_spec
    def register_checks(self, context: PluginContext) -> Iterable[Check]:  # type: ignore[empty-body]
        """What ``wagate doctor`` asks for this plugin: functions that say what they found, 15 s each."""

    @_spec
    def register_commands(self) -> Iterable[typer.Typer]:  # type: ignore[empty-body]
        """Commands for ``wagate <plugin> …``."""

    @_spec
    def lifespan(self, context: PluginContext) -> AbstractAsyncContextManager[None]:  # type: ignore[empty-body]
        """One context around all traffic: entered before the first delivery, left after the last.

        It has 30 s until it yields, else the gateway does not start, and 5 s for its end, else it is cancelled. When it
        breaks in between, the log says so and the gateway goes on.
        """
