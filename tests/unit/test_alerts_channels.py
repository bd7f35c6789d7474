"""Alerts leave by Apprise's own process, over loopback, and by WhatsApp; no secret comes back."""

from __future__ import annotations

import email
import email.policy
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from msgspec.structs import replace

from tests.sink import https_sink
from wagate.errors import SendError
from wagate.hooks import AccountView
from wagate.testing import Fakes, fake_context, routes_client
from wagate_alerts import lines, plugin
from wagate_alerts.lines import Alert, NotTakenError, make_lines
from wagate_alerts.settings import Channel, Settings

ALERT = Alert(title="wagate: Order bot does not answer", text="214 messages wait.\nhttps://g.example/ui/x", key="k")
LONG = 120.0
"""Seconds for a process that starts: the machine may be busy."""


@asynccontextmanager
async def mail_server() -> AsyncIterator[tuple[int, list[bytes]]]:
    """SMTP as far as one message needs it (RFC 5321), on loopback: its port, and the messages."""
    got: list[bytes] = []

    async def serve(stream: trio.SocketStream) -> None:
        await stream.send_all(b"220 localhost ESMTP\r\n")
        waiting, data = b"", b""
        reading = False
        async for some in stream:
            waiting += some
            while b"\r\n" in waiting:
                line, _, waiting = waiting.partition(b"\r\n")
                if reading and line != b".":
                    data += line.removeprefix(b".") + b"\r\n"
                    continue
                if reading:
                    got.append(data)
                    reading, data, answer = False, b"", b"250 taken"
                elif line.upper().startswith(b"DATA"):
                    reading, answer = True, b"354 go on"
                elif line.upper().startswith(b"QUIT"):
                    await stream.send_all(b"221 bye\r\n")
                    return
                else:
                    answer = b"250 localhost"
                await stream.send_all(answer + b"\r\n")

    async with trio.open_nursery() as nursery:
        [listener, *_] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield listener.socket.getsockname()[1], got
        nursery.cancel_scope.cancel()


def account(fakes: Fakes, name: str, client_id: int = 1) -> None:
    made = AccountView(name=name, client_id=client_id, provider="waha", phone="12025550100", metadata={})
    fakes.accounts.accounts[name] = made


def lines_of(fakes: Fakes, **channels: Channel) -> Any:
    return make_lines(fakes.context, Settings(channels=channels))


async def test_an_alert_leaves_over_https_with_title_and_text(monkeypatch: pytest.MonkeyPatch) -> None:
    async with https_sink() as sink:
        monkeypatch.setenv("SSL_CERT_FILE", str(sink.ca_file))
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # ignored
        url = sink.url.replace("https://", "jsons://")
        (send,) = lines_of(fake_context("alerts"), chat=Channel(apprise=url)).values()
        assert await send(ALERT) == ""
    (got,) = sink.got
    assert (got.json["title"], got.json["message"]) == (ALERT.title, ALERT.text)
    assert "http" not in str(
        {key: value for key, value in got.json.items() if key != "message"}
    )  # no picture elsewhere


async def test_an_alert_leaves_by_mail() -> None:
    async with mail_server() as (port, got):
        url = f"mailto://127.0.0.1:{port}?from=wagate@g.example&to=night@shop.example&mode=insecure"
        await lines.send_by_apprise(url, ALERT.title, ALERT.text, seconds=LONG)
    (raw,) = got
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert (message["subject"], message["to"]) == (ALERT.title, "night@shop.example")
    body = message.get_body(("plain",))
    assert body is not None
    assert [each.rstrip() for each in body.get_content().strip().splitlines()] == ALERT.text.splitlines()


async def test_a_refusal_says_why_and_not_where(monkeypatch: pytest.MonkeyPatch) -> None:
    async with https_sink(lambda _: 403) as sink:
        monkeypatch.setenv("SSL_CERT_FILE", str(sink.ca_file))
        url = sink.url.replace("https://", "jsons://user:hunter22@").replace("/hook", "/token-of-ours/%2Fmore-of-it")
        with pytest.raises(NotTakenError, match="403") as caught:
            await lines.send_by_apprise(url, ALERT.title, ALERT.text, seconds=LONG)
    assert not [each for each in ("hunter22", "token-of-ours", "more-of-it", "user") if each in str(caught.value)]


