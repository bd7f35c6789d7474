"""The pages are held to the code: links, the index, proofs, reference pages, decisions."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from wagate.hooks.providers import UNOFFICIAL

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]

LINK = re.compile(r"\]\(<?([^)\s>]+)")
PROOF = re.compile(r"\b(tests/[\w/]+\.py)((?:::\w+)*)")

# Written in pieces, so that this file does not match itself.
REGISTRIES = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "npm" + "js.org",
    "npm" + "js.com",
    "yarn" + "pkg.com",
    "deb." + "debian.org",
    "security." + "debian.org",
    "crates" + ".io",
    "proxy." + "golang.org",
    "repo.maven" + ".apache.org",
    "--index" + "-url",
    "--extra-index" + "-url",
]


def links(text: str, *, here: bool = False) -> list[str]:
    """Targets of a page's relative links, without those in code blocks; with ``here`` those to its own parts, too."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"`[^`\n]*`", "", prose)
    elsewhere = r"[a-z]+:" if here else r"[a-z]+:|#"
    return [target for target in LINK.findall(prose) if not re.match(elsewhere, target)]


def anchors(text: str) -> set[str]:
    """What a link's #fragment may name: the page's headings, as GitHub spells them."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def names_of(path: Path) -> set[str]:
    """Names of the tests in a file, those in classes as ``Class::test``."""
    found = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        found |= {prefix + one.name for one in inner if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
    return found


def test_every_relative_link_leads_somewhere() -> None:
    offenders = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in links(page.read_text("utf-8"))
        if not (page.parent / unquote(target.split("#")[0])).exists()
    ]
    assert not offenders, "\n".join(offenders)


def test_every_link_to_a_part_of_a_page_finds_its_heading() -> None:
    offenders = []
    for page in PAGES:
        for target in links(page.read_text("utf-8"), here=True):
            name, _, fragment = target.partition("#")
            to = page.parent / unquote(name) if name else page
            if fragment and fragment not in anchors(to.read_text("utf-8")):
                offenders.append(f"{page.relative_to(ROOT)}: {target}")
    assert not offenders, "\n".join(offenders)


def test_the_index_lists_every_page() -> None:
    index = DOCS / "README.md"
    listed = {(DOCS / target).resolve() for target in links(index.read_text("utf-8"))}
    apart = {"adr", "plugin-api"}  # these have an index of their own, which is listed
    expected = {page for page in DOCS.rglob("*.md") if page != index and page.parent.name not in apart}
    assert not [page.relative_to(DOCS).as_posix() for page in expected if page.resolve() not in listed]


def test_the_index_of_the_plugin_api_lists_its_pages() -> None:
    folder = DOCS / "reference/plugin-api"
    listed = set(links((folder / "README.md").read_text("utf-8")))
    assert {page.name for page in folder.glob("*.md")} - listed == {"README.md"}


def test_only_pages_for_developers_name_tests() -> None:
    users = [page for page in PAGES if page.parent.name in {"how-to", "reference", "explanation"}]
    assert users
    assert not [page.relative_to(ROOT).as_posix() for page in users if PROOF.search(page.read_text("utf-8"))]


def named_paths(text: str) -> list[str]:
    """Paths in backticks as globs; a bare name is beside the path that was named last before it."""
    found: list[str] = []
    for name in re.findall(r"`([\w./*<>-]+)`", text):
        glob = re.sub(r"<\w+>", "*", name).removeprefix("/")
        if re.fullmatch(r"(\w[\w*-]*/)+([\w*.-]+)?", glob) and not name.startswith("/"):
            found.append(glob)
        elif found and re.fullmatch(r"\w+\.(py|lua|json)", glob):
            found.append(glob if (ROOT / glob).exists() else f"{found[-1].rpartition('/')[0]}/{glob}")
    return found


def items() -> list[str]:
    """Each change of CONTRIBUTING.md."""
    ten = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("## Ten changes")[2].partition("\n## ")[0]
    return re.findall(r"^\d+\. .*?(?=^\d+\. |^A column)", ten, flags=re.MULTILINE | re.DOTALL)


def test_every_path_that_developers_are_told_of_exists() -> None:
    pages = [(ROOT / name).read_text("utf-8") for name in ("CONTRIBUTING.md", "docs/flow.md")]
    named = [path for page in pages for part in page.split("\n\n") for path in named_paths(part)]
    assert len(named) > 80
    assert not [path for path in named if not list(ROOT.glob(path))]


def test_every_name_in_the_ten_changes_is_in_a_file_named_beside_it() -> None:
    changes = items()
    assert len(changes) == 10
    missing = []
    for change in changes:
        files = [file for path in named_paths(change) for file in ROOT.glob(path) if file.is_file()]
        text = "\n".join(file.read_text("utf-8") for file in files)
        names = re.findall(r"`(_?[A-Za-z][A-Za-z_]+|\[\w+\])`", change)
        missing += [f"{change[:30]} {name}" for name in names if name not in text and name != "register_checks"]
    assert not missing


def test_a_bare_name_is_beside_the_path_before_it() -> None:
    assert named_paths("`a/b.py`, `c.py`, `GET`, `/health`, `d/<name>.md`") == ["a/b.py", "a/c.py", "d/*.md"]


def test_links_in_code_and_to_other_sites_are_left_alone() -> None:
    text = "[a](b.md#c) [d](https://e.example) [f](#g) `[h](i)`\n```\n[j](k)\n```\n![l](<m.png>)"
    assert links(text) == ["b.md#c", "m.png"]


@pytest.mark.parametrize("page", ["proof.md", "security.md"])
def test_every_proof_names_tests_that_exist(page: str) -> None:
    text = (DOCS / page).read_text("utf-8")
    named = PROOF.findall(text)
    assert named
    offenders = [
        path + name
        for path, name in named
        if not (ROOT / path).is_file() or (name and name.removeprefix("::") not in names_of(ROOT / path))
    ]
    assert not offenders, "\n".join(offenders)


def test_every_promise_of_security_has_its_test() -> None:
    text = (DOCS / "security.md").read_text("utf-8").partition("## Requests")[2]
    rows = [line for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    promises = [row for row in rows if row != "| What must hold | Shown by |"]
    assert promises
    assert not [row for row in promises if not PROOF.search(row)]


def test_every_row_of_proofs_has_one() -> None:
    rows = [line for line in (DOCS / "proof.md").read_text("utf-8").splitlines() if line.startswith("|")]
    assert rows[0] == "| What must hold | Shown by |"
    assert not [row for row in rows[2:] if not PROOF.search(row)]


def test_the_reference_pages_are_fresh() -> None:
    check = subprocess.run(
        [sys.executable, ROOT / "scripts/reference_pages.py", "--check"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert check.returncode == 0, check.stdout + check.stderr


def test_every_decision_is_listed() -> None:
    decisions = {path.name for path in (DOCS / "adr").glob("[0-9]*.md")}
    listed = {target for target in links((DOCS / "adr/README.md").read_text("utf-8")) if target[0].isdigit()}
    assert decisions
    assert listed == decisions


@pytest.mark.parametrize("heading", ["Context", "Choice", "Figures", "What would change it"])
def test_every_decision_has_its_parts(heading: str) -> None:
    pages = [*(DOCS / "adr").glob("[0-9]*.md"), DOCS / "adr/template.md"]
    assert not [page.name for page in pages if f"**{heading}.**" not in page.read_text("utf-8")]


@pytest.mark.parametrize("page", ["README.md", "docs/how-to/whatsapp.md"])
def test_the_risk_of_a_linked_number_is_said_before_one_is_linked(page: str) -> None:
    before = re.sub(r"\s*\n>?\s*", " ", (ROOT / page).read_text("utf-8")).partition('pip install "wagate[whatsapp]"')[0]
    risk, _, way = UNOFFICIAL.partition(" Meta's API ")
    assert risk in before
    assert way.partition(":")[0] in before


def test_no_file_depends_on_where_packages_come_from() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    paths = [ROOT / name for name in tracked.stdout.split("\0") if name]
    assert Path(__file__) in paths
    offenders = [
        f"{path.relative_to(ROOT)}: {registry}"
        for path in paths
        if path.is_file()
        for registry in REGISTRIES
        if registry.encode() in path.read_bytes()
    ]
    assert not offenders, "\n".join(offenders)
