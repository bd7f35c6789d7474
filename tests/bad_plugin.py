"""A plugin that does what a test tells it, installed as if by pip."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from unittest.mock import patch

from tests.fake_provider import Point
from wagate.hooks import hookimpl
from wagate.plugins import loader

NAME = "bad"
ENDPOINT: dict[str, Any] = {
    "client_id": 1,
    "phone_number": "*",
    "name": "a",
    "webhook_url": "https://a.example",
    "max_retries": 3,
    "events": ["*"],
    "metadata": {},
    "secrets": [],
}
"""Fields of a `NewEndpoint` in which nothing is wrong."""


def plugin(**hooks: Callable[..., Any]) -> ModuleType:
    """A module with these hooks."""
    module = ModuleType(f"wagate_{NAME}")
    for name, function in hooks.items():
        setattr(module, name, hookimpl(function))
    return module


@contextmanager
def bad_plugin(**hooks: Callable[..., Any]) -> Iterator[dict[str, dict[str, Any]]]:
    """It is installed; the table that switches it on."""
    points = {**loader.installed(), NAME: Point(NAME, plugin(**hooks))}
    with patch("wagate.plugins.loader.installed", lambda: points):
        yield {f"plugins.{NAME}": {}}
