"""A CPU profile of the running gateway, for the admin alone, one at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
import trio

from tests.provider_sites import Meta, gateway
from wagate.web.waha.cpu import DEEPEST, ONE, OTHERS, profile

PATH = "/api/server/debug/cpu"
VALUE = "what a customer wrote"


@contextmanager
def computing() -> Iterator[None]:
    """A thread uses a CPU meanwhile, and another one waits."""
    done = threading.Event()

    def compute(text: str) -> None:
        while not done.is_set():
            sum(len(text) for _ in range(1000))

    def wait_long() -> None:
        done.wait(60)

    threads = [threading.Thread(target=compute, args=(VALUE,), name=VALUE), threading.Thread(target=wait_long)]
    for each in threads:
        each.start()
    try:
        yield
    finally:
        done.set()
        for each in threads:
            each.join()


def spent(found: dict[str, Any]) -> dict[str, int]:
    """Function → microseconds of its own. AssertionError: it is no profile."""
    nodes = {each["id"]: each for each in found["nodes"]}
    children = [child for each in nodes.values() for child in each["children"]]
    root = found["nodes"][0]
    assert root["callFrame"]["functionName"] == "(root)"
    assert sorted([root["id"], *children]) == sorted(nodes), "it is a tree"
    frame = {"functionName", "scriptId", "url", "lineNumber", "columnNumber"}
    assert all(each["callFrame"].keys() == frame for each in nodes.values())
    assert len(found["samples"]) == len(found["timeDeltas"])
    assert sum(found["timeDeltas"]) == found["endTime"] - found["startTime"]
    assert sum(each["hitCount"] for each in nodes.values()) == len(found["samples"])
    told: dict[str, int] = {}
    for node, delta in zip(found["samples"], found["timeDeltas"], strict=True):
        name = nodes[node]["callFrame"]["functionName"]
        told[name] = told.get(name, 0) + delta
    return told


async def test_a_profile_names_the_functions_that_use_a_cpu_and_no_value() -> None:
    async with gateway(Meta()) as found:
        with computing():
            answer = await found.http.get(PATH, params={"seconds": 1})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        told = spent(answer.json())
        assert max((name for name in told if name != "(idle)"), key=lambda name: told[name]).startswith("computing")
        assert all("wait_long" not in name for name in told), "who waits uses nothing"
        assert VALUE not in answer.text
        assert f"({OTHERS})" in answer.text


async def test_one_profile_is_taken_at_a_time_and_ends_with_its_client() -> None:
    async with gateway(Meta()) as found:
        answers: list[httpx2.Response] = []

        async def ask(seconds: int | None) -> None:
            query = {} if seconds is None else {"seconds": seconds}
            answers.append(await found.http.get(PATH, params=query))

        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask, None)
                while not ONE.locked():
                    await trio.sleep(0.01)
                await ask(1)
            assert sorted(each.status_code for each in answers) == [200, 409]
            [refused] = [each for each in answers if each.status_code == 409]
            assert refused.json()["message"].startswith("another profile")

            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask, 30)
                while not ONE.locked():
                    await trio.sleep(0.01)
                assert (await found.http.get(PATH)).status_code == 409
                nursery.cancel_scope.cancel()
            while ONE.locked():
                await trio.sleep(0.01)


async def test_only_the_admin_gets_one_and_its_time_is_bounded() -> None:
    async with gateway(Meta()) as found:
        theirs = {"Authorization": f"Bearer {(await found.client('theirs'))['token']}"}
        assert (await found.http.get(PATH, params={"seconds": 1}, headers=theirs)).status_code == 403
        for seconds in ("0", "31", "nan", "much"):
            answer = await found.http.get(PATH, params={"seconds": seconds})
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "?seconds")


def test_a_stop_ends_it_and_what_is_called_too_deep_counts_for_its_caller() -> None:
    began, done = threading.Event(), threading.Event()

    def deep(depth: int) -> None:
        began.set()
        if depth:
            deep(depth - 1)
        while not done.is_set():
            sum(range(1000))

    thread = threading.Thread(target=deep, args=(300,))
    thread.start()
    began.wait(10)
    asked = iter([*[False] * 20, True])
    try:
        found = profile(60, lambda: next(asked))
    finally:
        done.set()
        thread.join()
    spent(found)
    assert found["endTime"] - found["startTime"] < 30_000_000
    assert sum(each["callFrame"]["functionName"].endswith(".deep") for each in found["nodes"]) in range(100, DEEPEST)


@pytest.mark.parametrize("seconds", [1.5])
async def test_seconds_may_be_a_part(seconds: float) -> None:
    async with gateway(Meta()) as found:
        told = spent((await found.http.get(PATH, params={"seconds": seconds})).json())
        assert sum(told.values()) > 1_400_000
