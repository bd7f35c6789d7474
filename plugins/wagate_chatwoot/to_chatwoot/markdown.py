"""WhatsApp's marks and Markdown, both ways. What is no mark is escaped, so that every text survives the way and back.

Sources: https://faq.whatsapp.com/539178204879377 (WhatsApp's marks), https://spec.commonmark.org/0.31.2/ (Markdown).
No text of a customer's becomes an image, or a link under other words, in whatever a renderer takes for code: what could
open one stands escaped everywhere, so code that holds such a thing is shown as text.
Every pattern stops at the next mark of its own kind, so that no text takes more than linear time.
"""

from __future__ import annotations

import re
from typing import Final

_TO_MARKDOWN: Final = re.compile(
    r"""
      ```(?P<block>[^`]+)```
    | `(?P<code>[^`\n]+)`
    | (?P<url>\b(?:https?://|www\.)(?:[^\s<>`()\[\]\\]|\([^\s<>`()\[\]\\]*\))+)
    | (?<![\w*])\*(?P<bold>(?=[^\s*])[^*\n]*[^\s*])\*(?![\w*])
    | (?<![\w_])_(?P<italic>(?=[^\s_])[^_\n]*[^\s_])_(?![\w_])
    | (?<![\w~])~(?P<strike>(?=[^\s~])[^~\n]*[^\s~])~(?![\w~])
    | (?P<bullet>^[ ]{0,3}[*-][ ](?=\S))
    | (?P<line>^[ ]{0,3}(?:\#{1,6}(?=[ \t]|$)|\+(?=[ \t]|$)|>(?!\ )|[=-]+[ \t]*$))
    | (?P<special>
          [*`]
        | (?<!\w)_ | _(?!\w)
        | ~(?=~) | (?<=~)~
        | \\(?=[!-/:-@\[-`{-~]|\n|$(?!\n))
        | \](?=\s*[(:\[])
        | !(?=\[)
        | <(?=[a-zA-Z/!?])
        | &(?=\#?\w+;)
      )
    """,
    re.VERBOSE | re.MULTILINE,
)
_OPENS: Final = re.compile(r"\]\s*[(:\[]|!\[|<[a-zA-Z/!?]|&\#?\w+;")
"""What must not stand as it is in code: renderers, and their versions, don't agree where code ends."""
_NEXT: Final = r"\n(?![ \t]*(?:\n|$|[-*+][ ]|\d{1,9}[.)][ ]|\#{1,6}[ ]|```))"
"""A line's end inside of a mark: not of a paragraph, and not before a list, a heading or code."""
_TO_WHATSAPP: Final = re.compile(
    rf"""
      ^```[^\n`]*\n(?P<block>(?:[^`]|`(?!``))*)\n```[ \t]*$
    | ```(?P<span>[^`]+)```
    | ``(?!`)[ ]?(?P<ticks>(?:[^`\n]|(?<!`)`(?!`))+?)[ ]?``(?!`)
    | `(?P<code>(?:[^`\n]|{_NEXT})+)`
    | \\(?P<escaped>[!-/:-@\[-`{{-~]|\n)
    | <(?P<auto>(?:https?://|mailto:)[^\s<>]+|[^\s<>@]+@[^\s<>@]+)>
    | (?P<url>\b(?:https?://|www\.)(?:[^\s<>`()\[\]\\]|\([^\s<>`()\[\]\\]*\))+)
    | !?\[(?P<title>(?:\\.|[^\[\]\\\n]|\\?{_NEXT})*)\]\((?P<link>(?:\\[!-/:-@\[-`{{-~]|\([^\s()\\]*\)|[^\s()\\])*)
          (?:[ ]"[^"\n]*")?\)
    | \*\*\*(?P<both>(?=[^\s*])(?:\\.|[^*\\\n]|\\?{_NEXT})*(?<=\S))\*\*\*
    | \*\*(?P<bold>(?=\S)(?:\\.|[^*\\\n]|\\?{_NEXT}
          |\*(?=[^\s*])(?:\\.|[^*\\\n])+\*(?=\*\*(?!\*)|(?!\*))|(?<!\*)\*(?!\*))*
          (?<=\S))\*\*
    | (?<!\w)__(?P<strong>(?=[^\s_])(?:\\.|[^_\\\n]|\\?{_NEXT}|(?<=\w)_(?=\w))*(?<=\S))__(?!\w)
    | (?<!\w)\*(?P<em>(?=[^\s*]|\*\*[^\s*])(?:\\.|[^*\\\n]|\\?{_NEXT}|\*\*(?=[^\s*])(?:\\.|[^*\\\n])+\*\*)*
          (?:(?<=[^\s*])|(?<=[^\s*]\*\*)))\*(?![\w*])
    | (?<!\w)_(?P<italic>(?=[^\s_])(?:\\.|[^_\\\n]|\\?{_NEXT}|(?<=\w)_(?=\w))*(?<=\S))_(?!\w)
    | ~~(?P<strike>(?=[^\s~])(?:\\.|[^~\\\n]|\\?{_NEXT})*(?<=\S))~~
    | ^[ ]{{0,3}}\#{{1,6}}[ \t]+(?P<heading>[^\n]*?)[ \t#]*$
    | ^(?P<plus>[ ]*)\+[ ](?=\S)
    | (?<=\|)\n[ ]{{0,3}}(?P<rule>\|(?:[ ]*:?-+:?[ ]*\|)+)[ ]*$
    """,
    re.VERBOSE | re.MULTILINE,
)
_BREAK: Final = re.compile(r"\\?\n")
"""A line's end inside of a mark; Chatwoot's editor writes Shift+Enter with a backslash, also in code."""
_DEEPEST: Final = 5


