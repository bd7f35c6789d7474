"""A file as WhatsApp keeps it, and where it goes."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from wagate.testing.whatsapp.world import opened
from wagate_whatsapp_child.shelf import reaches, shelf_of
from wagate_whatsapp_child.upload import PART, Sealed, _connection

SAID = (
    '<iq from="s.whatsapp.net" id="246.77-5" type="result"><media_conn auth="AWb-_9=" auth_ttl="21600" '
    'id="1" max_buckets="12" ttl="300"><host hostname="mmg-fra.cdn.whatsapp.net"/><host hostname="b"/></media_conn>'
    "</iq>"
)


def test_where_the_shelf_is_stands_in_the_librarys_log() -> None:
    found = shelf_of(SAID)
    assert found is not None
    assert (found.host, found.auth) == ("mmg-fra.cdn.whatsapp.net", "AWb-_9=")
    assert 21_000 < found.until - time.monotonic() <= 21_600


@pytest.mark.parametrize(
    "said",
    [
        "",
        '<iq id="1" to="s.whatsapp.net" type="set" xmlns="w:m"><media_conn/></iq>',
        SAID.replace("hostname", "name"),
        SAID.replace("21600", "soon"),
        SAID.replace("auth_ttl", "ttl"),
    ],
)
def test_another_line_says_nothing_of_the_shelf(said: str) -> None:
    assert shelf_of(said) is None


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
    direct = _connection("shelf.example:444", "")
    assert (direct.host, direct.port) == ("shelf.example", 444)
    through = _connection("shelf.example", "http://me:p%40ss@proxy.example:3128")
    assert (through.host, through.port) == ("proxy.example", 3128)
    assert [reaches(each) for each in ("", "http://p", "https://p", "socks5://p")] == [True, True, False, False]
