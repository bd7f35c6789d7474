"""What a customer wrote never becomes an image or a link of its own in Chatwoot, whatever renders it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from wagate_chatwoot.to_chatwoot.markdown import to_markdown, to_whatsapp

IMAGE = "![x](https://evil.example/p.png)"
ATTACKS = [
    IMAGE,
    "![x ```\n](https://evil.example/p.png)```",
    "![x ```](https://evil.example/p.png)```",
    "![x\n```](https://evil.example/p.png)\n```",
    "![x `](https://evil.example/p.png)`",
    f"```{IMAGE}```",
    f"```a\n{IMAGE}\nb```",
    f"`{IMAGE}`",
    f"*{IMAGE}*",
    "![x][y]\n\n[y]: https://evil.example/p.png",
    "![x] [y]\n\n```\n[y]: https://evil.example/p.png```",
    "<img src=https://evil.example/p.png>",
    "```<img src=https://evil.example/p.png>```",
    "`<img src='https://evil.example/p.png'>`",
    "\\![x\\](https://evil.example/p.png)",
    "![x\\\\](https://evil.example/p.png)",
    "&#33;&#91;x](https://evil.example/p.png)",
    "`&lt;img src=x&gt;`",
    "[bank](https://evil.example/)",
    "a\n\n    ![x](https://evil.example/p.png)",
    "~~~\n```![x](https://evil.example/p.png)```\n~~~",
]
LIVE = re.compile(r"(?<!\\)(?:\\\\)*\]\s*[(:\[]|(?<!\\)(?:\\\\)*<[a-zA-Z/!?]")
"""What opens an image, a link or a tag for a renderer that knows escapes and no code at all."""
PIECES = st.sampled_from(
    [
        *"`*_~!()<>[]\\\n &",
        "```",
        "![",
        "](",
        "]:",
        "https://evil.example/p.png",
        "x",
        "[y]",
        "<img src=x>",
        "    ",
        "~~~",
    ]
)


@pytest.mark.parametrize("text", ATTACKS)
@pytest.mark.parametrize("renderer", ["commonmark", "default", "gfm-like"])
def test_no_attack_loads_or_hides_anything(text: str, renderer: str) -> None:
    assert harmless(to_markdown(text), renderer)


@pytest.mark.parametrize("text", ATTACKS)
def test_every_attack_still_reads_as_it_was_written(text: str) -> None:
    assert to_whatsapp(to_markdown(text)) == text


@settings(deadline=None, max_examples=500)
@given(st.lists(PIECES, max_size=14).map("".join))
def test_no_text_loads_or_hides_anything(text: str) -> None:
    markdown = to_markdown(text)
    assert harmless(markdown, "commonmark")
    assert not LIVE.search(markdown)


def harmless(markdown: str, renderer: str) -> bool:
    options = {"html": True} if renderer != "gfm-like" else {"html": True, "linkify": False}
    html = MarkdownIt(renderer, options).disable("linkify", ignoreInvalid=True).render(markdown)
    return "<img" not in html and "<a" not in html
