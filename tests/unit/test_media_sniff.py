"""What a file is, by its bytes; what is kept when somebody says otherwise."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagate.media.sniff import HEAD, UNKNOWN, chosen, essence, is_a_page, sniff

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"


def zipped(*names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, "<xml/>" * 50)
    return made.getvalue()


OFFICE = ("[Content_Types].xml", "_rels/.rels")


@pytest.mark.parametrize(
    ("head", "mimetype"),
    [
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "image/png"),
        (b"GIF89a\x01\x00", "image/gif"),
        (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00", "video/mp4"),
        (b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00", "video/mp4"),
        (b"\x00\x00\x00\x1cftypM4A \x00\x00\x00\x00", "audio/mp4"),
        (b"\x00\x00\x00\x18ftyp3gp5\x00\x00\x00\x00", "video/3gpp"),
        (b"\x00\x00\x00\x14ftypqt  \x00\x00\x00\x00", "video/quicktime"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "image/heic"),
        (b"OggS\x00\x02" + bytes(22) + b"OpusHead", "audio/ogg"),
        (b"OggS\x00\x02" + bytes(22) + b"\x80theora", "video/ogg"),
        (b"ID3\x04\x00", "audio/mpeg"),
        (b"\xff\xfb\x90\x00", "audio/mpeg"),
        (b"\xff\xf1\x50\x80", "audio/aac"),
        (b"#!AMR\n\x3c", "audio/amr"),
        (b"\x1aE\xdf\xa3\x01\x00", "video/webm"),
        (b"%PDF-1.7\n%", "application/pdf"),
        (zipped("a.txt"), "application/zip"),
        (zipped(*OFFICE, "word/document.xml"), DOCX),
        (zipped(*OFFICE, "xl/workbook.xml"), XLSX),
        (zipped(*OFFICE, "ppt/presentation.xml"), PPTX),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", "application/x-ole-storage"),
        (b"BEGIN:VCARD\r\nVERSION:3.0\r\n", "text/vcard"),
        ("\ufeffGrüße".encode(), "text/plain"),
        (b"\n <!DOCTYPE html><html>", "text/html"),
        (b"", ""),
        (b"\x00\x01\x02\x03", ""),
        (b"RIFF\x00\x00\x00\x00????", ""),
    ],
)
def test_the_first_bytes_tell_the_type(head: bytes, mimetype: str) -> None:
    assert sniff(head) == mimetype


def test_a_character_cut_in_two_is_text_all_the_same() -> None:
    assert sniff(("ä" * HEAD).encode()[: HEAD + 1][:HEAD]) == "text/plain"
    assert sniff(("a" + "ä" * HEAD).encode()[:HEAD]) == "text/plain"


@given(st.binary(max_size=64))
def test_any_bytes_have_a_type_or_none(head: bytes) -> None:
    found = sniff(head)
    assert found == "" or "/" in found


@given(st.text(max_size=40), st.binary(max_size=40))
def test_what_is_kept_can_stand_in_a_header(told: str, head: bytes) -> None:
    kept = chosen(told, head)
    assert "/" in essence(kept)
    assert essence(kept).isascii()


@pytest.mark.parametrize(
    ("told", "head", "kept"),
    [
        ("audio/ogg; codecs=opus", b"OggS\x00\x02", "audio/ogg; codecs=opus"),
        ("", b"%PDF-1.7", "application/pdf"),
        ("application/octet-stream", b"%PDF-1.7", "application/pdf"),
        ("image/png", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("text/html", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("image/jpeg", b"<html>", "text/html"),
        ("text/csv", b"a;b\n1;2\n", "text/csv"),
        ("application/json", b'{"a":1}', "application/json"),
        ("audio/mp4", b"\x00\x00\x00\x18ftypmp42", "audio/mp4"),
        ("application/vnd.android.package-archive", zipped("a"), "application/vnd.android.package-archive"),
        ("video/x-strange", b"\x00\x01\x02", "video/x-strange"),
        ("not a type\r\nX-Evil: 1", b"\x00\x01\x02", UNKNOWN),
        ("", b"\x00\x01\x02", UNKNOWN),
    ],
)
def test_what_is_told_counts_where_the_bytes_don_t_deny_it(told: str, head: bytes, kept: str) -> None:
    assert chosen(told, head) == kept


def test_a_page_in_place_of_a_picture_is_noticed() -> None:
    assert is_a_page("image/jpeg", b"<html>Sign in</html>")
    assert is_a_page("audio/ogg; codecs=opus", b'{"error":"expired"}')
    assert not is_a_page("image/svg+xml", b"<svg>")
    assert not is_a_page("text/plain", b"hello")
    assert not is_a_page("", b"<html>")
    assert not is_a_page("image/jpeg", b"\xff\xd8\xff")
