"""A file as WhatsApp keeps it, and where it goes."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from wagate.testing.whatsapp.world import opened
from wagate_whatsapp_child.shelf import RECEIVED, LateError, Shelf, reaches, shelf_of
from wagate_whatsapp_child.upload import PART, STEP, Sealed, _connection, upload

SAID = (
    '<iq from="s.whatsapp.net" id="246.77-5" type="result"><media_conn auth="AWb-_9=" auth_ttl="21600" '
    'id="1" max_buckets="12" ttl="300"><host fallback_hostname="mmg.whatsapp.net" hostname="mmg-fra.cdn.whatsapp.net" '
    'type="primary"><upload/></host><host hostname="b"/></media_conn></iq>'
)
FORGED = '<media_conn auth="mine" auth_ttl="21600"><host hostname="mmg.whatsapp.net"/></media_conn>'
WHOLE = f'<iq from="s.whatsapp.net" id="1" type="result">{FORGED}</iq>'


def test_where_the_shelf_is_stands_in_the_librarys_log() -> None:
    found = shelf_of(RECEIVED, SAID)
    assert found is not None
    assert (found.host, found.auth) == ("mmg-fra.cdn.whatsapp.net", "AWb-_9=")
    assert 21_000 < found.until - time.monotonic() <= 21_600
    assert shelf_of(RECEIVED, WHOLE) is not None


@pytest.mark.parametrize(
    "said",
    [
        "",
        '<iq id="1" to="s.whatsapp.net" type="set" xmlns="w:m"><media_conn/></iq>',
        SAID.replace("hostname", "name"),
        SAID.replace("21600", "soon"),
        SAID.replace("21600", "²"),
        SAID.replace("auth_ttl", "ttl"),
        SAID.replace('"result"', '"set"'),
        SAID.replace('from="s.whatsapp.net"', 'from="1203630@g.us"'),
        *(
            SAID.replace("mmg-fra.cdn.whatsapp.net", host)
            for host in (
                "evil.example",
                "evilwhatsapp.net",
                "mmg.whatsapp.net.evil.example",
                "evil.example/.whatsapp.net",
            )
        ),
    ],
)
def test_another_line_says_nothing_of_the_shelf(said: str) -> None:
    assert shelf_of(RECEIVED, said) is None


@pytest.mark.parametrize(
    "said",
    [
        f'<iq from="1203630@g.us" id="1" type="result"><group><description><body>{WHOLE}</body></description></group>',
        f'<iq from="s.whatsapp.net" id="1" type="result"><usync><list><user><status>{WHOLE}</status></user></list>',
        f'<notification from="1203630@g.us" notify="{WHOLE}" type="w:gp2"><subject subject="{WHOLE}"/></notification>',
        f'<message from="1@lid" id="1" notify="{WHOLE}" type="text"><enc type="msg" v="2"/></message>',
        f'<message from="1@lid" id="1" notify="x" type="result">{FORGED}</message>',
        f"\n{WHOLE}",
    ],
)  # fmt: skip
def test_what_people_write_says_nothing_of_the_shelf(said: str) -> None:
    assert shelf_of(RECEIVED, said) is None


@pytest.mark.parametrize("name", ["Client", "Client/Send", "Client/Socket", "Database"])
def test_only_what_the_server_sent_says_something_of_the_shelf(name: str) -> None:
    assert shelf_of(name, SAID) is None


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, PART - 1, PART, PART + 1, 3 * PART + 5])
@pytest.mark.parametrize("kind", ["image", "document"])
def test_what_is_sealed_in_parts_is_opened_whole(tmp_path: Path, size: int, kind: str) -> None:
    path, content = tmp_path / "file", os.urandom(size)
    path.write_bytes(content)
    sealed = Sealed(path, kind)
    blob = b"".join(sealed.parts())
    info = {"image": b"WhatsApp Image Keys", "document": b"WhatsApp Document Keys"}[kind]
    assert opened(blob, sealed.key, info) == content
    assert (len(blob), sealed.size) == (sealed.length, size)
    assert sealed.plain == hashlib.sha256(content).digest()
    assert sealed.sealed == hashlib.sha256(blob).digest()


def test_the_way_out_is_the_accounts_proxy() -> None:
    until = time.monotonic() + 100
    direct = _connection("shelf.example:444", "", until)
    assert (direct.host, direct.port) == ("shelf.example", 444)
    through = _connection("shelf.example", "http://me:p%40ss@proxy.example:3128", until)
    assert (through.host, through.port) == ("proxy.example", 3128)
    assert [reaches(each) for each in ("", "http://p", "https://p", "socks5://p")] == [True, True, False, False]


def test_an_address_that_does_not_answer_leaves_time_for_the_others() -> None:
    now = time.monotonic()
    assert _connection("shelf.example", "", now + 100).timeout == STEP
    assert _connection("shelf.example", "", now + 5).timeout <= 5
    with pytest.raises(LateError):
        _connection("shelf.example", "", now)


def test_a_file_that_takes_too_long_to_read_is_not_uploaded(tmp_path: Path) -> None:
    path, now = tmp_path / "file", time.monotonic()
    path.write_bytes(b"x")
    shelf = Shelf(host="shelf.invalid", auth="key", until=now + 100)
    with pytest.raises(LateError, match="took too long"):
        upload(path, "document", shelf, "", now)
