"""A long text as several messages: cut at a paragraph, else at a line, a sentence, a word. Pure.

No cut is in what people see as one sign (an emoji with its skin tone, a flag, a letter with its accents), or in a URL.
What is bold on both sides of a cut is bold in both parts. Characters are counted as UTF-16 does, the stricter way.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from typing import Final

from wagate.errors import UnprocessableError

_PARAGRAPH: Final = re.compile(r"\n[ \t]*\n\s*")
_LINE: Final = re.compile(r"\n\s*")
_SENTENCE: Final = re.compile(r"(?<=[.!?…;])[\"'”’)\]]*\s+|(?<=[。！？；])")
_WORD: Final = re.compile(r"\s+")
_URL: Final = re.compile(r"\b(?:https?://|www\.)\S+")
_CODE: Final = re.compile(r"```[^`]+```|`[^`\n]+`")
_MARKED: Final = {
    mark: re.compile(rf"(?<!\w)[{mark}](?=[^\s{mark}])[^{mark}\n]*(?<=[^\s{mark}])[{mark}](?!\w)") for mark in "*_~"
}
"""Each stops at the next mark of its own kind, so that no text takes more than linear time."""
_FULL: Final = 8
"""A cut before an eighth of the room would make a part of a few words: the next kind of cut is looked for."""
_ROOM: Final = 12
"""Signs that are kept free for marks at both ends of a part."""
_JOINER: Final = "\u200d"


def length_of(text: str) -> int:
    """Characters as WhatsApp counts them: an emoji beyond the basic plane is two."""
    return len(text) + sum(1 for sign in text if ord(sign) > 0xFFFF)


def split_text(text: str, longest: int, *, then: int | None = None) -> list[str]:
    """The text in parts of at most ``longest`` characters, in order; as it is when it fits, or ``longest`` is 0.

    ``then``: characters of the parts after the first; 0: all the rest is one.

    White space at a cut is removed, nothing else.

    Raises:
        UnprocessableError: a URL, or one sign, is longer than that.
    """
    if not longest or length_of(text) <= longest:
        return [text]
    following = longest if then is None else then or 2 * len(text) + _ROOM
    return [part for part in _parts(text, longest, following) if part] or [text[:longest]]


def _parts(text: str, longest: int, then: int) -> Iterator[str]:
    urls, spans = [found.span() for found in _URL.finditer(text)], deque(_spans(text))
    start, opened, around = 0, "", list[tuple[int, int, str]]()
    room = _ROOM if spans else 0
    while start < len(text):
        # What has more signs than there is room is not counted again for each part.
        if len(text) - start <= longest and length_of(opened) + length_of(text[start:]) <= longest:
            yield opened + text[start:].rstrip()
            return
        end = _end_of(text, start, longest - room - length_of(opened))
        cut, following = _cut(text, start, end, urls)
        while spans and spans[0][0] < cut:
            around.append(spans.popleft())
        around = [span for span in around if following < span[1]]
        marks = [mark for _, _, mark in around]
        yield opened + text[start:cut].rstrip() + "".join(reversed(marks))
        start, opened, longest = following, "".join(marks), then


def _end_of(text: str, start: int, room: int) -> int:
    """Where a part that begins at ``start`` is full."""
    end = start
    for sign in text[start : start + max(room, 1)]:
        room -= 2 if ord(sign) > 0xFFFF else 1
        if room < 0:
            break
        end += 1
    return end


def _cut(text: str, start: int, end: int, urls: list[tuple[int, int]]) -> tuple[int, int]:
    """(end of the part, start of the next one)."""
    least = start + max((end - start) // _FULL, 1)
    for boundary in (_PARAGRAPH, _LINE, _SENTENCE, _WORD):
        # One sign more: what is white there may be a boundary, too.
        found = [each.span() for each in boundary.finditer(text, start, end + 1) if least <= each.start() <= end]
        found = [each for each in found if not _within(urls, each[0])]
        if found:
            cut, following = found[-1]
            return cut, _skip(text, max(following, cut))
    return _between_signs(text, start, end, urls)


def _between_signs(text: str, start: int, end: int, urls: list[tuple[int, int]]) -> tuple[int, int]:
    for cut in range(end, start, -1):
        if not _within(urls, cut) and not _joined(text, cut, start):
            return cut, _skip(text, cut)
    what = "a link" if _within(urls, end) else "one sign"
    raise UnprocessableError(f"{what} in the text is longer than what one message takes", field="message.text")


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _within(spans: list[tuple[int, int]], at: int) -> bool:
    """Whether a cut there would be inside one of these."""
    number = bisect_right(spans, (at, -1)) - 1
    return number >= 0 and spans[number][0] < at < spans[number][1]


def _joined(text: str, at: int, start: int) -> bool:
    """Whether the signs before and after are one (Unicode's UAX #29, as far as WhatsApp's texts need it).

    At ``start``, where the part begins, one ends.
    """
    if at >= len(text):
        return False
    before, after = text[at - 1], text[at]
    if _JOINER in (before, after) or (before, after) == ("\r", "\n"):
        return True
    if unicodedata.category(after) in {"Mn", "Mc", "Me"} or 0x1F3FB <= ord(after) <= 0x1F3FF:
        return True
    if 0xE0020 <= ord(after) <= 0xE007F:  # the flags of England, Scotland, Wales are spelt so
        return True
    if _is_region(before) and _is_region(after):
        run = at
        while run > start and _is_region(text[run - 1]):
            run -= 1
        return (at - run) % 2 == 1
    return _is_jamo(before) and _is_jamo(after)


def _is_region(sign: str) -> bool:
    return 0x1F1E6 <= ord(sign) <= 0x1F1FF


def _is_jamo(sign: str) -> bool:
    return 0x1100 <= ord(sign) <= 0x11FF


def _spans(text: str) -> list[tuple[int, int, str]]:
    """(start, end, mark) of what is marked, the outer ones first. In code nothing is a mark."""
    found = [(each.start(), each.end(), "```" if each[0][:3] == "```" else "`") for each in _CODE.finditer(text)]
    codes = [(start, end) for start, end, _ in found]
    for mark, pattern in _MARKED.items():
        found += [(*each.span(), mark) for each in pattern.finditer(text) if not _within(codes, each.start())]
    return sorted(found, key=lambda span: (span[0], -span[1]))
