"""WhatsApp's marks as Markdown and back."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.effort import examples
from wagate_chatwoot.to_chatwoot.markdown import escaped, to_markdown, to_whatsapp

PIECES = st.sampled_from(
    [
        *("a", "b c", " ", "\n", "é", "*", "_", "~", "**", "__", "~~", "\\", "[", "]", "(", ")", "#", "!", ">", "<b>"),
        *("[x](http://y.z)", "# h", "- i", "* i", "+ i", "1. x", "> q", "&amp;", "http://x.y/a_b*c_d*", "snake_case"),
        *("---", "===", "2*3*4", "*bold*", "_it_", "~s~", "*_x_*", "www.x.y/(z)_"),
    ]
)


@given(st.text(alphabet=st.characters(exclude_characters="`")))
def test_every_text_survives_the_way_there_and_back(text: str) -> None:
    assert to_whatsapp(to_markdown(text)) == text


@examples(5)
@given(st.lists(PIECES, max_size=12).map("".join))
def test_texts_full_of_marks_survive_too(text: str) -> None:
    assert to_whatsapp(to_markdown(text)) == text


@given(st.text(alphabet="abc ÀÉ.,!?;'\"012 \n"))
def test_a_text_without_marks_is_left_as_it_is(text: str) -> None:
    assert to_markdown(text) == text
    assert to_whatsapp(text) == text


@pytest.mark.parametrize(
    ("whatsapp", "markdown"),
    [
        ("*bold* _it_ ~s~ `c*d`", "**bold** _it_ ~~s~~ `c*d`"),
        ("*_both_*", "**_both_**"),
        ("```a\nb```", "```\na\nb\n```"),
        ("2*3*4 and a_b_c", r"2\*3\*4 and a_b_c"),
        ("* one\n- two\n1. three\n> four", "* one\n- two\n1. three\n> four"),
        ("# no heading", r"\# no heading"),
        ("total\n---", "total\n\\---"),
        ("[no](link)", r"[no\](link)"),
        ("https://x.y/a_b_c?d=*e*", "https://x.y/a_b_c?d=*e*"),
        ("<script>", r"\<script>"),
    ],
)
def test_whatsapps_marks_become_markdown(whatsapp: str, markdown: str) -> None:
    assert to_markdown(whatsapp) == markdown
    assert to_whatsapp(markdown) == whatsapp


@pytest.mark.parametrize(
    ("markdown", "whatsapp"),
    [
        ("Olá **Ana**, tudo bem?\nSegue", "Olá *Ana*, tudo bem?\nSegue"),
        ("*it* and __bold__", "_it_ and *bold*"),
        ("***both***", "*_both_*"),
        ("**a *b* c**", "*a _b_ c*"),
        ("# Title\ntext", "*Title*\ntext"),
        ("a\\\nb", "a\nb"),
        ("[shop](https://x.y/z_1)", "shop (https://x.y/z_1)"),
        ("[https://x.y](https://x.y)", "https://x.y"),
        ("<https://x.y>", "https://x.y"),
        ("[a@b.c](mailto:a@b.c)", "a@b.c"),
        ("![photo](https://x.y/p.png)", "photo (https://x.y/p.png)"),
        (r"5 \* 3 \_ x", "5 * 3 _ x"),
        ("```ruby\nputs 1\n```", "```puts 1```"),
        ("```\na = `b`\n\nc\n```", "```a = `b`\n\nc```"),
        ("`` a`b ``", "```a`b```"),
        ("**[Pay](https://x.y/a_b_c)**", "*Pay (https://x.y/a_b_c)*"),
        ("[A (b)](https://x.y/A_(b)) [c](https://x.y/\\(d\\))", "A (b) (https://x.y/A_(b)) c (https://x.y/(d))"),
        ("[@Ana](mention://user/1/Ana)", "@Ana"),
        ("<ana@shop.example>", "ana@shop.example"),
        ("# **Title**", "*Title*"),
        ("*a **b** c*", "_a *b* c_"),
        ("***a** b*", "_*a* b_"),
        ("*a **b***", "_a *b*_"),
        ("**a *b***", "*a _b_*"),
        ("***a* b**", "*_a_ b*"),
        ("5*3 and 4*2", "5*3 and 4*2"),
        ("+ one\n  + two", "- one\n  - two"),
        ("* one\n  * **two**\n1. three", "* one\n  * *two*\n1. three"),
        ("| a | b |\n|---|:-:|\n| **1** | 2 |", "| a | b |\n| *1* | 2 |"),
        ("**שלום** 👋🏽 **مرحبا**", "*שלום* 👋🏽 *مرحبا*"),
        ("****", "****"),
        ("** **", "** **"),
        ("", ""),
    ],
)
def test_agents_markdown_becomes_whatsapps_marks(markdown: str, whatsapp: str) -> None:
    assert to_whatsapp(markdown) == whatsapp


@pytest.mark.parametrize(
    ("markdown", "whatsapp"),
    [
        ("**Total:\\\nR$ 10,00**", "*Total:*\n*R$ 10,00*"),
        ("**Total:\nR$ 10,00**", "*Total:*\n*R$ 10,00*"),
        ("**Total:  \nR$ 10,00**", "*Total:*  \n*R$ 10,00*"),
        ("*one\ntwo*", "_one_\n_two_"),
        ("__one\ntwo__ _three\nfour_", "*one*\n*two* _three_\n_four_"),
        ("***one\ntwo***", "*_one_*\n*_two_*"),
        ("~~one\ntwo~~", "~one~\n~two~"),
        ("`one\ntwo`", "`one`\n`two`"),
        ("**a _b\nc_ d**", "*a _b_*\n*_c_ d*"),
        ("`one\\\ntwo`", "`one`\n`two`"),
        ("[one\ntwo](https://x.y)", "one two (https://x.y)"),
        ("[**one\\\ntwo**](https://x.y)", "*one two* (https://x.y)"),
        ("- **one\n  two**\n- three", "- *one*\n  *two*\n- three"),
        ("> **one\n> two**", "> *one*\n> *two*"),
        ("**one\n\ntwo**", "**one\n\ntwo**"),
        ("* one\n* two", "* one\n* two"),
        ("*one\n* two*", "*one\n* two*"),
    ],
)
def test_a_mark_over_several_lines_becomes_one_on_each(markdown: str, whatsapp: str) -> None:
    assert to_whatsapp(markdown) == whatsapp


@pytest.mark.parametrize(
    "piece",
    [
        "*",
        "_",
        "~",
        "[",
        "`",
        "```",
        "\\",
        "<",
        "&",
        "**a",
        "*a ",
        "_a",
        "![",
        "](",
        "- ",
        "**a\n",
        "*a\n",
        "*a**b**",
        "**a*b*",
        "*a***",
        "***a*",
        "_a_b",
        "`a\n",
        "[a\n",
        "|-",
        "|\n|-|",
    ],
)
def test_no_text_takes_long(piece: str) -> None:
    text = (piece * 65_536)[:65_536]
    began = time.thread_time()
    to_markdown(text)
    to_whatsapp(text)
    assert time.thread_time() - began < 2.0


def test_nothing_in_a_name_is_a_mark() -> None:
    assert escaped("*Ana*\n_[x](y)_") == r"\*Ana\* \_\[x\](y)\_"
