"""A number whose token is refused: the reason and the field that mends it on its page, and what comes of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest

from tests.flow.dashboard import browser, fields_of
from tests.flow.test_dashboard_numbers import add, shows
from tests.inprocess import Gateway, running_gateway
from tests.sink import Got, Sink, https_sink

PAGE = "/ui/numbers/front"
RIGHT, WRONG = "the-key-of-the-engine", "some-other-key-of-old"
SENT = b'{"success": true, "state": "CONNECTED", "message": {"id": {"_serialized": "true_5511911112222@c.us_A1"}}}'
AT_ONCE = {"Prefer": "respond-async"}
"""The answer waits for no provider: a number that is refused sends nothing, and its sender would wait ten seconds."""
MESSAGE = {"account": "front", "to": "+5511911112222", "message": {"text": "hello"}}


def keeps_out(got: Got) -> int:
    """An engine with a key."""
    return 200 if got.headers.get("x-api-key") == RIGHT else 401


@pytest.fixture
async def engine() -> AsyncIterator[Sink]:
    async with https_sink() as sink:
        sink.script, sink.says = keeps_out, lambda _: SENT
        yield sink


@pytest.fixture
async def running(engine: Sink) -> AsyncIterator[Gateway]:
    base = engine.url.removesuffix("/hook")
    fixed = {"provider": "session", "phone": "15550001111", "base_url": base, "api_key": WRONG}
    tables = {"delivery": {"allow_networks": ["127.0.0.0/8"]}, "accounts.fixed": fixed}
    async with running_gateway(tables, ca_file=engine.ca_file) as gateway:
        yield gateway


@pytest.fixture
async def http(running: Gateway) -> AsyncIterator[httpx2.AsyncClient]:
    async with browser(running) as client:
        yield client


async def refused(running: Gateway, http: httpx2.AsyncClient, engine: Sink) -> str:
    """The number's page, once its engine refused a message."""
    base = engine.url.removesuffix("/hook")
    await add(http, "session", name="front", client="default", **{"s.base_url": base, "s.api_key": WRONG})
    await running.http.post("/messages/send", json=MESSAGE, headers=AT_ONCE)
    return await shows(running, http, PAGE, "Token refused")


async def test_a_new_token_is_given_where_the_old_one_is_refused(
    running: Gateway, http: httpx2.AsyncClient, engine: Sink
) -> None:
    page = await refused(running, http, engine)
    assert "compare api_key with the engine&#39;s API_KEY" in page
    assert 'name="s.api_key" type="password" value=""' in page
    assert WRONG not in page
    overview = (await http.get("/ui/")).text
    assert "lets it send nothing" not in overview
    assert 'href="/ui/numbers/front#trouble"' in overview
    form = fields_of(await http.get(PAGE))
    empty = await http.post(f"{PAGE}/mend", data=form | {"s.api_key": " "})
    assert (empty.status_code, "Nothing was given" in empty.text) == (422, True)
    still = await http.post(f"{PAGE}/mend", data=form | {"s.api_key": "another-wrong-key-here"})
    assert still.headers["location"] == f"{PAGE}?said=stillwrong"
    assert "something is still wrong" in (await http.get(still.headers["location"])).text
    mended = await http.post(f"{PAGE}/mend", data=form | {"s.api_key": RIGHT})
    assert mended.headers["location"] == f"{PAGE}?said=accepted"
    page = (await http.get(mended.headers["location"])).text
    assert "its provider accepts it" in page
    assert 'id="trouble"' not in page
    await engine.until(lambda sink: any(b"hello" in got.body for got in sink.accepted if got.path))
    audit = (await http.get("/ui/audit")).text
    assert "new: API key" in audit
    assert RIGHT not in audit


async def test_of_a_number_in_the_configuration_the_file_and_the_key_are_named(
    running: Gateway, http: httpx2.AsyncClient
) -> None:
    await running.http.post("/messages/send", json=MESSAGE | {"account": "fixed"}, headers=AT_ONCE)
    page = await shows(running, http, "/ui/numbers/fixed", "Token refused")
    for text in ("[accounts.fixed]", "<code>api_key</code>", "config.toml</code>", "<code>wagate reload</code>"):
        assert text in page
    assert "/mend" not in page
    answer = await http.post("/ui/numbers/fixed/mend", data=fields_of(await http.get("/ui/")) | {"s.api_key": RIGHT})
    assert (answer.status_code, "change it there" in answer.text) == (422, True)


async def test_what_a_provider_did_not_answer_is_not_called_accepted(http: httpx2.AsyncClient, engine: Sink) -> None:
    base, engine.script = engine.url.removesuffix("/hook"), lambda _: 503
    for provider, settings in (("session", {}), ("dialog360", {"s.base_url": base, "s.api_key": WRONG})):
        await add(http, provider, name=provider, client="default", **settings)
        page = f"/ui/numbers/{provider}"
        mended = await http.post(f"{page}/mend", data=fields_of(await http.get(page)) | {"s.api_key": RIGHT})
        assert mended.headers["location"] == f"{page}?said=unshown"
        assert "has not confirmed it yet" in (await http.get(mended.headers["location"])).text


async def test_what_is_wrong_is_said_also_once_nothing_is_to_be_mended(http: httpx2.AsyncClient, engine: Sink) -> None:
    base = engine.url.removesuffix("/hook")
    await add(http, "session", name="front", client="default", **{"s.base_url": base, "s.api_key": RIGHT})
    form = fields_of(await http.get(PAGE))
    for typed, said in (
        ({"s.api_key": " "}, "API key: Nothing was given."),
        ({}, "Nothing was given."),
        ({"s.base_url": "nowhere"}, "Base URL: "),
    ):
        answer = await http.post(f"{PAGE}/mend", data=form | typed)
        assert (answer.status_code, f'role="alert"><span>{said}' in answer.text) == (422, True), answer.text


async def test_a_number_is_mended_whatever_its_name(running: Gateway, http: httpx2.AsyncClient, engine: Sink) -> None:
    base, page = engine.url.removesuffix("/hook"), "/ui/numbers/a%2Bb%40c%3Ad"
    await add(http, "session", name="a+b@c:d", client="default", **{"s.base_url": base, "s.api_key": WRONG})
    await running.http.post("/messages/send", json=MESSAGE | {"account": "a+b@c:d"}, headers=AT_ONCE)
    await shows(running, http, page, "Token refused")
    mended = await http.post(f"{page}/mend", data=fields_of(await http.get(page)) | {"s.api_key": RIGHT})
    assert mended.headers["location"] == f"{page}?said=accepted"


async def test_nobody_else_mends_it(running: Gateway, http: httpx2.AsyncClient, engine: Sink) -> None:
    await refused(running, http, engine)
    async with browser(running, (await running.client("bakery"))["token"]) as theirs:
        form = fields_of(await theirs.get("/ui/"))
        answer = await theirs.post(f"{PAGE}/mend", data=form | {"s.api_key": RIGHT})
        assert answer.status_code == 404
