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
_TO_WHATSAPP: Final = re.compile(
    r"""
      ^```[^\n`]*\n(?P<block>[^`]*)\n```[ \t]*$
    | ```(?P<span>[^`]+)```
    | `(?P<code>[^`\n]+)`
    | \\(?P<escaped>[!-/:-@\[-`{-~]|\n)
    | <(?P<auto>(?:https?://|mailto:)[^\s<>]+)>
    | (?P<url>\b(?:https?://|www\.)(?:[^\s<>`()\[\]\\]|\([^\s<>`()\[\]\\]*\))+)
    | !?\[(?P<title>(?:\\.|[^\[\]\\\n])*)\]\((?P<link>[^\s()]*)(?:[ ]"[^"\n]*")?\)
    | \*\*\*(?P<both>(?=[^\s*])(?:\\.|[^*\\\n])*(?<=\S))\*\*\*
    | \*\*(?P<bold>(?=\S)(?:\\.|[^*\\\n]|(?<!\*)\*(?!\*))*(?<=\S))\*\*
    | (?<!\w)__(?P<strong>(?=[^\s_])(?:\\.|[^_\\\n])*(?<=\S))__(?!\w)
    | \*(?P<em>(?=[^\s*])(?:\\.|[^*\\\n])*(?<=\S))\*
    | (?<!\w)_(?P<italic>(?=[^\s_])(?:\\.|[^_\\\n])*(?<=\S))_(?!\w)
    | ~~(?P<strike>(?=[^\s~])(?:\\.|[^~\\\n])*(?<=\S))~~
    | ^[ ]{0,3}\#{1,6}[ \t]+(?P<heading>[^\n]*?)[ \t#]*$
    """,
    re.VERBOSE | re.MULTILINE,
)
_DEEPEST: Final = 5


def to_markdown(text: str) -> str:
    """A text from WhatsApp as Chatwoot's Markdown. `to_whatsapp` gives the same text back."""
    return _markdown(text, _DEEPEST)


def to_whatsapp(markdown: str) -> str:
    """What an agent wrote, with WhatsApp's marks. A link becomes ``title (url)``, a heading bold."""
    return _whatsapp(markdown, _DEEPEST)


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


def _whatsapp(markdown: str, depth: int) -> str:
    def put(found: re.Match[str]) -> str:
        kind, inside = found.lastgroup, found.group(found.lastgroup or 0)
        match kind:
            case "block":
                return f"```{inside}```"
            case "escaped" | "auto":
                return inside.removeprefix("mailto:")
            case "link":
                return _link(_whatsapp(found["title"], depth - 1) if depth else found["title"], inside)
            case "both" | "bold" | "strong" | "em" | "italic" | "strike" | "heading" if depth:
                mark = _MARKS[kind]
                return f"{mark}{_whatsapp(inside, depth - 1)}{mark[::-1]}" if inside else found[0]
        return found[0]

    return _TO_WHATSAPP.sub(put, markdown)


_MARKS: Final = {"both": "*_", "bold": "*", "strong": "*", "em": "_", "italic": "_", "strike": "~", "heading": "*"}


def _link(title: str, url: str) -> str:
    shown = url.removeprefix("mailto:")
    return f"{title} ({shown})" if title and title not in (url, shown) else shown
