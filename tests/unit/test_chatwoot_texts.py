"""What wagate writes in Chatwoot: complete in every language, safe against what is put in, and replaceable."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wagate_chatwoot
from wagate.errors import ConfigError
from wagate_chatwoot.agents.texts import LOCALES, load_texts, packaged, placeholders, text

ENGLISH = packaged("en")


@pytest.mark.parametrize("locale", LOCALES)
def test_every_language_has_every_text(locale: str) -> None:
    assert packaged(locale).keys() == ENGLISH.keys()


@pytest.mark.parametrize("locale", LOCALES)
def test_a_text_has_the_same_placeholders_in_every_language(locale: str) -> None:
    found = {key: placeholders(template) for key, template in packaged(locale).items()}
    assert found == {key: placeholders(template) for key, template in ENGLISH.items()}


@pytest.mark.parametrize("locale", LOCALES)
def test_no_brace_in_a_text_is_left_alone(locale: str) -> None:
    """A mistyped placeholder would be shown to people as it is."""
    for key, template in packaged(locale).items():
        rest = template
        for name in placeholders(template):
            rest = rest.replace(f"{{{name}}}", "")
        assert not set(rest) & set("{}"), key


@pytest.mark.parametrize("locale", [each for each in LOCALES if each != "en"])
def test_texts_are_translated(locale: str) -> None:
    same = [key for key, template in packaged(locale).items() if template == ENGLISH[key] and len(template) > 40]
    assert same == []


@given(st.text(), st.text())
def test_values_are_put_in_as_they_are(author: str, words: str) -> None:
    shown = text("en", "message.author", author=author + "x", text="{author}" + words + "x")
    assert shown == f"**{author}x**:\n{{author}}{words}x"


def test_a_line_of_which_nothing_is_known_is_left_out() -> None:
    shown = text("en", "message.location", name="", address="Main St. 1", link="https://maps.example/1")
    assert shown == "Main St. 1\nhttps://maps.example/1"


def test_a_missing_value_is_an_error_of_the_caller() -> None:
    with pytest.raises(KeyError):
        text("en", "status.loading", account="shop")


def test_somebodys_own_texts_come_first_and_english_fills_the_gaps(tmp_path: Path) -> None:
    (tmp_path / "de.toml").write_text('[chat]\ngroup = "Gruppe {name}"\n')
    (tmp_path / "nds.toml").write_text('[chat]\ngroup = "Koppel {name}"\n')
    german, low = load_texts("de", str(tmp_path)), load_texts("nds", str(tmp_path))
    assert german("chat.group", name="A") == "Gruppe A"
    assert german("call.voice") == packaged("de")["call.voice"]
    assert (low("chat.group", name="A"), low("call.voice")) == ("Koppel A", ENGLISH["call.voice"])


@pytest.mark.parametrize("locale", ["pt_BR", "pt-BR"])
def test_a_countrys_locale_is_its_languages(locale: str) -> None:
    assert load_texts(locale)("call.voice") == packaged("pt")["call.voice"]


def test_an_unknown_locale_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match='"xx"; there are: ar, de, en'):
        load_texts("xx")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('[chat]\ngruop = "{name}"\n', r"xx\.toml: chat\.gruop: there is no such text"),
        (
            '[chat]\ngroup = "{nmae}"\n',
            r"xx\.toml: chat\.group: \{nmae\} is not a placeholder of this text; use one of: \{name\}",
        ),
        ("[chat]\ngroup = 3\n", r"xx\.toml: chat\.group: must be a text"),
        ("[chat\n", r"xx\.toml: can't be read"),
    ],
)
def test_a_bad_file_is_refused_naming_file_and_key(tmp_path: Path, written: str, said: str) -> None:
    (tmp_path / "xx.toml").write_text(written)
    with pytest.raises(ConfigError, match=said):
        load_texts("en", str(tmp_path))


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no folder"):
        load_texts("en", str(tmp_path / "away"))


def test_every_text_is_written_somewhere_and_every_text_that_is_written_is_there() -> None:
    """Keys stand in the code as they are, but those that end in a state's, a command's or a pull's name."""
    folder = Path(wagate_chatwoot.__file__).parent
    code = "".join(each.read_text("utf-8") for each in sorted(folder.rglob("*.py")))
    tables = {key.partition(".")[0] for key in ENGLISH}
    named = set(re.findall(rf'"((?:{"|".join(tables)})\.[a-z_]+)"', code))
    made = re.compile(r"(state|status|pull)\..*|command\.(done|about)_.*")
    assert named <= ENGLISH.keys()
    assert {key for key in ENGLISH if not made.fullmatch(key)} <= named
