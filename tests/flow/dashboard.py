"""A person at the dashboard, without a browser: signs in, fills in forms, follows where they lead."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from tests.gateway import TOKEN
from tests.inprocess import Gateway, running_gateway
from tests.sink import Sink, https_sink


@pytest.fixture
async def receiver() -> AsyncIterator[Sink]:
    """Who gets the messages."""
    async with https_sink() as sink:
        yield sink


@pytest.fixture
async def running(receiver: Sink) -> AsyncIterator[Gateway]:
    """A gateway that the receiver can be registered at."""
    tables = {"delivery": {"allow_networks": ["127.0.0.0/8"]}}
    async with running_gateway(tables, ca_file=receiver.ca_file) as gateway:
        yield gateway


@asynccontextmanager
async def browser(gateway: Gateway, token: str = TOKEN, **form: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody who is signed in."""
    async with httpx2.AsyncClient(base_url=gateway.url, trust_env=False, verify=False, timeout=60) as http:
        answer = await http.post("/ui/signin", data={"token": token} | form)
        assert (answer.status_code, answer.headers["location"]) == (303, "/ui/")
        yield http


def fields_of(page: httpx2.Response) -> dict[str, Any]:
    """What every form of the page sends along: the secret of the sign-in, and the key by which it counts once."""
    found = {name: re.search(rf'name="{name}" value="([^"]+)"', page.text) for name in ("csrf", "once")}
    assert found["csrf"] is not None, page.text
    return {name: match[1] for name, match in found.items() if match is not None}


async def press(http: httpx2.AsyncClient, page: str, action: str, **fields: Any) -> httpx2.Response:
    """Fill in the form of a page that posts there, and follow to where it leads."""
    shown = await http.get(page)
    assert f'action="{action}"' in shown.text, shown.text
    answer = await http.post(action, data=fields_of(shown) | fields)
    assert answer.status_code == 303, answer.text
    return await http.get(answer.headers["location"])
