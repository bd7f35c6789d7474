"""The page about webhooks: its receivers verify what we sign, and refuse what was changed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from wagate.events.kinds import EVENT_KINDS
from wagate.http.signing import new_secret, standard_headers
from wagate_webhook.options import Options

PAGE = (Path(__file__).parents[2] / "docs/how-to/webhooks.md").read_text("utf-8")
REFERENCE = (Path(__file__).parents[2] / "docs/reference/webhooks.md").read_text("utf-8")
BODY = '{"content":"Olá"}'.encode()
Verify = Callable[[str, dict[str, str], bytes], bool]

NODE = """
const {secret, headers, body} = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(verify(secret, headers, Buffer.from(body, "utf8"))));
"""
PHP = """
$given = json_decode(file_get_contents('php://stdin'), true);
echo json_encode(verify($given['secret'], $given['headers'], $given['body']));
"""


def code(language: str) -> str:
    [block] = re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    return str(block)


def run_by(*command: str) -> Verify:
    def verify(secret: str, headers: dict[str, str], body: bytes) -> bool:
        given = json.dumps({"secret": secret, "headers": headers, "body": body.decode()})
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=90, check=True)
        return bool(json.loads(done.stdout))

    return verify


PROGRAMS = {"js": "node", "php": "php"}
WITH_NODE = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
LANGUAGES = ["python", pytest.param("js", marks=WITH_NODE), *["php"] * (shutil.which("php") is not None)]
"""PHP is tried where it happens to be; Python and JavaScript always, or the test says that it was skipped."""


@pytest.fixture(params=LANGUAGES)
def verify(request: pytest.FixtureRequest) -> Verify:
    """The page's function in each language; one that is not installed is skipped."""
    if request.param == "python":
        names: dict[str, Verify] = {}
        exec(code("python"), names)
        return names["verify"]
    program, script = PROGRAMS[request.param], NODE if request.param == "js" else PHP
    option = "-e" if program == "node" else "-r"
    return run_by(program, option, code(request.param).removeprefix("<?php") + script)


def signed(*secrets: str, at: float) -> dict[str, str]:
    return standard_headers(secrets, "0198-id", int(at), BODY)


def test_what_we_sign_is_accepted(verify: Verify) -> None:
    secret = new_secret()
    assert verify(secret, signed(secret, at=time.time()), BODY)


def test_during_a_rotation_both_secrets_verify(verify: Verify) -> None:
    old, new = new_secret(), new_secret()
    headers = signed(new, old, at=time.time())
    assert verify(old, headers, BODY)
    assert verify(new, headers, BODY)


def test_a_changed_body_is_refused(verify: Verify) -> None:
    secret = new_secret()
    assert not verify(secret, signed(secret, at=time.time()), BODY + b" ")


def test_a_wrong_secret_is_refused(verify: Verify) -> None:
    assert not verify(new_secret(), signed(new_secret(), at=time.time()), BODY)


def test_an_old_request_is_refused(verify: Verify) -> None:
    secret = new_secret()
    assert not verify(secret, signed(secret, at=time.time() - 3600), BODY)


def test_the_reference_lists_every_event() -> None:
    table = REFERENCE.partition("### Events")[2].partition("### Routes")[0]
    named = set(re.findall(r"`([a-z]+(?:\.[a-z_*]+)?)`", table))
    assert not [kind for kind in EVENT_KINDS if not {kind, f"{kind.partition('.')[0]}.*"} & named]


def test_the_reference_has_a_row_for_every_option() -> None:
    rows = set(re.findall(r"^\| `(\w+)` \|", REFERENCE.partition("## Registration")[2], re.MULTILINE))
    assert {field.name for field in msgspec.structs.fields(Options)} <= rows