def to_markdown(text: str) -> str:
    """A text from WhatsApp as Chatwoot's Markdown. `to_whatsapp` gives the same text back."""
    return _markdown(text, _DEEPEST)


def to_whatsapp(markdown: str) -> str:
    """What an agent wrote, with WhatsApp's marks, which end with their line: each line gets its own.

    A link becomes ``title (url)``, a heading bold; a table keeps its lines but the one that is only a rule.
    """
    return _whatsapp(markdown, "")


def escaped(text: str) -> str:
    """A text of which nothing is a mark: a name."""
    return re.sub(r"([\\*_~`\[\]<>#|])", r"\\\1", " ".join(text.split()))


def _markdown(text: str, depth: int) -> str:
    def put(found: re.Match[str]) -> str:
        kind, inside = found.lastgroup, found.group(found.lastgroup or 0)
        match kind:
            case "block" | "code" if _OPENS.search(inside):
                return _as_text(found[0], depth)
            case "block":
                return f"```\n{inside}\n```" if "\n" in inside else found[0]
            case "bold" | "italic" | "strike" if depth:
                mark = {"bold": "**", "italic": "_", "strike": "~~"}[kind]
                return f"{mark}{_markdown(inside, depth - 1)}{mark}"
            case "line":
                spaces = len(inside) - len(inside.lstrip(" "))
                return f"{inside[:spaces]}\\{inside[spaces:]}"
            case "special":
                return f"\\{inside}"
        return found[0]

    return _TO_MARKDOWN.sub(put, text)


def _as_text(code: str, depth: int) -> str:
    """Code that is not to be taken for code."""
    ticks = len(code) - len(code.lstrip("`"))
    return "\\`" * ticks + _markdown(code[ticks:-ticks], depth) + "\\`" * ticks


def _whatsapp(markdown: str, within: str) -> str:
    """``within`` are the marks around it: in bold nothing is made bold again."""

    def put(found: re.Match[str]) -> str:
        kind, inside = found.lastgroup, found.group(found.lastgroup or 0)
        if kind in _MARKS and inside and len(within) <= _DEEPEST:
            marks = "".join(mark for mark in _MARKS[kind] if mark not in within)
            return _marked(_whatsapp(inside, within + _MARKS[kind]), marks)
        match kind:
            case "link":
                title = _BREAK.sub(" ", found["title"])
                return _link(_whatsapp(title, within + "[") if title else "", inside)
            case "code" if "\n" in inside:
                return _marked(_BREAK.sub("\n", inside), "`")
        return _PLAIN[kind].format(inside.removeprefix("mailto:")) if kind in _PLAIN else found[0]

    return markdown if len(within) > 2 * _DEEPEST else _TO_WHATSAPP.sub(put, markdown)


def _marked(text: str, marks: str) -> str:
    """Each line between the marks, without what stands around its words: WhatsApp sees no mark beside a space."""
    if not marks:
        return text
    lines = (_LINE.fullmatch(line) for line in text.split("\n"))
    return "\n".join(
        f"{line[1]}{marks}{line[2]}{marks[::-1]}{line[3]}" if line[2] else line[0] for line in lines if line is not None
    )


_LINE: Final = re.compile(r"([ \t]*(?:>[ ]?)*)(.*?)(\s*)")
_MARKS: Final = {"both": "*_", "bold": "*", "strong": "*", "em": "_", "italic": "_", "strike": "~", "heading": "*"}


_PLAIN: Final = {
    "block": "```{}```",
    "ticks": "```{}```",
    "escaped": "{}",
    "auto": "{}",
    "plus": "{}- ",
    "rule": "",
}


def _link(title: str, url: str) -> str:
    shown = re.sub(r"\\(.)", r"\1", url.removeprefix("mailto:"))
    if url.startswith("mention:"):
        return title
    return f"{title} ({shown})" if title and title not in (url, shown) else shown