async def test_a_service_that_hangs_is_given_up_with_its_process(tmp_path: Path) -> None:
    """A child that never ends, in place of ours: the time limit is a kill, and nothing of it stays."""
    mark = tmp_path / "pid"
    child = tmp_path / "child.py"
    child.write_text(f"import os, signal\nopen({str(mark)!r}, 'w').write(str(os.getpid()))\nsignal.pause()\n")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lines, "_CHILD", child)
        with pytest.raises(NotTakenError, match="no answer within 2 s"):
            await lines.send_by_apprise("json://x", "t", "b", seconds=2)
    if mark.exists():
        with pytest.raises(ProcessLookupError):
            os.kill(int(mark.read_text()), 0)


async def test_a_child_that_breaks_is_a_reason_without_the_secret(tmp_path: Path) -> None:
    child = tmp_path / "child.py"
    child.write_text("import sys\nsys.exit('no: ' + sys.stdin.read())\n")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lines, "_CHILD", child)
        with pytest.raises(NotTakenError, match="Apprise failed") as caught:
            await lines.send_by_apprise("json://host/secret-path", "t", "b", seconds=LONG)
    assert "secret-path" not in str(caught.value)


async def test_urls_that_mean_nothing_are_named_without_themselves() -> None:
    urls = {"a": "tgrm://12345:ABCDEFGH/999", "b": "json://localhost/x", "c": "tgram://short-token/999"}
    found = await lines.check_urls(urls, seconds=LONG)
    assert sorted(found) == ["a", "c"]
    assert "ABCDEFGH" not in str(found)
    assert "short-token" not in str(found)


async def test_on_whatsapp_each_number_is_a_line_of_its_own() -> None:
    fakes = fake_context("alerts")
    account(fakes, "night", client_id=2)
    lines = lines_of(fakes, phone=Channel(account="night", to=["+1 202 555 0142", "+1 202 555 0143"]))
    assert list(lines) == ["phone 1", "phone 2"]
    for name, send in lines.items():
        assert await send(replace(ALERT, key=name)) == ""
    # The same message again, as after a crash, is the same message.
    await lines["phone 1"](replace(ALERT, key="phone 1"))
    assert [each.chat for each in fakes.messages.submitted] == ["12025550142@c.us", "12025550143@c.us"]
    assert fakes.messages.submitted[0].text == f"*{ALERT.title}*\n\n{ALERT.text}"


async def test_on_whatsapp_what_fails_is_tried_again_and_what_waits_is_not() -> None:
    fakes = fake_context("alerts")
    send = lines_of(fakes, phone=Channel(account="night", to=["+12025550142"]))["phone"]
    with pytest.raises(NotTakenError, match="there is no account 'night'"):
        await send(ALERT)
    account(fakes, "night")
    fakes.messages.becomes = "queued"
    assert await send(ALERT) == "it waits to be sent through night"
    fakes.messages.becomes = SendError("the token is wrong")
    with pytest.raises(NotTakenError, match="night could not send it: the token is wrong"):
        await send(Alert(title="t", text="x", key="another"))


async def test_the_route_tries_the_channels_and_is_the_admins_alone() -> None:
    settings = Settings(channels={"phone": Channel(account="night", to=["+12025550142"])})
    fakes = fake_context("alerts", settings=settings)
    client = routes_client(*plugin.register_routes(fakes.context))
    answer = await client.post("/test")
    (found,) = await answer.get_json()
    assert (found["channel"], found["ok"]) == ("phone", False)
    account(fakes, "night")
    (found,) = await (await client.post("/test", json={"channel": "phone"})).get_json()
    assert found == {"channel": "phone", "ok": True, "detail": ""}
    assert (await client.post("/test", json={"channel": "fax"})).status_code == 404


async def test_the_doctor_names_what_does_not_work_and_the_key() -> None:
    settings = Settings(
        channels={
            "chat": Channel(apprise="tgrm://12345:ABCDEFGH/9"),
            "phone": Channel(account="m", to=["+12025550142"]),
        }
    )
    fakes = fake_context("alerts", settings=settings)
    fakes.store.rows["memory"] = {"items": {}, "lines": {"chat": {"error": "no answer within 30 s", "tries": 3}}}
    (check,) = plugin.register_checks(fakes.context)
    found = await check()
    assert [(each.level, each.what) for each in found] == [
        ("fail", "channel chat"), ("fail", "channel phone"), ("fail", "channel chat"),
    ]  # fmt: skip
    assert "plugins.alerts.channels.chat.apprise" in found[0].next_step
    assert "no answer within 30 s" in found[2].detail
    assert "ABCDEFGH" not in str(found)
