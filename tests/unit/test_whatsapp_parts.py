"""Parts of the provider whatsapp that need no engine: spool, files, words, what is sent, what is installed."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from wagate.errors import NotInstalledError, NotSentError, OutcomeUnknownError, SendRefusedError
from wagate.events import Media, SessionStatus
from wagate.hooks import OutFile, OutLocation, OutMessage, OutPoll, OutPreview, Rate, SendLimits
from wagate.plugins.loader import load_providers
from wagate.plugins.registry import Providers
from wagate.plugins.values import held_to
from wagate.testing import fake_context
from wagate.testing.whatsapp.world import sealed
from wagate_whatsapp import check
from wagate_whatsapp.compose import composed, mentions_all, revocation
from wagate_whatsapp.content import Ticket
from wagate_whatsapp.ids import References
from wagate_whatsapp.media import INFO, Opener, ticket_of, url_of
from wagate_whatsapp.number import Number, Numbers, WhatsAppSettings
from wagate_whatsapp.people import Us
from wagate_whatsapp.process import NotDoneError
from wagate_whatsapp.reach import judged, sending
from wagate_whatsapp.reasons import judge, masked
from wagate_whatsapp.sealed import fields
from wagate_whatsapp.send import limits_of
from wagate_whatsapp.voice import drawn
from wagate_whatsapp_child import polls
from wagate_whatsapp_child.polls import Polls
from wagate_whatsapp_child.spool import Spool

US = Us(jid="15550000001:3@s.whatsapp.net", lid="9001:3@lid")
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
CHAT = "15550000007@c.us"


def message(kind: str, **fields: Any) -> OutMessage:
    return OutMessage(chat=CHAT, type=kind, **fields)


def test_what_was_not_seen_is_there_after_a_crash(tmp_path: Path) -> None:
    first = Spool(tmp_path / "spool")
    entries = [first.append(17, bytes([number]) * 10) for number in range(5)]
    first.seen(entries[1].number)
    first.close()  # a kill closes its files too
    with (tmp_path / "spool").open("ab") as file:
        file.write(b"17 AAAA")  # half a line
    second = Spool(tmp_path / "spool")
    assert [each.raw for each in second.waiting] == [each.raw for each in entries]  # those that were seen come again
    second.seen(5)
    assert (tmp_path / "spool").stat().st_size == 0
    assert (second.append(18, b"next").number, second.waiting[0].code) == (6, 18)
    second.close()


def test_a_spool_that_is_never_empty_does_not_grow_for_ever(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    last = spool.append(17, b"x")
    for _ in range(120):
        before, last = last, spool.append(17, os.urandom(200_000))
        spool.seen(before.number)
    assert (tmp_path / "spool").stat().st_size < 12_000_000
    spool.close()
    again = Spool(tmp_path / "spool")
    assert again.waiting[-1].raw == last.raw
    again.close()


def test_only_one_process_has_a_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    imports = "from pathlib import Path; from wagate_whatsapp_child.spool import Spool; "
    code = f"{imports}Spool(Path({str(tmp_path)!r}) / 'spool'); print('mine')"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        os.set_blocking(other.stdout.fileno(), False)
        assert other.stdout.read() in {None, b""}
        spool.close()
        os.set_blocking(other.stdout.fileno(), True)
        assert other.stdout.read() == b"mine\n"


async def opened(blob: bytes, ticket: Ticket, *, size: int) -> bytes:
    got = bytearray()

    async def sink(part: bytes) -> None:
        got.extend(part)

    opener = Opener(ticket, sink)
    for start in range(0, len(blob), size):
        await opener.write(blob[start : start + size])
    await opener.finish()
    return bytes(got)


def ticket(content: bytes, blob: bytes, key: bytes) -> Ticket:
    def text(raw: bytes) -> str:
        return base64.b64encode(raw).decode()

    return Ticket(
        kind="document",
        path="/v/1",
        key=text(key),
        encrypted=text(hashlib.sha256(blob).digest()),
        plain=text(hashlib.sha256(content).digest()),
    )


@pytest.mark.parametrize("size", [1, 7, 16, 1000, 10**6])
async def test_a_file_is_opened_in_parts_of_any_size(size: int) -> None:
    content, key = os.urandom(5000), os.urandom(32)
    blob = sealed(content, key, INFO["document"])
    assert await opened(blob, ticket(content, blob, key), size=size) == content


async def test_a_large_file_is_opened_without_being_held() -> None:
    content, key = bytes(8_000_000), os.urandom(32)
    blob = memoryview(sealed(content, key, INFO["document"]))
    got = 0

    async def sink(part: bytes) -> None:
        nonlocal got
        got += len(part)

    opener = Opener(ticket(content, bytes(blob), key), sink)
    tracemalloc.start()
    try:
        for start in range(0, len(blob), 65_536):
            await opener.write(bytes(blob[start : start + 65_536]))
        await opener.finish()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert got == len(content)
    assert most < 1_000_000


async def test_a_file_that_was_changed_or_cut_off_is_refused() -> None:
    content, key = os.urandom(5000), os.urandom(32)
    blob = sealed(content, key, INFO["document"])
    right = ticket(content, blob, key)
    for wrong in (blob[:-1], blob[:100], bytes([blob[0] ^ 1]) + blob[1:], b""):
        with pytest.raises(NotSentError, match="damaged"):
            await opened(wrong, right, size=512)


def test_where_a_file_is() -> None:
    made = ticket(b"a", b"b", b"k" * 32)
    assert url_of(made).startswith("https://mmg.whatsapp.net/v/1?hash=")
    assert url_of(replace(made, url="https://web.whatsapp.net")) == url_of(made)
    assert url_of(replace(made, url="https://mmg.whatsapp.net/v/2")) == "https://mmg.whatsapp.net/v/2"
    with pytest.raises(SendRefusedError, match="without the file's key"):
        ticket_of(Media(provider_id=None))


def test_our_id_is_found_again_in_a_secret_of_ours_alone(tmp_path: Path) -> None:
    ours = "0190aaaa-0000-7000-8000-000000000001"
    secret = References(tmp_path).secret(ours)
    assert len(base64.b64decode(secret)) == 32
    assert References(tmp_path).read(secret) == ours
    assert (tmp_path / "references.key").stat().st_mode & 0o777 == 0o600
    raw = bytearray(base64.b64decode(secret))
    raw[3] ^= 1
    for wrong in (base64.b64encode(raw).decode(), base64.b64encode(os.urandom(32)).decode(), "", "?", "AAAA"):
        assert References(tmp_path).read(wrong) == ""
    (tmp_path / "other").mkdir()
    assert References(tmp_path / "other").read(secret) == ""
    assert References(tmp_path).read(References(tmp_path).secret("no uuid")) == ""


def test_a_recordings_length_and_waveform_are_read_without_decoding_it(tmp_path: Path) -> None:
    quiet_then_loud = [b"\0" * 20] * 100 + [b"\0" * 120] * 100
    file = tmp_path / "voice.ogg"
    file.write_bytes(ogg([b"OpusHead\1\1" + (312).to_bytes(2, "little") + bytes(8), b"OpusTags", *quiet_then_loud]))
    seconds, bars = drawn(file)
    assert (seconds, len(bars)) == (4, 64)
    assert bars == bytes([0] * 32 + [100] * 32)
    for wrong in (b"", b"OggS", b"RIFF" + bytes(100), ogg([b"\1vorbis", b"x" * 40]), file.read_bytes()[:70]):
        (tmp_path / "wrong").write_bytes(wrong)
        assert drawn(tmp_path / "wrong")[0] in {0, 1}


def ogg(packets: list[bytes]) -> bytes:
    """A page for each packet, of 20 ms each from the third on."""
    pages = []
    for number, packet in enumerate(packets):
        position = max(number - 1, 0) * 960 + 312
        lacing = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
        head = b"OggS\0\0" + position.to_bytes(8, "little") + bytes(12) + bytes([len(lacing)])
        pages.append(head + lacing + packet)
    return b"".join(pages)


def test_answers_of_polls_are_known_after_a_restart_and_the_oldest_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polls, "MOST", 3)
    known = Polls(tmp_path / "polls")
    for number in range(10):
        known.keep(f"3EB0{number}", ["yes", str(number)])
    with (tmp_path / "polls").open("ab") as file:
        file.write(b'["3EB0')
        file.write(b'\n17\n[["a"], []]\n["3EB0A", 5]\n')  # what a disk made of it
    again = Polls(tmp_path / "polls")
    assert again.options("3EB09") == ["yes", "9"]
    assert known.options("3EB00") == []
    assert len((tmp_path / "polls").read_bytes().splitlines()) <= 8 + 3


@given(st.binary(max_size=60))
def test_any_bytes_are_read_as_fields(raw: bytes) -> None:
    fields(raw)


def test_polls_previews_and_mentions_of_all_are_composed() -> None:
    asked = OutPoll(name="Lunch?", options=("yes", "no"))
    assert composed(message("poll", poll=asked), US) == {
        "pollCreationMessageV3": {
            "name": "Lunch?",
            "options": [{"optionName": "yes"}, {"optionName": "no"}],
            "selectableOptionsCount": 1,
        }
    }
    several = composed(message("poll", poll=replace(asked, multiple=True)), US)
    assert several["pollCreationMessage"]["selectableOptionsCount"] == 2
    shown = OutPreview(url="https://a.example", title="A", thumbnail="/9j/")
    text = composed(message("text", text="see https://a.example", preview=shown), US)["extendedTextMessage"]
    assert (text["matchedText"], text["title"], text["JPEGThumbnail"]) == ("https://a.example", "A", "/9j/")
    group = OutMessage(chat="1203630@g.us", type="text", text="all", mentions=("all", CHAT))
    assert mentions_all(group)
    body = composed(group, US, members=["100000000000007@lid", "15550000007@s.whatsapp.net"])
    mentioned = body["extendedTextMessage"]["contextInfo"]["mentionedJID"]
    assert mentioned == ["15550000007@s.whatsapp.net", "100000000000007@lid"]
    assert not mentions_all(message("text", text="x", mentions=("all",)))


def test_messages_are_composed_as_whatsapp_writes_them() -> None:
    about = f"false_{CHAT}_3EB0AA"
    assert composed(message("text", text="hi"), US) == {"conversation": "hi"}
    quote = composed(message("text", text="hi", reply_to=about), US)["extendedTextMessage"]["contextInfo"]
    assert (quote["stanzaID"], quote["participant"]) == ("3EB0AA", "15550000007@s.whatsapp.net")
    ours = composed(message("text", text="hi", reply_to=f"true_{CHAT}_3EB0AB"), US)
    assert ours["extendedTextMessage"]["contextInfo"]["participant"] == "15550000001@s.whatsapp.net"
    place = composed(message("location", location=OutLocation(latitude=1.5, longitude=2.5, name="Here")), US)
    assert place == {"locationMessage": {"degreesLatitude": 1.5, "degreesLongitude": 2.5, "name": "Here"}}
    file = OutFile(mimetype="application/pdf", filename="a.pdf", path=Path("a"))
    uploaded = {"URL": "https://x", "mediaKey": "aa"}
    plain = composed(message("document"), US, file, uploaded)
    assert plain["documentMessage"]["fileName"] == "a.pdf"
    captioned = composed(message("document", text="see"), US, file, uploaded)
    assert captioned["documentWithCaptionMessage"]["message"]["documentMessage"]["caption"] == "see"
    voice = composed(message("voice"), US, OutFile(mimetype="audio/ogg", filename="a.ogg", path=Path("a")), uploaded)
    assert (voice["audioMessage"]["PTT"], voice["audioMessage"]["mimetype"]) == (True, "audio/ogg; codecs=opus")
    for kind, mimetype in (
        ("image", "image/jpeg"),
        ("video", "video/mp4"),
        ("audio", "audio/mpeg"),
        ("sticker", "image/webp"),
    ):
        made = composed(message(kind), US, OutFile(mimetype=mimetype, filename="a", path=Path("a")), uploaded)
        assert made[f"{kind}Message"]["mimetype"] == mimetype
        assert made[f"{kind}Message"]["mediaKey"] == "aa"
    assert revocation(f"true_{CHAT}_3EB0AB")["protocolMessage"]["key"]["fromMe"] is True
    with pytest.raises(SendRefusedError, match="template"):
        composed(message("template"), US)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("no LID found for 5511000000000@s.whatsapp.net from server", SendRefusedError),
        ("not connected", NotSentError),
        ("the store doesn't contain a device JID: not logged in", NotSentError),
        ("server returned error 479", SendRefusedError),
        ("server returned error 429", NotSentError),
        ("websocket disconnected before info query returned response", OutcomeUnknownError),
        ("timed out waiting for message send response", OutcomeUnknownError),
    ],
)
def test_what_whatsmeow_says_decides_what_is_certain(said: str, kind: type[Exception]) -> None:
    assert type(judged(said)) is kind


def test_a_message_whose_connection_broke_off_is_in_doubt() -> None:
    with pytest.raises(OutcomeUnknownError, match="broke off"), sending(message=True):
        raise NotDoneError("websocket not connected")
    with pytest.raises(NotSentError), sending(message=True):
        raise NotDoneError("failed to send message node: websocket not connected")
    with pytest.raises(NotSentError), sending():
        raise NotDoneError("websocket not connected")


@pytest.mark.parametrize(
    ("line", "status", "words"),
    [
        ({"event": "Connected"}, SessionStatus.SESSION_CONNECTED, "connected"),
        ({"event": "LoggedOut", "Reason": "LOGGED_OUT"}, SessionStatus.AUTH_FAILURE, "Logged out on the phone"),
        ({"event": "LoggedOut", "Reason": "MAIN_DEVICE_GONE"}, SessionStatus.AUTH_FAILURE, "no longer registered"),
        ({"event": "StreamReplaced"}, SessionStatus.ERROR, "Replaced"),
        ({"event": "TemporaryBan", "Expire": "3600"}, SessionStatus.ERROR, "until 2026-11-29 13:00 UTC"),
        ({"event": "TemporaryBan", "Expire": "999999999999"}, SessionStatus.ERROR, "until 2036-11-26 12:00 UTC"),
        ({"event": "ClientOutdated"}, SessionStatus.ERROR, "(405); update it: pip install --upgrade neonize"),
        ({"event": "ConnectFailure", "Reason": "SERVICE_UNAVAILABLE"}, SessionStatus.CONNECTING, "service unavailable"),
        ({"event": "Ended", "error": "dial: connection refused"}, SessionStatus.CONNECTING, "connection refused"),
        ({"event": "KeepAliveTimeout", "ErrorCount": "2"}, SessionStatus.CONNECTING, "no longer answers"),
    ],
)  # fmt: skip
def test_each_reason_is_told_in_plain_words(line: dict[str, Any], status: SessionStatus, words: str) -> None:
    verdict = judge(line, NOW)
    assert verdict is not None
    assert verdict.change.status == status
    assert words in verdict.change.message


def test_the_librarys_words_are_logged_without_phone_numbers() -> None:
    said = "Failed to send receipt to 5511988880001@s.whatsapp.net (479)"
    assert masked(said) == "Failed to send receipt to 5511…@s.whatsapp.net (479)"


def test_a_single_lost_keep_alive_is_no_reason() -> None:
    assert judge({"event": "KeepAliveTimeout", "ErrorCount": "1"}, NOW) is None


def test_without_the_extra_who_names_the_provider_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "PACKAGE", "no-such-package")
    providers = Providers(public_url="")
    load_providers([], lambda plugin: fake_context(plugin.name).context, providers)
    assert 'pip install "wagate[whatsapp]"' in providers.unusable["whatsapp"]


def test_an_old_glibc_and_another_c_library_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "glibc", lambda: (2, 31))
    with pytest.raises(NotInstalledError, match="Debian 12, Ubuntu 22"):
        check.check_installed()
    monkeypatch.setattr(check, "glibc", lambda: ())
    with pytest.raises(NotInstalledError, match="musl"):
        check.check_installed()


@pytest.mark.parametrize("proxy", ["socks4://a:1", "socks5h://a:1", "http://", "socks5://a:x", "socks5://a:0", "a:1"])
def test_a_proxy_that_can_not_be_used_is_refused_with_the_name_of_its_field(proxy: str) -> None:
    with pytest.raises(ValueError, match="proxy: "):
        WhatsAppSettings(proxy=proxy)


def test_a_number_that_another_gateway_linked_meanwhile_is_linked_here_as_well(tmp_path: Path) -> None:
    ours, theirs = Number(tmp_path / "0190"), Number(tmp_path / "0190")
    theirs.link(US)
    assert not ours.linked
    ours.begin()
    assert ours.us == US


def test_twins_are_those_that_get_what_a_number_gets(tmp_path: Path) -> None:
    numbers = Numbers(lambda: tmp_path)
    for name in ("first", "second", "elsewhere", "stopped", "other"):
        numbers.of(name).link(US if name != "other" else replace(US, jid="15550000002:1@s.whatsapp.net"))
    for name in ("first", "second", "stopped", "other"):
        numbers.of(name).begin()
    numbers.of("stopped").halt(on=True)
    numbers.of("unlinked").begin()
    assert [numbers.twins(numbers.of(name)) for name in ("first", "other", "unlinked")] == [1, 0, 0]
    numbers.of("second").runs = False
    assert numbers.twins(numbers.of("first")) == 0


def test_a_number_begins_as_many_chats_as_its_settings_say() -> None:
    def limits(**settings: Any) -> SendLimits:
        account: Any = SimpleNamespace(settings=WhatsAppSettings(**settings))
        return limits_of(account)

    assert limits().new_chats_per_hour == 6.0
    assert limits(new_chats=Rate("12/day")).new_chats_per_hour == 0.5
    assert limits(new_chats=Rate("off")).new_chats_per_hour == 0.0
    assert (limits().new_chats_burst, limits().burst) == (5, 10)
    assert held_to(SendLimits, limits(new_chats=Rate("999999999/s")))
