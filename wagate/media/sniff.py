"""What a file is, by its first bytes, and a name for it that is safe everywhere and ends as its type says."""

from __future__ import annotations

import codecs
import re
import unicodedata

HEAD = 8192
"""Bytes that are looked at."""
UNKNOWN = "application/octet-stream"

_PREFIXES = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"#!AMR", "audio/amr"),
    (b"ID3", "audio/mpeg"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_BRANDS = (
    ((b"M4A ", b"M4B "), "audio/mp4"),
    ((b"3gp", b"3g2"), "video/3gpp"),
    ((b"qt  ",), "video/quicktime"),
    ((b"heic", b"heix", b"mif1"), "image/heic"),
)
_OFFICE = (
    (b"word/", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (b"xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (b"ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
)
_PAGES = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script")
_incremental = codecs.getincrementaldecoder("utf-8")
_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\v\f\r\x1b") + b"\x7f"
# What is one kind of bytes for us may be told more precisely by who sent it.
_MAY_BE = {
    "application/zip": ("application/",),
    "application/x-ole-storage": ("application/",),
    "text/plain": ("text/", "application/", "image/svg+xml"),
    "video/mp4": ("video/", "audio/mp4", "audio/m4a", "audio/x-m4a", "audio/aac"),
    "audio/mp4": ("audio/", "video/mp4"),
    "audio/ogg": ("audio/", "video/ogg"),
    "video/webm": ("video/", "audio/webm"),
    "video/3gpp": ("video/", "audio/3gpp", "audio/amr"),
    "audio/mpeg": ("audio/",),
    "audio/aac": ("audio/",),
}
LONGEST = 120
"""Characters of a name, its ending included; at most twice as many bytes."""
ENDINGS: dict[str, tuple[str, ...]] = {
    "image/jpeg": (".jpg", ".jpeg", ".jfif"),
    "image/png": (".png",),
    "image/webp": (".webp",),
    "image/gif": (".gif",),
    "image/heic": (".heic",),
    "image/svg+xml": (".svg",),
    "video/mp4": (".mp4", ".m4v"),
    "video/3gpp": (".3gp", ".3gpp"),
    "video/quicktime": (".mov",),
    "video/webm": (".webm",),
    "audio/ogg": (".ogg", ".oga", ".opus"),
    "audio/opus": (".opus", ".ogg"),
    "audio/mpeg": (".mp3",),
    "audio/aac": (".aac",),
    "audio/mp4": (".m4a", ".mp4"),
    "audio/amr": (".amr",),
    "audio/wav": (".wav",),
    "application/pdf": (".pdf",),
    "application/zip": (".zip",),
    "application/json": (".json",),
    "application/msword": (".doc",),
    "application/vnd.ms-excel": (".xls",),
    "application/vnd.ms-powerpoint": (".ppt",),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": (".docx",),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": (".xlsx",),
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": (".pptx",),
    "text/vcard": (".vcf",),
    "text/csv": (".csv",),
    "text/html": (".html", ".htm"),
}
"""Types that WhatsApp carries, and how their files end; the first is put on where none is. Any other ending stays."""

_PATH = re.compile(r"[/\\]")
_FORBIDDEN = re.compile(r'[<>:"|?*%\x00-\x1f\x7f]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])", re.IGNORECASE)


def sniff(head: bytes) -> str:
    """The MIME type that the first bytes (`HEAD` of them, or all) spell; '' when they don't."""
    found = next((mimetype for prefix, mimetype in _PREFIXES if head.startswith(prefix)), None) or _container(head)
    if found is None and len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        found = _frame(head[1])
    return _text(head[:HEAD]) if found is None else found


def _container(head: bytes) -> str | None:
    """The type of what may hold several; None when it is no container."""
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12], "")
    if head[:4] == b"OggS":
        return "video/ogg" if b"\x80theora" in head[:512] else "audio/ogg"
    if head[4:8] == b"ftyp":
        return next((kind for brands, kind in _BRANDS if head[8:12].startswith(brands)), "video/mp4")
    if head[:4] == b"PK\x03\x04":
        return next((kind for name, kind in _OFFICE if name in head[:HEAD]), "application/zip")
    return None


def _frame(second: int) -> str:
    """An MPEG audio frame: layer 0 is ADTS (AAC), 1 is layer III."""
    layer = (second >> 1) & 3
    if layer == 0 and second & 0xF0 == 0xF0:
        return "audio/aac"
    return "audio/mpeg" if layer == 1 else ""


def _text(head: bytes) -> str:
    if not head or head.translate(None, _CONTROLS) != head:
        return ""
    try:
        _incremental().decode(head)  # its last character may be cut in two
    except UnicodeDecodeError:
        return ""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(b"begin:vcard"):
        return "text/vcard"
    return "text/html" if start.startswith(_PAGES) else "text/plain"


def chosen(told: str, head: bytes) -> str:
    """The type to keep: what the bytes spell, unless who sent them can have said the same more precisely."""
    seen, said = sniff(head), essence(told)
    if not seen:
        return told.strip() if _usable(said) else UNKNOWN
    if said == seen or (_usable(said) and said.startswith(_MAY_BE.get(seen, ()))):
        return told.strip()
    return seen


def is_a_page(told: str, head: bytes) -> bool:
    """Whether a page (a sign-in, an error) came in place of a picture, a video or a sound."""
    return (
        essence(told).startswith(("image/", "video/", "audio/"))
        and sniff(head) in {"text/html", "text/plain"}
        and (essence(told) != "image/svg+xml")
    )


def _usable(said: str) -> bool:
    family, _, kind = said.partition("/")
    plain = all(ch.isalnum() or ch in "-.+_" for ch in family + kind)
    return bool(family and kind) and said.isascii() and plain and said != UNKNOWN


def essence(mimetype: str) -> str:
    """The type without parameters, in lower case: ``audio/ogg; codecs=opus`` → ``audio/ogg``."""
    return mimetype.partition(";")[0].strip().lower()


def safe_name(name: str | None, mimetype: str, *, otherwise: str = "file") -> str:
    """A name without path, control or reserved characters, with an ending that fits the type; never empty."""
    stem = _cleaned(name or "") or _cleaned(otherwise) or "file"
    if _RESERVED.fullmatch(stem.partition(".")[0].rstrip()):
        stem = f"_{stem}"
    endings = ENDINGS.get(essence(mimetype), ())
    if endings and not stem.lower().endswith(endings):
        return _shortened(stem, LONGEST - len(endings[0])) + endings[0]
    stem, dot, ending = stem.rpartition(".") if len(stem.rpartition(".")[2]) <= 16 else (stem, "", "")
    if not stem:
        stem, dot, ending = ending, "", ""
    return _shortened(stem, LONGEST - len(dot + ending)) + dot + ending


def _cleaned(name: str) -> str:
    """Without what a file system, a header or a reader could take for something else."""
    name = _PATH.split(unicodedata.normalize("NFC", name))[-1]
    # Cc, Cf, Cs, Co, Cn: controls, writing directions that turn endings round, lone surrogates; Zl, Zp: line ends.
    kept = "".join(ch for ch in name if unicodedata.category(ch)[0] != "C" and unicodedata.category(ch) not in _LINES)
    return _FORBIDDEN.sub("_", kept).strip().lstrip(".").rstrip(". ").strip()


_LINES = frozenset({"Zl", "Zp"})


def _shortened(stem: str, most: int) -> str:
    stem = stem[:most].encode()[: 2 * most].decode("utf-8", "ignore")
    return stem.rstrip(". ") or "file"
