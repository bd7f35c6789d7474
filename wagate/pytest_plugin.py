"""What pytest finds when wagate is installed: fixtures for tests of plugins. They import when they are used."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from wagate.testing.context import Fakes
    from wagate.testing.gateway import RunningGateway
    from wagate.testing.server import FakeServer


@pytest.fixture
def wagate_context() -> Callable[..., Fakes]:
    """`wagate.testing.fake_context`: a plugin's context made of fakes, its outbox (``messages``) and clock included."""
    from wagate.testing.context import fake_context

    return fake_context


@pytest.fixture
def wagate_gateway() -> Callable[..., AbstractAsyncContextManager[RunningGateway]]:
    """`wagate.testing.gateway.running_gateway`: a whole gateway in this process, for ``async with`` in a trio test."""
    from wagate.testing.gateway import running_gateway

    return running_gateway


@pytest.fixture
def wagate_server() -> Callable[..., AbstractAsyncContextManager[FakeServer]]:
    """`wagate.testing.server.answering`: a real HTTP server on loopback, which answers and fails as it is told."""
    from wagate.testing.server import answering

    return answering
