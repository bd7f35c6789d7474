"""The workflows that ``wagate n8n export`` writes: what n8n 2.41 needs of them, as far as their JSON tells."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from wagate.cli import app
from wagate_n8n import cli

NAMES = cli.workflow_names()
URL = "https://gateway.example.org"
BASE, CHAIN = "n8n-nodes-base.", "@n8n/n8n-nodes-langchain."
KNOWN: dict[str, set[float]] = {
    f"{BASE}crypto": {1, 2},
    f"{BASE}extractFromFile": {1, 1.1},
    f"{BASE}httpRequest": {1, 2, 3, 4, 4.1, 4.2, 4.3, 4.4, 4.5},
    f"{BASE}if": {1, 2, 2.1, 2.2, 2.3},
    f"{BASE}respondToWebhook": {1, 1.1, 1.2, 1.3, 1.4, 1.5},
    f"{BASE}scheduleTrigger": {1, 1.1, 1.2, 1.3, 1.4},
    f"{BASE}set": {1, 2, 3, 3.1, 3.2, 3.3, 3.4, 3.5},
    f"{BASE}stickyNote": {1},
    f"{BASE}wait": {1, 1.1},
    f"{BASE}webhook": {1, 1.1, 2, 2.1},
    f"{CHAIN}agent": {1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2, 2.1, 2.2, 2.3, 3, 3.1},
    f"{CHAIN}lmChatOpenAi": {1, 1.1, 1.2, 1.3},
    f"{CHAIN}memoryBufferWindow": {1, 1.1, 1.2, 1.3, 1.4},
}
"""Types of nodes and their versions, as the packages n8n-nodes-base and @n8n/n8n-nodes-langchain 2.41.1 say."""
STARTS = {f"{BASE}scheduleTrigger", f"{BASE}webhook"}
CREDENTIALS = {("httpBearerAuth", "wagate token"), ("crypto", "wagate signature"), ("openAiApi", "OpenAI")}
EXPRESSION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
"""As n8n reads it: the first }} ends it."""
PAIRS = {")": "(", "]": "[", "}": "{"}

every = pytest.mark.parametrize("name", NAMES)


def workflow(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cli.text_of(name))
    return found


def nodes_of(name: str) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in workflow(name)["nodes"]}


def edges(name: str) -> Iterator[tuple[str, str]]:
    for source, kinds in workflow(name)["connections"].items():
        for kind, outputs in kinds.items():
            for each in (each for output in outputs for each in output):
                assert each["type"] == kind
                yield source, each["node"]


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts(each)


def expressions(name: str) -> Iterator[str]:
    """What stands between ``{{`` and ``}}`` in each parameter that is an expression."""
    for node in workflow(name)["nodes"]:
        for text in texts(node["parameters"]):
            if text.startswith("="):
                assert "{" not in EXPRESSION.sub("", text), f"{node['name']}: }}}} ends an expression too soon: {text}"
                assert "}" not in EXPRESSION.sub("", text), f"{node['name']}: }}}} ends an expression too soon: {text}"
                yield from (found[1] for found in EXPRESSION.finditer(text))


def is_balanced(code: str) -> bool:
    opened: list[str] = []
    for sign in re.sub(r"'[^']*'|\"[^\"]*\"", "", code):
        if sign in "([{":
            opened.append(sign)
        elif sign in PAIRS and (not opened or opened.pop() != PAIRS[sign]):
            return False
    return not opened


def test_there_is_one_for_each_way_to_work() -> None:
    assert NAMES == ["ai-agent", "error-branch", "long-work", "pull-answer", "push-signed"]


@every
def test_names_and_ids_are_there_once(name: str) -> None:
    found = workflow(name)["nodes"]
    for field in ("name", "id"):
        assert len({each[field] for each in found}) == len(found)


@every
def test_each_connection_leads_from_a_node_to_a_node_and_each_node_is_connected(name: str) -> None:
    nodes = nodes_of(name)
    led = set(edges(name))
    assert {each for edge in led for each in edge} == {
        title for title, node in nodes.items() if node["type"] != f"{BASE}stickyNote"
    }
    to = {end for _, end in led}
    from_ = {start for start, _ in led}
    heads = from_ - to
    assert {nodes[each]["type"] for each in heads} <= STARTS | {f"{CHAIN}lmChatOpenAi", f"{CHAIN}memoryBufferWindow"}


@every
def test_each_error_output_is_connected(name: str) -> None:
    connections = workflow(name)["connections"]
    for title, node in nodes_of(name).items():
        if node.get("onError") == "continueErrorOutput":
            assert connections[title]["main"][1], f"{title}: an error goes nowhere"


@every
def test_n8n_knows_types_and_versions(name: str) -> None:
    for node in workflow(name)["nodes"]:
        assert node["typeVersion"] in KNOWN[node["type"]], node["name"]


@every
def test_no_expression_ends_too_soon(name: str) -> None:
    found = list(expressions(name))
    assert found
    for code in found:
        assert is_balanced(code), code


def test_an_expression_that_ends_too_soon_is_seen() -> None:
    early = "={{ JSON.stringify({a: {b: 1}}) }}"
    [cut, *_] = EXPRESSION.findall(early)
    assert not is_balanced(cut)


@every
def test_expressions_name_nodes_that_are_there(name: str) -> None:
    nodes = nodes_of(name)
    for code in expressions(name):
        assert set(re.findall(r"\$\('([^']+)'\)", code)) <= set(nodes), code


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not here: expressions were only looked through")
def test_expressions_are_javascript(tmp_path: Path) -> None:
    code = "".join(
        f"new Function('$', '$json', {json.dumps(f'return ({each});')});\n" for n in NAMES for each in expressions(n)
    )
    script = tmp_path / "expressions.js"
    script.write_text(code)
    done = subprocess.run(["node", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@every
def test_credentials_are_named_and_nothing_is_secret(name: str) -> None:
    for node in workflow(name)["nodes"]:
        for kind, given in node.get("credentials", {}).items():
            assert given["id"] is None
            assert (kind, given["name"]) in CREDENTIALS
    assert "Authorization" not in cli.text_of(name)
    assert "whsec_" not in cli.text_of(name)


@every
def test_code_does_not_ask_for_what_n8n_forbids(name: str) -> None:
    assert "node:crypto" not in cli.text_of(name)


@every
def test_who_waits_for_a_job_waits_longer_than_the_gateway(name: str) -> None:
    for node in workflow(name)["nodes"]:
        if node["name"] == "Next job":
            query = {each["name"]: each["value"] for each in node["parameters"]["queryParameters"]["parameters"]}
            assert node["parameters"]["options"]["timeout"] > 1000 * int(query["wait"])


# wagate n8n export


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["n8n", "export", *arguments])


def test_without_a_name_or_folder_they_are_listed() -> None:
    lines = run().stdout.splitlines()
    assert [line.split()[0] for line in lines] == NAMES
    assert lines[3] == "pull-answer   Take a job, answer it"


def test_all_are_written_with_the_gateways_url(folder: Path) -> None:
    (folder / "config.toml").write_text(f'[server]\npublic_url = "{URL}"\n')
    done = run("--out", "n8n")
    assert done.exit_code == 0, done.output
    assert [Path(line).name for line in done.stdout.splitlines()] == [f"{name}.json" for name in NAMES]
    for name in NAMES:
        text = (folder / "n8n" / f"{name}.json").read_text()
        assert json.loads(text)["nodes"]
        assert (URL in text, cli.STAND_IN in text) == (True, False)
    assert run("--out", "n8n").exit_code == 0


def test_one_is_printed() -> None:
    done = run("pull-answer", "--gateway", f"{URL}/")
    assert done.exit_code == 0, done.output
    assert f'"{URL}/queue/next-job"' in done.stdout
    assert json.loads(done.stdout)["name"] == "wagate: take a job, answer it"


def test_a_file_of_the_same_name_is_left_alone(folder: Path) -> None:
    (folder / "pull-answer.json").write_text("mine")
    done = run("--out", ".", "--gateway", URL)
    assert done.exit_code == 1
    assert "pull-answer.json: a file with this name already exists" in done.stderr
    assert (folder / "pull-answer.json").read_text() == "mine"
    assert [each.name for each in folder.glob("*.json")] == ["pull-answer.json"]


@pytest.mark.parametrize(
    ("arguments", "cure"),
    [
        (["pull"], "the workflows are: ai-agent, error-branch"),
        (["pull-answer"], "server.public_url is not set"),
        (["pull-answer", "--gateway", "gateway:8080"], "is not a URL like"),
        (["pull-answer", "--gateway", "https://x.example/wa"], "is not a URL like"),
        (["pull-answer", "--gateway", "https://me:hush@x.example"], "is not a URL like"),
        (["pull-answer", "--gateway", "https://{{1}}.example"], "is not a URL like"),
        (["--out", "/dev/null/x", "--gateway", URL], "--out: Not a directory"),
    ],
)
def test_what_cannot_be_written_is_said_with_the_cure(arguments: list[str], cure: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 1
    assert cure in done.stderr
    assert "Traceback" not in done.output
