"""The wall around a plugin's code: whatever it raises is a failure of this plugin, and of what it was asked to do."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Iterator
from typing import Any, TypeVar

import trio

from wagate.errors import PluginError, WagateError
from wagate.plugins.values import WrongValueError, named

E = TypeVar("E", bound=BaseException)


def pass_on(error: BaseException) -> None:
    """Raise it again when it is not the plugin's: trio's Cancelled, or an interrupt that came by a signal.

    Of a group only these go on. Call it first where a plugin's BaseException is caught.
    """
    if isinstance(error, Exception):
        return
    if isinstance(error, BaseExceptionGroup):
        ours = error.subgroup(_is_ours)
        if ours is not None:
            raise ours
    elif _is_ours(error):
        raise error


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors in a group, or the one that it is."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from leaves(each)
    else:
        yield error


def broken(plugin: str, call: str, error: BaseException) -> PluginError:
    """What a plugin raised or gave in ``call``, in our words; `pass_on` what is not its own.

    Its own text stays away: it may hold anything. Ours (a WagateError's) is written for people.
    """
    pass_on(error)
    match error:
        case PluginError():
            return PluginError(error.plugin, error.what)
        case WrongValueError():
            return PluginError(plugin, f"{call} gave {error}")
        case WagateError():
            return PluginError(plugin, f"{call}: {error}")
    first = next(leaves(error))
    return PluginError(plugin, f"{call} raised {named(first)}{_place(first)}")


def whose(error: BaseException) -> dict[str, str]:
    """For a log line: the plugin that an error is of, as ``plugin``; {} when it is nobody's."""
    return next(({"plugin": each.plugin} for each in leaves(error) if isinstance(each, PluginError)), {})


def instead(told: E, error: BaseException) -> E:
    """What to raise in place of an error: with that as its cause, unless it is that one."""
    if told is not error:
        told.__cause__ = error
    return told


async def awaited(value: Any) -> Any:
    """What a plugin's async function gave. WrongValueError: it is no such function."""
    if not hasattr(value, "__await__"):
        raise WrongValueError(f"{named(value)}, nothing to await")
    return await value


def _is_ours(error: BaseException) -> bool:
    if isinstance(error, trio.Cancelled):
        return True
    return isinstance(error, KeyboardInterrupt) and not _takes_interrupts()


def _takes_interrupts() -> bool:
    """Whether SIGINT goes to a receiver of our own, so that no KeyboardInterrupt comes of it."""
    handler = signal.getsignal(signal.SIGINT)
    by_trio = getattr(handler, "__module__", "") == "trio._core._ki"
    return not (handler is signal.default_int_handler or by_trio)


def _place(error: BaseException) -> str:
    """Where it was raised: the innermost line, as `` (file.py:12)``."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno})" if frames else ""
