"""The command line."""

from wagate.cli.root import app, main

__all__ = ["app", "main"]
