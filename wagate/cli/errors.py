"""How a command fails."""

from __future__ import annotations

from wagate.errors import WagateError


class CommandError(WagateError):
    """The command was refused or can't be done; the message is one clear line for the terminal. Exit code 1."""


class NoGatewayError(CommandError):
    """No running gateway could be reached."""


class UsageError(CommandError):
    """The command was called wrongly. Exit code 2."""
