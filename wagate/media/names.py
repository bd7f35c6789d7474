"""File names that are safe on every disk, in every header, and end as their type says."""

from __future__ import annotations

import re
import unicodedata

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
